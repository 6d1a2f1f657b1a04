"""The rendered chart `floe-platform`: what Kubernetes and a team's policies would object to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rendered import (
    ICEBERG_REST,
    MINIMAL,
    POLARIS,
    PRODUCTION,
    Manifest,
    Render,
    containers,
    named,
    of_kind,
    pod_specs,
)

FORMS = [
    pytest.param(MINIMAL, id="minimal"),
    pytest.param(POLARIS, id="polaris"),
    pytest.param(ICEBERG_REST, id="iceberg-rest"),
    pytest.param(PRODUCTION, id="production"),
]


@pytest.fixture(scope="module", params=FORMS)
def manifests(request: pytest.FixtureRequest, render: Render) -> list[Manifest]:
    return render("floe-platform", *request.param)


@pytest.fixture(scope="module")
def minimal(render: Render) -> list[Manifest]:
    return render("floe-platform", *MINIMAL)


@pytest.fixture(scope="module")
def production(render: Render) -> list[Manifest]:
    return render("floe-platform", *PRODUCTION)


def test_the_minimal_form_is_three_deployments_and_a_helm_test(minimal: list[Manifest]) -> None:
    names = sorted(name for name, _ in pod_specs(minimal))

    assert names == [
        "Deployment/dagster-code",
        "Deployment/dagster-daemon",
        "Deployment/dagster-webserver",
        "Pod/floe-platform-test",
    ]


def test_every_pod_passes_pod_security_restricted(manifests: list[Manifest]) -> None:
    for name, spec in pod_specs(manifests):
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not spec.get("hostNetwork"), name
        allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= allowed, f"{name}: {volume}"


def test_no_container_can_gain_rights_or_write_to_its_root(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


def test_a_quota_can_count_every_container(manifests: list[Manifest]) -> None:
    """A namespace with a quota refuses a pod of which one container says nothing."""
    for name, container in containers(manifests):
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) >= {"cpu", "memory"}, f"{name} {bound}"


def test_no_pod_carries_a_token_or_service_variables(manifests: list[Manifest]) -> None:
    for name, spec in pod_specs(manifests):
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["serviceAccountName"] == "floe-platform", name


@pytest.mark.parametrize("prefix", ["", "localhost:5001/", "mirror.example.com/team/"])
def test_the_registry_prefix_stands_before_every_image(prefix: str, render: Render) -> None:
    rendered = render("floe-platform", *MINIMAL, "--set", f"global.imageRegistryPrefix={prefix}")

    images = {container["image"] for _, container in containers(rendered)}

    assert images == {f"{prefix}ghcr.io/floe/platform:0.1.0"}


def test_a_prefix_without_its_slash_is_refused(render: Render) -> None:
    """It would glue host and image together, and the pull error would not say why."""
    with pytest.raises(Exception, match="imageRegistryPrefix"):
        render("floe-platform", *MINIMAL, "--set", "global.imageRegistryPrefix=localhost:5001")


def test_the_tag_latest_is_refused(render: Render) -> None:
    with pytest.raises(Exception, match="/image/tag"):
        render("floe-platform", *MINIMAL, "--set", "image.tag=latest")


def test_two_webservers_on_sqlite_are_refused(render: Render) -> None:
    with pytest.raises(Exception, match=r"webserver\.replicas is 2"):
        render("floe-platform", *MINIMAL, "--set", "webserver.replicas=2")


@pytest.mark.parametrize(
    "assignment",
    ["replicas=2", "webserver.replica=2", "global.registry=x", "postgres.password=secret"],
)
def test_an_unknown_value_is_refused(assignment: str, render: Render) -> None:
    with pytest.raises(Exception, match=r"additional properties .* not allowed"):
        render("floe-platform", *MINIMAL, "--set", assignment)


def test_nothing_depends_on_the_release_name_or_namespace(render: Render) -> None:
    rendered = render("floe-platform", *MINIMAL, release="floe-dev", namespace="elsewhere")

    assert "floe-test.svc" not in yaml.safe_dump(rendered)
    assert named(rendered, "Service", "dagster-webserver")["spec"]["ports"][0]["port"] == 80
    assert named(rendered, "Service", "dagster-code")["spec"]["ports"][0]["port"] == 4000
    subject = named(rendered, "RoleBinding", "floe-test-runner")["subjects"][0]
    assert subject == {
        "kind": "ServiceAccount",
        "name": "floe-test-runner",
        "namespace": "elsewhere",
    }


def test_services_and_policies_select_the_pods_they_mean(manifests: list[Manifest]) -> None:
    for role in ("webserver", "code"):
        pod = named(manifests, "Deployment", f"dagster-{role}")["spec"]["template"]["metadata"]
        selector = named(manifests, "Service", f"dagster-{role}")["spec"]["selector"]
        policy = named(manifests, "NetworkPolicy", f"dagster-{role}")["spec"]["podSelector"]
        budget = named(manifests, "PodDisruptionBudget", f"dagster-{role}")["spec"]["selector"]
        for labels in (selector, policy["matchLabels"], budget["matchLabels"]):
            assert labels.items() <= pod["labels"].items(), role


def test_every_pod_of_the_release_is_denied_everything_by_default(
    manifests: list[Manifest],
) -> None:
    policy = named(manifests, "NetworkPolicy", "floe-platform-default-deny")["spec"]

    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert "ingress" not in policy
    assert "egress" not in policy
    pods = [
        *(each["spec"]["template"] for each in of_kind(manifests, "Deployment")),
        *of_kind(manifests, "Pod"),
    ]
    for pod in pods:
        assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_test_pods_reach_the_webserver_dns_and_the_api_alone(minimal: list[Manifest]) -> None:
    policy = named(minimal, "NetworkPolicy", "floe-test-runner")["spec"]
    webserver = named(minimal, "NetworkPolicy", "dagster-webserver")["spec"]

    ports = [sorted(port["port"] for port in rule["ports"]) for rule in policy["egress"]]

    assert policy["podSelector"] == {"matchLabels": {"floe-tests/role": "test-runner"}}
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert ports == [[53, 53], [3000], [443, 6443]]
    assert {"podSelector": policy["podSelector"]} in webserver["ingress"][0]["from"]


def test_the_code_location_is_reached_by_webserver_and_daemon_alone(
    manifests: list[Manifest],
) -> None:
    rules = named(manifests, "NetworkPolicy", "dagster-code")["spec"]["ingress"]

    roles = [
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for peer in rules[0]["from"]
    ]

    assert len(rules) == 1
    assert roles == ["webserver", "daemon"]


def test_test_pods_may_look_and_evict_pods_and_never_see_secrets(minimal: list[Manifest]) -> None:
    rules = named(minimal, "Role", "floe-test-runner")["rules"]

    resources = {resource for rule in rules for resource in rule["resources"]}
    writing = {
        (resource, verb)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if verb not in {"get", "list", "watch"}
    }

    assert "secrets" not in resources
    assert "*" not in resources
    assert writing == {("pods/eviction", "create")}


def test_no_test_pod_takes_itself_away(minimal: list[Manifest]) -> None:
    """Its failures would go with it, and look like the node's fault."""
    budget = named(minimal, "PodDisruptionBudget", "floe-test-runner")["spec"]

    assert budget["selector"] == {"matchLabels": {"floe-tests/role": "test-runner"}}
    assert budget["minAvailable"] > 10_000


def test_production_lets_no_test_pods_in(production: list[Manifest]) -> None:
    assert "test-runner" not in yaml.safe_dump(production)


def test_production_keeps_its_data_and_two_webservers(production: list[Manifest]) -> None:
    data = named(production, "PersistentVolumeClaim", "floe-platform-data")
    webserver = named(production, "Deployment", "dagster-webserver")["spec"]

    assert data["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert webserver["replicas"] >= 2
    assert webserver["strategy"]["type"] == "RollingUpdate"


def test_the_minimal_form_shares_its_history_on_one_node(minimal: list[Manifest]) -> None:
    """SQLite's locks hold among the processes of one kernel."""
    for deployment in of_kind(minimal, "Deployment"):
        template = deployment["spec"]["template"]
        affinity = template["spec"]["affinity"]["podAffinity"]
        rule = affinity["requiredDuringSchedulingIgnoredDuringExecution"][0]
        assert rule["topologyKey"] == "kubernetes.io/hostname"
        wanted = rule["labelSelector"]["matchLabels"]
        assert wanted.items() <= template["metadata"]["labels"].items()
        assert [each["name"] for each in template["spec"]["initContainers"]] == ["history"]
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_only_the_code_location_mounts_the_data(manifests: list[Manifest]) -> None:
    mounting = [
        name
        for name, spec in pod_specs(manifests)
        for volume in spec.get("volumes", [])
        if volume.get("persistentVolumeClaim", {}).get("claimName") == "floe-platform-data"
    ]

    assert mounting == ["Deployment/dagster-code"]


def test_a_changed_configuration_restarts_the_pods(render: Render) -> None:
    def checksums(*arguments: str) -> set[str]:
        return {
            each["spec"]["template"]["metadata"]["annotations"]["checksum/configuration"]
            for each in of_kind(
                render("floe-platform", *MINIMAL, *arguments),
                "Deployment",
            )
        }

    assert checksums().isdisjoint(checksums("--set", "runs.dequeueIntervalSeconds=2"))


@pytest.mark.parametrize("form", FORMS)
def test_dagster_accepts_the_rendered_instance_settings(
    form: tuple[str, ...], render: Render, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error in dagster.yaml would otherwise be found by a pod that crashes."""
    from dagster._core.instance.config import dagster_instance_config

    for name in ("DAGSTER_PG_HOST", "DAGSTER_PG_DB", "DAGSTER_PG_USER", "DAGSTER_PG_PASSWORD"):
        monkeypatch.setenv(name, "x")
    configuration = named(render("floe-platform", *form), "ConfigMap", "floe-platform")["data"]
    (tmp_path / "dagster.yaml").write_text(configuration["dagster.yaml"])

    settings, _ = dagster_instance_config(str(tmp_path))

    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == (1 if form == MINIMAL else 2)
    assert settings["telemetry"] == {"enabled": False}
    workspace = yaml.safe_load(configuration["workspace.yaml"])
    assert workspace == {
        "load_from": [
            {"grpc_server": {"host": "dagster-code", "port": 4000, "location_name": "floe"}}
        ]
    }


def test_network_policies_and_budgets_can_be_left_out(render: Render) -> None:
    rendered = render(
        "floe-platform",
        *MINIMAL,
        *("--set", "networkPolicy.enabled=false", "--set", "podDisruptionBudget.enabled=false"),
    )

    assert of_kind(rendered, "NetworkPolicy") == []
    assert of_kind(rendered, "PodDisruptionBudget") == []
