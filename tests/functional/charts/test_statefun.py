"""The rendered chart `statefun`: what Kubernetes, Flink and a team's policies would object to."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
import yaml
from rendered import Manifest, Render, containers, named, of_kind, pod_specs

KAFKA = ("--set", "kinesis.enabled=false")
KINESIS = ("--set", "kafka.enabled=false")
FORMS = [
    pytest.param((), id="both"),
    pytest.param(KAFKA, id="kafka"),
    pytest.param(KINESIS, id="kinesis"),
]
IMAGES = {
    "apache/kafka:3.9.0",
    "localstack/localstack:4.1",
    "ghcr.io/floe/statefun-functions:0.1.0",
    "apache/flink-statefun:3.3.0",
}


@pytest.fixture(scope="module", params=FORMS)
def manifests(request: pytest.FixtureRequest, render: Render) -> list[Manifest]:
    return render("statefun", *request.param, release="statefun")


@pytest.fixture(scope="module")
def both(render: Render) -> list[Manifest]:
    return render("statefun", release="statefun")


def flink_pods(manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    """The JobManager's and the TaskManager's pod templates, merged as the operator merges them."""
    spec = named(manifests, "FlinkDeployment", "statefun")["spec"]
    return {
        role: merged(spec["podTemplate"], spec[role]["podTemplate"])
        for role in ("jobManager", "taskManager")
    }


def merged(low: Any, high: Any) -> Any:
    """Maps key by key and lists by position: what the operator does by default."""
    if isinstance(low, dict) and isinstance(high, dict):
        keys = {**low, **high}
        return {key: merged(low.get(key), high.get(key)) for key in keys}
    if isinstance(low, list) and isinstance(high, list):
        return [merged(*pair) for pair in itertools.zip_longest(low, high)]
    return low if high is None else high


def all_pod_specs(manifests: list[Manifest]) -> list[tuple[str, dict[str, Any]]]:
    own = [(role, pod["spec"]) for role, pod in flink_pods(manifests).items()]
    return [*pod_specs(manifests), *own]


def module(manifests: list[Manifest]) -> list[dict[str, Any]]:
    text = named(manifests, "ConfigMap", "statefun-module")["data"]["module.yaml"]
    return list(yaml.safe_load_all(text))


def options(manifests: list[Manifest]) -> dict[str, str]:
    return named(manifests, "FlinkDeployment", "statefun")["spec"]["flinkConfiguration"]


def test_every_pod_passes_pod_security_restricted(manifests: list[Manifest]) -> None:
    for name, spec in all_pod_specs(manifests):
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= {"configMap", "emptyDir"}, f"{name}: {volume}"


def test_no_container_can_gain_rights_or_write_to_its_root(manifests: list[Manifest]) -> None:
    for name, spec in all_pod_specs(manifests):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, f"{name}/{container['name']}"


def test_a_quota_can_count_every_container(manifests: list[Manifest]) -> None:
    """A namespace with a quota refuses a pod of which one container says nothing."""
    wait = flink_pods(manifests)["jobManager"]["spec"]["initContainers"][0]
    for name, container in [*containers(manifests), ("setup-is-done", wait)]:
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) >= {"cpu", "memory"}, f"{name} {bound}"


def test_services_put_no_variables_into_pods(manifests: list[Manifest]) -> None:
    """KAFKA_PORT=tcp://... of a Service named kafka is an option that Kafka does not know."""
    for name, spec in all_pod_specs(manifests):
        assert spec["enableServiceLinks"] is False, name


def test_only_hooks_that_ask_the_api_carry_a_token(manifests: list[Manifest]) -> None:
    with_token = {n for n, spec in pod_specs(manifests) if spec["automountServiceAccountToken"]}

    assert with_token == {"Job/statefun-readiness", "Job/statefun-deletion", "Pod/statefun-test"}


@pytest.mark.parametrize("prefix", ["", "localhost:5001/", "mirror.example.com/team/"])
def test_the_registry_prefix_stands_before_every_image(prefix: str, render: Render) -> None:
    rendered = render("statefun", "--set", f"global.imageRegistryPrefix={prefix}")

    # Wherever an image stands, in pods and in the FlinkDeployment.
    found = set(re.findall(r"^ *(?:- )?image: (\S+)$", yaml.safe_dump(rendered), re.MULTILINE))

    assert found == {f"{prefix}{image}" for image in IMAGES}


def test_a_prefix_without_its_slash_is_refused(render: Render) -> None:
    with pytest.raises(Exception, match="imageRegistryPrefix"):
        render("statefun", "--set", "global.imageRegistryPrefix=localhost:5001")


def test_neither_kafka_nor_kinesis_is_refused(render: Render) -> None:
    with pytest.raises(Exception, match="both false"):
        render("statefun", *KAFKA, *KINESIS)


def test_a_lease_shorter_than_its_renewal_is_refused(render: Render) -> None:
    with pytest.raises(Exception, match="leaseSeconds is 10"):
        render("statefun", "--set", "flink.leaderElection.leaseSeconds=10")


@pytest.mark.parametrize(
    "assignment",
    ["kafka.replicas=2", "localstack.image.digest=x", "flink.jobmanager.cpu=1", "replicas=2"],
)
def test_an_unknown_value_is_refused(assignment: str, render: Render) -> None:
    with pytest.raises(Exception, match=r"additional properties .* not allowed"):
        render("statefun", "--set", assignment)


@pytest.mark.parametrize("image", ["kafka", "localstack", "functions", "flink"])
def test_the_tag_latest_is_refused(image: str, render: Render) -> None:
    with pytest.raises(Exception, match=f"/{image}/image/tag"):
        render("statefun", "--set", f"{image}.image.tag=latest")


def test_without_kafka_nothing_of_it_is_there(render: Render) -> None:
    rendered = render("statefun", *KINESIS)

    assert not [spec for name, spec in pod_specs(rendered) if "kafka" in name]
    assert {each["kind"] for each in module(rendered)} == {
        "io.statefun.endpoints.v2/http",
        "io.statefun.kinesis.v1/ingress",
        "io.statefun.kinesis.v1/egress",
    }
    assert "apache/kafka" not in yaml.safe_dump(rendered)


def test_without_kinesis_nothing_of_it_is_there(render: Render) -> None:
    rendered = render("statefun", *KAFKA)
    localstack = named(rendered, "Deployment", "localstack")["spec"]["template"]["spec"]

    environment = {each["name"]: each.get("value") for each in localstack["containers"][0]["env"]}

    assert environment["SERVICES"] == "s3"
    assert not [each for each in module(rendered) if "kinesis" in each["kind"]]
    assert "Kinesis_" not in named(rendered, "ConfigMap", "localstack-probe")["data"]["answers.sh"]
    assert "env.java.opts" not in options(rendered)


def test_the_module_reads_what_the_setup_makes(both: list[Manifest]) -> None:
    """A topic that is read and not made fails the job until somebody makes it."""
    setup = named(both, "Job", "statefun-setup")["spec"]["template"]["spec"]
    words = setup["initContainers"][0]["command"][3:]
    made = {word for word in words if not word.startswith("--")}
    streams = {
        word.removeprefix("--stream=")
        for word in setup["containers"][0]["command"]
        if word.startswith("--stream=")
    }

    documents = {each["kind"]: each["spec"] for each in module(both)}
    topics = {each["topic"] for each in documents["io.statefun.kafka.v1/ingress"]["topics"]}
    read = {each["stream"] for each in documents["io.statefun.kinesis.v1/ingress"]["streams"]}

    assert topics < made
    assert {"counter.results", "ttl.results", "greeter.results", "dead-letters"} == made - topics
    assert read < streams
    assert streams - read == {"counter.results", "dead-letters"}


def test_results_of_kafka_are_exactly_once_for_as_long_as_the_broker_allows(
    both: list[Manifest],
) -> None:
    (egress,) = (each for each in module(both) if each["kind"] == "io.statefun.kafka.v1/egress")

    assert egress["spec"]["deliverySemantic"] == {
        "type": "exactly-once",
        "transactionTimeout": "15min",
    }


def test_the_state_is_saved_as_in_production(both: list[Manifest]) -> None:
    election = "high-availability.kubernetes.leader-election."
    assert (
        options(both).items()
        >= {
            "state.backend": "rocksdb",
            "state.backend.incremental": "true",
            "execution.checkpointing.interval": "5s",
            "execution.checkpointing.mode": "EXACTLY_ONCE",
            "state.checkpoints.dir": "s3://statefun-checkpoints/checkpoints",
            "high-availability.storageDir": "s3://statefun-checkpoints/ha",
            f"{election}lease-duration": "15s",
            f"{election}renew-deadline": "10s",
            f"{election}retry-period": "2s",
        }.items()
    )


def test_an_option_of_the_values_wins_over_the_charts_own(render: Render) -> None:
    rendered = render(
        "statefun", "--set-string", r"flink.extraConfiguration.heartbeat\.timeout=50000"
    )

    assert options(rendered)["heartbeat.timeout"] == "50000"
    assert options(rendered)["heartbeat.interval"] == "3000"


def test_flinks_pods_carry_the_releases_labels(both: list[Manifest]) -> None:
    """The operator makes them, and whoever watches the release must see them too."""
    for role, pod in flink_pods(both).items():
        assert (
            pod["metadata"]["labels"].items()
            >= {
                "app.kubernetes.io/instance": "statefun",
                "app.kubernetes.io/component": role.lower(),
            }.items()
        )


def test_merging_by_position_loses_no_volume(both: list[Manifest]) -> None:
    """The operator merges the n-th volume of a role over the n-th of all."""
    for role, pod in flink_pods(both).items():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            assert mounts <= volumes, f"{role}/{container['name']}"


def test_no_credential_stands_in_a_config_map_or_in_flinks_options(both: list[Manifest]) -> None:
    secret = named(both, "Secret", "statefun-aws")["data"]

    rest = yaml.safe_dump([each for each in both if each["kind"] != "Secret"])

    assert set(secret) == {"access-key", "secret-key"}
    assert not any(value in rest for value in secret.values())
    assert not [name for name in options(both) if "key" in name]


def test_services_select_the_pods_they_mean(manifests: list[Manifest]) -> None:
    workloads = [*of_kind(manifests, "Deployment"), *of_kind(manifests, "StatefulSet")]
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in workloads
    }
    services = {
        each["metadata"]["name"]: each["spec"]["selector"] for each in of_kind(manifests, "Service")
    }

    assert services.keys() == labels.keys()
    for name, selector in services.items():
        assert selector.items() <= labels[name].items(), name


def test_every_pod_of_the_release_is_denied_everything_by_default(
    manifests: list[Manifest],
) -> None:
    policy = named(manifests, "NetworkPolicy", "statefun-default-deny")["spec"]
    wanted = policy["podSelector"]["matchLabels"].items()

    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert policy.keys() == {"podSelector", "policyTypes"}
    for each in manifests:
        template = each.get("spec", {}).get("template")
        if template is not None:
            assert wanted <= template["metadata"]["labels"].items(), each["metadata"]["name"]
    for role, pod in flink_pods(manifests).items():
        assert wanted <= pod["metadata"]["labels"].items(), role


def test_the_functions_are_asked_by_task_managers_alone(both: list[Manifest]) -> None:
    (rule,) = named(both, "NetworkPolicy", "functions")["spec"]["ingress"]

    (peer,) = rule["from"]

    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "taskmanager"


def test_test_pods_may_look_and_evict_pods_and_never_see_secrets(both: list[Manifest]) -> None:
    rules = named(both, "Role", "floe-test-runner")["rules"]

    resources = {resource for rule in rules for resource in rule["resources"]}
    writing = {
        (resource, verb)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb not in {"get", "list", "watch"}
    }

    assert not resources & {"secrets", "configmaps", "*"}
    assert writing == {("pods/eviction", "create")}


def test_no_test_pod_takes_itself_away(both: list[Manifest]) -> None:
    """Its failures would go with it, and look like the node's fault."""
    budget = named(both, "PodDisruptionBudget", "floe-test-runner")["spec"]

    assert budget["selector"] == {"matchLabels": {"floe-tests/role": "test-runner"}}
    assert budget["minAvailable"] > 10_000


def test_without_tests_no_test_pod_is_let_in(render: Render) -> None:
    assert "test-runner" not in yaml.safe_dump(render("statefun", "--set", "tests.enabled=false"))


def test_hooks_run_in_the_order_setup_then_readiness(both: list[Manifest]) -> None:
    def weight(name: str) -> int:
        return int(named(both, "Job", name)["metadata"]["annotations"]["helm.sh/hook-weight"])

    assert weight("statefun-setup") < weight("statefun-readiness")


def test_the_deployment_goes_before_the_release_does(both: list[Manifest]) -> None:
    """Its finalizer would otherwise wait for an operator that is gone."""
    deletion = named(both, "Job", "statefun-deletion")

    assert deletion["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"


def test_nothing_depends_on_the_release_name_or_namespace(render: Render) -> None:
    rendered = render("statefun", release="flow", namespace="elsewhere")

    text = yaml.safe_dump(rendered)

    assert "floe-test." not in text
    assert named(rendered, "Service", "kafka")["spec"]["ports"][0]["port"] == 9092
    assert named(rendered, "RoleBinding", "flink")["subjects"][0]["namespace"] == "elsewhere"
    pod = flink_pods(rendered)["jobManager"]["metadata"]["labels"]
    assert pod["app.kubernetes.io/instance"] == "flow"
