"""`floe-tests` as its values make it: what runs, under which account, and who reaches whom."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from rendered import Manifest, Render, named, of_kind, pod_specs

ROOT = Path(__file__).parents[3]
OUTSIDE = (
    *("--set", "postgres.deploy=false", "--set", "postgres.host=db.example"),
    *("--set", "postgres.dagster.existingSecret.name=one"),
    *("--set", "postgres.history.existingSecret.name=two"),
)
S3 = (
    *("--set", "backup.target=s3", "--set", "backup.s3.bucket=backups"),
    *("--set", "backup.s3.existingSecret.name=key", "--set", "backup.s3.endpoint=http://s3:7070"),
)
INGRESS = (
    *("--set", "ingress.enabled=true", "--set", "ingress.host=tests.example"),
    *("--set", "ingress.authentication.kind=other", "--set", "ingress.tls.secretName=tls"),
)
ALL = (
    *("--set", "namespacePerRun.enabled=true", "--set", "nodes.readable=true"),
    *("--set", "resourceQuota.enabled=true", *INGRESS),
)
FORMS = [
    pytest.param((), id="default"),
    pytest.param(OUTSIDE, id="postgres-outside"),
    pytest.param(S3, id="backups-in-s3"),
    pytest.param(ALL, id="all"),
]


@pytest.fixture(scope="module")
def chart(render: Render) -> Render:
    def of(*arguments: str) -> list[Manifest]:
        return render("floe-tests", *arguments, release="floe-tests", namespace="floe-tests")

    return of


@pytest.fixture(scope="module", params=FORMS)
def manifests(request: pytest.FixtureRequest, chart: Render) -> list[Manifest]:
    return chart(*request.param)


@pytest.fixture(scope="module")
def default(chart: Render) -> list[Manifest]:
    return chart()


def every_pod(manifests: list[Manifest]) -> list[tuple[str, Manifest]]:
    found = list(pod_specs(manifests))
    for each in of_kind(manifests, "CronJob"):
        spec = each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        found.append((f"CronJob/{each['metadata']['name']}", spec))
    return found


def every_container(manifests: list[Manifest]) -> list[tuple[str, Manifest]]:
    return [
        (f"{name}/{each['name']}", each)
        for name, spec in every_pod(manifests)
        for each in [*spec.get("initContainers", []), *spec["containers"]]
    ]


def instance_of(manifests: list[Manifest]) -> Manifest:
    return yaml.safe_load(named(manifests, "ConfigMap", "floe-tests")["data"]["dagster.yaml"])


def launched(manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch, **tags: str) -> Any:
    """The Job that K8sRunLauncher would create for a run, without a cluster."""
    import kubernetes
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import construct_dagster_k8s_job
    from dagster_k8s.launcher import K8sRunLauncher

    monkeypatch.setattr("dagster_k8s.launcher.load_kubernetes_config", lambda **_: None)
    config = instance_of(manifests)["run_launcher"]["config"]
    from dagster._config import process_config

    checked = process_config(K8sRunLauncher.config_type(), config)
    assert checked.success, checked.errors
    launcher = K8sRunLauncher(**checked.value)
    run = dg.DagsterRun(job_name="unit", run_id="1" * 36, tags=tags)
    context = K8sContainerContext.create_for_run(run, launcher, include_run_tags=True)
    job = construct_dagster_k8s_job(
        job_config=context.get_k8s_job_config(None, launcher),
        args=["dagster", "api", "execute_run"],
        job_name="dagster-run-1",
        user_defined_k8s_config=context.run_k8s_config,
    )
    return kubernetes.client.ApiClient().sanitize_for_serialization(job)


# The pods


def test_every_pod_passes_pod_security_restricted_with_a_read_only_root(
    manifests: list[Manifest],
) -> None:
    for name, spec in every_pod(manifests):
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
    for name, container in every_container(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"requests", "limits"} <= set(container["resources"]), name


def test_daemon_code_and_runs_alone_have_a_token(manifests: list[Manifest]) -> None:
    tokens = {
        name: spec["serviceAccountName"]
        for name, spec in every_pod(manifests)
        if spec["automountServiceAccountToken"]
    }

    assert tokens == {
        "Deployment/dagster-daemon": "floe-tests-daemon",
        "Deployment/dagster-code": "floe-tests-code",
    }
    accounts = {spec["serviceAccountName"] for _, spec in every_pod(manifests)}
    assert accounts == {"floe-tests-daemon", "floe-tests-code", "floe-tests-none"}


def test_no_role_is_given_to_the_account_of_those_who_need_none(
    manifests: list[Manifest],
) -> None:
    subjects = [
        subject["name"]
        for kind in ("RoleBinding", "ClusterRoleBinding")
        for each in of_kind(manifests, kind)
        for subject in each["subjects"]
    ]

    assert "floe-tests-none" not in subjects
    assert set(subjects) == {"floe-tests-daemon", "floe-tests-code", "floe-tests-run"}


def test_every_image_has_the_prefix(chart: Render) -> None:
    found = chart("--set", "global.imageRegistryPrefix=mirror:5000/")

    images = [container["image"] for _, container in every_container(found)]
    images.append(instance_of(found)["run_launcher"]["config"]["job_image"])
    assert all(image.startswith("mirror:5000/") for image in images)
    environment = named(found, "ConfigMap", "floe-tests-environment")["data"]
    assert environment["IMAGE_REGISTRY_PREFIX"] == "mirror:5000/"


def test_roles_that_serve_have_probes(manifests: list[Manifest]) -> None:
    for kind in ("Deployment", "StatefulSet"):
        for each in of_kind(manifests, kind):
            container = each["spec"]["template"]["spec"]["containers"][0]
            wanted = {"startupProbe", "livenessProbe"}
            if each["metadata"]["name"] != "dagster-daemon":
                wanted.add("readinessProbe")
            assert wanted <= set(container), each["metadata"]["name"]


# Dagster's configuration


def test_dagster_takes_the_rendered_configuration(
    manifests: list[Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster._core.instance.ref import InstanceRef

    monkeypatch.setenv("DAGSTER_PG_HOST", "postgres")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(instance_of(manifests)))

    found = InstanceRef.from_dir(str(tmp_path))

    assert found.run_launcher_data is not None
    assert found.run_launcher_data.class_name == "K8sRunLauncher"
    assert found.settings["run_monitoring"]["max_resume_run_attempts"] == 3


def test_the_webserver_needs_no_account_to_load_its_instance(
    manifests: list[Manifest], tmp_path: Path
) -> None:
    """K8sRunLauncher looks for a token when it is loaded, and there is none in that pod."""
    data = named(manifests, "ConfigMap", "floe-tests")["data"]
    own = yaml.safe_load(data["webserver.dagster.yaml"])
    other = instance_of(manifests)
    del other["run_launcher"]
    del other["run_monitoring"]["max_resume_run_attempts"]
    assert own == other
    # As the webserver opens it, but for the database that is not here.
    del own["storage"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(own))
    instance = dg.DagsterInstance.from_config(str(tmp_path))
    assert type(instance.run_launcher).__name__ == "DefaultRunLauncher"
    container = named(manifests, "Deployment", "dagster-webserver")["spec"]["template"]["spec"][
        "containers"
    ][0]
    mounted = {each["mountPath"]: each.get("subPath") for each in container["volumeMounts"]}
    assert mounted["/var/lib/floe-tests/home/dagster.yaml"] == "webserver.dagster.yaml"


def test_runs_are_limited_on_a_cluster_as_on_a_laptop(default: list[Manifest]) -> None:
    laptop = yaml.safe_load((ROOT / "dagster_home" / "dagster.yaml").read_text())

    here = instance_of(default)["concurrency"]["runs"]["tag_concurrency_limits"]
    for limit in laptop["concurrency"]["runs"]["tag_concurrency_limits"]:
        assert limit in here


def test_no_password_stands_in_a_configuration(manifests: list[Manifest]) -> None:
    secrets = [
        base64.b64decode(value).decode()
        for each in of_kind(manifests, "Secret")
        for value in each["data"].values()
    ]
    text = yaml.safe_dump([each for each in manifests if each["kind"] != "Secret"])

    assert not [secret for secret in secrets if secret in text]
    address = named(manifests, "ConfigMap", "floe-tests-environment")["data"]["FLOE_TESTS_HISTORY"]
    assert "connect_timeout=5" in address
    assert "tcp_user_timeout=15000" in address


# The pods of runs


def test_a_run_is_a_restricted_pod_with_state_and_secrets_by_reference(
    manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = launched(manifests, monkeypatch)

    pod = job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["serviceAccountName"] == "floe-tests-run"
    assert pod["automountServiceAccountToken"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["terminationGracePeriodSeconds"] == 300
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]["memory"] == "1Gi"
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    assert mounts["/var/lib/floe-tests/home/floe-tests"]["subPath"] == "ledger"
    assert mounts["/var/lib/floe-tests/output"]["subPath"] == "output"
    assert "/var/lib/floe-tests/home/dagster.yaml" in mounts
    environment = {each["name"]: each for each in container["env"]}
    assert environment["DAGSTER_PG_PASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "password"
    assert environment["PGPASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "password"
    assert container["envFrom"] == [{"configMapRef": {"name": "floe-tests-environment"}}]
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "run"
    assert labels["app.kubernetes.io/instance"] == "floe-tests"


@pytest.mark.parametrize(
    "config",
    [
        '{"pod_spec_config": {"service_account_name": "floe-tests-daemon"}}',
        '{"container_config": {"image": "somebody/else"}}',
        '{"container_config": {"env_from": [{"secret_ref": {"name": "floe-tests-postgres"}}]}}',
        '{"pod_spec_config": {"volumes": [{"name": "s", "secret": {"secret_name": "x"}}]}}',
    ],
)
def test_a_tag_of_a_run_chooses_neither_account_nor_image_nor_secrets(
    default: list[Manifest], monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    """Whoever reaches the UI may give a run tags."""
    with pytest.raises(Exception, match="violated the allowed list"):
        launched(default, monkeypatch, **{"dagster-k8s/config": config})


def test_a_tag_of_a_run_may_ask_for_more_memory(
    default: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = '{"container_config": {"resources": {"limits": {"memory": "3Gi"}}}}'

    job = launched(default, monkeypatch, **{"dagster-k8s/config": config})

    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == "3Gi"


def test_a_volume_of_one_node_keeps_its_pods_there(
    chart: Render, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, many = chart(), chart("--set", "state.volume.accessModes={ReadWriteMany}")

    for name in ("dagster-code", "floe-tests-reports"):
        assert "affinity" in named(one, "Deployment", name)["spec"]["template"]["spec"]
        assert "affinity" not in named(many, "Deployment", name)["spec"]["template"]["spec"]
    run = launched(one, monkeypatch)["spec"]["template"]
    affinity = run["spec"]["affinity"]["podAffinity"]
    wanted = affinity["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]
    assert wanted["matchLabels"].items() <= run["metadata"]["labels"].items()
    assert "affinity" not in launched(many, monkeypatch)["spec"]["template"]["spec"]


# Who reaches whom


def opened(manifests: list[Manifest], direction: str) -> dict[str, set[int]]:
    """Which ports are open from (egress) or to (ingress) each role, DNS left out."""
    found: dict[str, set[int]] = {}
    for policy in of_kind(manifests, "NetworkPolicy"):
        spec = policy["spec"]
        chosen = spec["podSelector"].get("matchExpressions", [])
        roles = chosen[0]["values"] if chosen else []
        ports = {port["port"] for rule in spec.get(direction, []) for port in rule.get("ports", [])}
        for role in roles if ports else ():
            found.setdefault(role, set()).update(ports)
    return found


def test_everything_is_denied_but_what_a_role_needs(default: list[Manifest]) -> None:
    denied = named(default, "NetworkPolicy", "floe-tests-default-deny")["spec"]
    assert denied["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in denied
    assert "egress" not in denied

    assert opened(default, "egress") == {
        "webserver": {5432, 4000},
        "daemon": {5432, 4000, 443, 6443},
        "code": {5432, 443, 6443},
        "run": {5432, 443, 6443},
        "migration": {5432},
        "backup": {5432},
        "helm-test": {3000, 3001},
    }
    assert opened(default, "ingress") == {
        "webserver": {3000},
        "code": {4000},
        "reports": {3001},
        "postgres": {5432},
    }


def test_backups_reach_their_bucket_and_nobody_else_does(chart: Render) -> None:
    found = opened(chart(*S3), "egress")

    assert {role for role, ports in found.items() if 7070 in ports} == {"backup"}


# Credentials, volumes


def test_secrets_stay_with_the_volume_that_they_open(chart: Render) -> None:
    def kept(manifests: list[Manifest]) -> set[str]:
        return {
            each["metadata"]["name"]
            for each in manifests
            if "helm.sh/resource-policy" in each["metadata"].get("annotations", {})
        }

    database = {"floe-tests-postgres", "floe-tests-postgres-dagster", "floe-tests-postgres-history"}
    assert kept(chart()) == {*database, "floe-tests-state"}
    assert kept(chart("--set", "postgres.volume.keep=false")) == {"floe-tests-state"}


def test_a_server_outside_needs_no_secret_of_the_chart(chart: Render) -> None:
    found = chart(*OUTSIDE)

    assert of_kind(found, "Secret") == []
    assert of_kind(found, "StatefulSet") == []
    environment = named(found, "ConfigMap", "floe-tests-environment")["data"]
    assert "db.example:5432" in environment["FLOE_TESTS_HISTORY"]


def test_a_tier_of_the_values_is_where_dagster_looks(chart: Render, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"tiers": {"small": {"defs": "a: 1\n", "job": "b: 2\n"}}}))

    found = chart("--values", str(values))

    data = named(found, "ConfigMap", "floe-tests-tiers")["data"]
    assert yaml.safe_load(data["small.defs.yaml"]) == {"a": 1}
    mounts = named(found, "Deployment", "dagster-code")["spec"]["template"]["spec"]["containers"][
        0
    ]["volumeMounts"]
    assert "/opt/floe-tests/floe_tests/defs/small/defs.yaml" in {
        each["mountPath"] for each in mounts
    }


# What is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (INGRESS[:4], "Dagster has no authentication of its own"),
        ((*INGRESS[:4], "--set", "ingress.authentication.kind=none"), "kind"),
        ((*INGRESS[:6],), "ingress.tls.secretName is empty"),
        (
            (*INGRESS, "--set", "ingress.authentication.kind=oauth2-proxy"),
            "authUrl or signInUrl is empty",
        ),
        (OUTSIDE[:2], "postgres.host is empty"),
        (OUTSIDE[:4], "kubectl -n floe-tests create secret"),
        (("--set", "postgres.host=db.example"), "postgres.deploy is true"),
        (("--set", "postgres.history.database=dagster"), "both dagster"),
        (S3[:2], "backup.s3.bucket is empty"),
        (("--set", "platforms[0].namespace=floe-tests"), "the namespace of this release"),
        (("--set", "image.tag=latest"), "image"),
        (("--set", "runs.maxConcurent=3"), "maxConcurent"),
    ],
)
def test_values_that_do_not_fit_are_refused_with_the_remedy(
    chart: Render, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Exception, match=said):
        chart(*arguments)


def test_the_fence_needs_a_cluster_that_has_it(chart: Render) -> None:
    with pytest.raises(Exception, match=r"needs 1\.30"):
        chart("--set", "namespacePerRun.enabled=true", "--kube-version", "1.29.0")


def test_an_ingress_asks_oauth2_proxy(chart: Render) -> None:
    found = chart(
        *INGRESS,
        *("--set", "ingress.authentication.kind=oauth2-proxy"),
        *("--set", "ingress.authentication.authUrl=https://auth.example/oauth2/auth"),
        *("--set", "ingress.authentication.signInUrl=https://auth.example/oauth2/start"),
    )

    ingress = named(found, "Ingress", "floe-tests")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/auth-url"] == "https://auth.example/oauth2/auth"
    paths = ingress["spec"]["rules"][0]["http"]["paths"]
    assert {each["path"]: each["backend"]["service"]["name"] for each in paths} == {
        "/": "dagster-webserver",
        "/reports": "floe-tests-reports",
    }
    environment = named(found, "ConfigMap", "floe-tests-environment")["data"]
    assert environment["FLOE_TESTS_OUTPUT_URL"] == "https://tests.example/reports/"
