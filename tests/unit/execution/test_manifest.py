"""From a suite's test-job.yaml to the Job of one attempt."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.config.environment import ExporterSettings
from floe_tests.config.test_job import load_template
from floe_tests.core import labels
from floe_tests.core.errors import ConfigurationError
from floe_tests.execution.manifest import (
    EXPORTER,
    GRACE_SECONDS,
    AttemptSpec,
    build_job,
    marker_expression,
    run_variables,
)

SHIPPED = Path(__file__).parents[3] / "tests" / "integration" / "test-job.yaml"

OWNER = labels.Owner(
    run_id="1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d",
    tier="integration",
    ref="refs/heads/main",
    commit="72c65fc",
    expires_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
)
REQUEST = AttemptSpec(
    owner=OWNER,
    suite="integration",
    attempt=2,
    namespace="floe-test-1a2b3c4d",
    provider="kind",
    image_registry_prefix="localhost:5001/",
    groups=(),
    excluded_groups=(),
    deadlines=DeadlineSettings(
        start_seconds=100, tests_seconds=200, pod_seconds=210, job_seconds=600
    ),
)

MINIMAL = """\
apiVersion: batch/v1
kind: Job
metadata: {name: tests, namespace: team}
spec:
  template:
    spec:
      initContainers:
        - {name: wait, image: example.com/wait:1, restartPolicy: Always}
      containers:
        - name: tests
          image: example.com/tests:1
          args: [run, --junitxml=/results/junit.xml]
          env:
            - {name: DAGSTER_HOST, value: dagster-webserver.team.svc.cluster.local}
            - {name: URL, value: "http://api.team.svc:8080/x"}
            - {name: SHARED_HOST, value: cache.shared.svc.cluster.local}
            - {name: LOOKS_LIKE, value: web.team.svcs.example.com}
            - {name: OTHER_TEAM, value: web.my-team.svc.cluster.local}
            - {name: FROM_POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: PYTEST_ADDOPTS, value: "-x"}
          volumeMounts: [{name: out, mountPath: /results/}]
      volumes: [{name: out, emptyDir: {}}]
"""


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    file = tmp_path / "test-job.yaml"
    file.write_text(MINIMAL)
    return file


def built(file: Path, **changes: Any) -> dict[str, Any]:
    return build_job(load_template(file), replace(REQUEST, **changes))


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]


def environment_of(job: dict[str, Any]) -> dict[str, Any]:
    entries = pod_of(job)["containers"][0]["env"]
    names = [entry["name"] for entry in entries]
    assert len(names) == len(set(names)), "Kubernetes takes the last of two, people read the first"
    return {entry["name"]: entry.get("value") for entry in entries}


def test_the_shipped_file_is_a_job_that_works_alone():
    template = load_template(SHIPPED)

    assert (template.namespace, template.container) == ("floe-test", "test-runner")
    assert template.results_volume == "results"
    assert template.document["metadata"]["name"] == "floe-integration-tests"
    assert template.document["spec"]["backoffLimit"] == 0
    assert template.document["spec"]["ttlSecondsAfterFinished"] == 3600


def test_the_file_is_read_and_never_changed():
    template = load_template(SHIPPED)
    before = copy.deepcopy(template.document)

    build_job(template, REQUEST)

    assert template.document == before


def test_the_job_has_a_name_of_its_own_in_the_runs_namespace():
    metadata = built(SHIPPED)["metadata"]

    assert (metadata["name"], metadata["namespace"]) == (
        "integration-1a2b3c4d-2",
        "floe-test-1a2b3c4d",
    )


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True), st.integers(1, 99))
def test_a_jobs_name_is_short_enough_for_the_label_that_its_pods_get(suite: str, attempt: int):
    name = replace(REQUEST, suite=suite, attempt=attempt).job_name

    assert len(f"{name}-x7k2p") <= 63
    assert name[0] != "-"
    assert "--1a2b3c4d" not in name


def test_job_and_pod_carry_the_runs_labels_beside_their_own():
    job = built(SHIPPED)

    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"].items() >= OWNER.labels().items()
        assert metadata["labels"][labels.SUITE] == "integration"
        assert metadata["labels"][labels.ATTEMPT] == "2"
        assert metadata["labels"]["app.kubernetes.io/name"] == "floe-integration-tests"
    assert job["spec"]["template"]["metadata"]["labels"][labels.ROLE] == "test-runner"


def test_a_pod_without_labels_gets_the_one_that_network_policies_open_to(minimal: Path):
    metadata = built(minimal)["spec"]["template"]["metadata"]

    assert metadata["labels"][labels.ROLE] == labels.ROLE_TEST_RUNNER


def test_hosts_of_the_files_own_namespace_move_into_the_runs(minimal: Path):
    environment = environment_of(built(minimal))

    assert environment["DAGSTER_HOST"] == "dagster-webserver.floe-test-1a2b3c4d.svc.cluster.local"
    assert environment["URL"] == "http://api.floe-test-1a2b3c4d.svc:8080/x"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHARED_HOST", "cache.shared.svc.cluster.local"),
        ("LOOKS_LIKE", "web.team.svcs.example.com"),
        ("OTHER_TEAM", "web.my-team.svc.cluster.local"),
        ("FROM_POD", None),
    ],
)
def test_everything_else_in_the_environment_stays(minimal: Path, name: str, value: str | None):
    assert environment_of(built(minimal))[name] == value


def test_the_shipped_files_hosts_are_the_runs_own():
    environment = environment_of(built(SHIPPED))

    assert environment["DAGSTER_HOST"] == "dagster-webserver.floe-test-1a2b3c4d.svc.cluster.local"
    assert environment["POLARIS_HOST"] == "polaris.floe-test-1a2b3c4d.svc.cluster.local"


def test_the_prefix_stands_before_every_image(minimal: Path):
    """An air-gapped node pulls nothing else: one image without it and the pod never starts."""
    pod = pod_of(built(minimal))

    images = [item["image"] for item in [*pod["initContainers"], *pod["containers"]]]
    assert images == [
        "localhost:5001/library/python:3.11-slim",  # runs the exporter
        "localhost:5001/example.com/wait:1",
        "localhost:5001/example.com/tests:1",
    ]


def test_without_a_prefix_images_keep_their_names(minimal: Path):
    pod = pod_of(built(minimal, image_registry_prefix=""))

    assert pod["containers"][0]["image"] == "example.com/tests:1"


def test_an_image_with_the_exporter_in_it_is_left_to_its_entry_point(minimal: Path):
    pod = pod_of(built(minimal, exporter=ExporterSettings(image="example.com/exporter:1")))

    exporter = pod["initContainers"][0]
    assert exporter["image"] == "localhost:5001/example.com/exporter:1"
    assert "command" not in exporter
    assert not any("configMap" in volume for volume in pod["volumes"])


def test_a_stock_image_gets_the_exporter_of_this_version_and_does_not_run_as_root(minimal: Path):
    document = yaml.safe_load(MINIMAL)
    document["spec"]["template"]["spec"].pop("securityContext", None)
    minimal.write_text(yaml.safe_dump(document))

    pod = pod_of(built(minimal, exporter=ExporterSettings(python_image="example.com/python:3.12")))

    exporter = pod["initContainers"][0]
    assert exporter["image"] == "localhost:5001/example.com/python:3.12"
    assert exporter["command"][-3:] == ["python", "-Iu", "/app"]
    assert exporter["securityContext"]["runAsUser"] == 1000
    (volume,) = (volume for volume in pod["volumes"] if "configMap" in volume)
    assert {item["path"] for item in volume["configMap"]["items"]} > {
        "__main__.py",
        "exporter/program.py",
    }


def test_the_exporter_is_a_native_sidecar_that_reads_results_and_may_nothing_else():
    exporter = pod_of(built(SHIPPED))["initContainers"][0]

    assert (exporter["name"], exporter["restartPolicy"]) == (EXPORTER, "Always")
    assert exporter["volumeMounts"] == [
        {"name": "results", "mountPath": "/results", "readOnly": True},
        # Which frame held what, for those that are asked for again.
        {"name": "floe-tests-exporter-state", "mountPath": "/state"},
        {"name": "floe-tests-exporter", "mountPath": "/app", "readOnly": True},
    ]
    security = exporter["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (security["readOnlyRootFilesystem"], security["runAsNonRoot"]) == (True, True)
    assert exporter["resources"]["limits"]["memory"]
    assert {"name": "FLOE_RUN_ID", "value": OWNER.run_id} in exporter["env"]


def test_the_exporter_runs_as_the_tests_user(minimal: Path):
    document = yaml.safe_load(MINIMAL)
    container = document["spec"]["template"]["spec"]["containers"][0]
    container["securityContext"] = {"runAsUser": 1234, "privileged": False}
    minimal.write_text(yaml.safe_dump(document))

    security = pod_of(built(minimal))["initContainers"][0]["securityContext"]

    assert security["runAsUser"] == 1234
    assert "privileged" not in security


def test_the_exporter_is_restricted_by_itself(minimal: Path):
    """Whoever writes all of it at the test container is not refused for the exporter."""
    document = yaml.safe_load(MINIMAL)
    pod = document["spec"]["template"]["spec"]
    pod.pop("securityContext", None)
    minimal.write_text(yaml.safe_dump(document))

    security = pod_of(built(minimal))["initContainers"][0]["securityContext"]

    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("place", ["pod", "container"])
def test_the_exporter_of_tests_that_run_as_root_may_read_as_root(minimal: Path, place: str):
    """`runAsNonRoot` beside user 0 is a pod that never starts."""
    document = yaml.safe_load(MINIMAL)
    pod = document["spec"]["template"]["spec"]
    (pod if place == "pod" else pod["containers"][0])["securityContext"] = {"runAsUser": 0}
    minimal.write_text(yaml.safe_dump(document))

    assert not pod_of(built(minimal))["initContainers"][0]["securityContext"]["runAsNonRoot"]


@pytest.mark.parametrize("file", ["shipped", "minimal"])
def test_each_deadline_is_inside_the_next(file: str, minimal: Path):
    job = built(SHIPPED if file == "shipped" else minimal)

    tests = float(environment_of(job)["FLOE_TESTS_TIMEOUT_SECONDS"])
    assert tests < pod_of(job)["activeDeadlineSeconds"] < job["spec"]["activeDeadlineSeconds"]


def test_a_job_is_never_retried_by_kubernetes(minimal: Path):
    job = built(minimal)

    assert (job["spec"]["backoffLimit"], pod_of(job)["restartPolicy"]) == (0, "Never")
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600


def test_the_exporter_has_time_to_send_the_rest(minimal: Path):
    assert pod_of(built(minimal))["terminationGracePeriodSeconds"] >= 40


@pytest.mark.parametrize(
    ("groups", "excluded", "expression"),
    [
        pytest.param((), (), "", id="all"),
        pytest.param(("smoke",), (), "smoke", id="one"),
        pytest.param(("smoke", "api"), (), "smoke or api", id="one of two"),
        pytest.param((), ("slow", "flaky"), "not slow and not flaky", id="without two"),
        pytest.param(("a", "b"), ("c",), "(a or b) and not c", id="both"),
    ],
)
def test_groups_become_pytests_marker_expression(
    groups: tuple[str, ...], excluded: tuple[str, ...], expression: str
):
    assert marker_expression(groups, excluded) == expression


def test_groups_are_added_to_the_files_own_options(minimal: Path):
    environment = environment_of(built(minimal, groups=("smoke",), excluded_groups=("slow",)))

    assert environment["PYTEST_ADDOPTS"] == '-x -m "(smoke) and not slow"'


def test_without_groups_the_files_own_options_stay(minimal: Path):
    assert environment_of(built(minimal))["PYTEST_ADDOPTS"] == "-x"


def test_a_program_learns_its_run_its_provider_and_its_time():
    assert run_variables(replace(REQUEST, environment=(("DAGSTER_PORT", "3000"),))) == {
        "FLOE_RUN_ID": OWNER.run_id,
        "FLOE_TESTS_PROVIDER": "kind",
        "FLOE_TESTS_TIMEOUT_SECONDS": "200",
        "DAGSTER_PORT": "3000",
    }


WRONG_FILES = {
    "no YAML": ("a: [", ["is no YAML"]),
    "empty": ("", ["holds 0 documents", "must hold one Job"]),
    "two documents": (f"{MINIMAL}---\n{MINIMAL}", ["holds 2 documents"]),
    "a list": ("- a\n", ["must hold one Job"]),
    "another kind": (
        MINIMAL.replace("kind: Job", "kind: CronJob"),
        ["kind: it is a batch/v1 CronJob. Write a batch/v1 Job"],
    ),
    "two containers with results": (
        MINIMAL.replace(
            "      volumes:",
            "        - name: b\n          image: b:1\n"
            "          volumeMounts: [{name: out, mountPath: /results}]\n      volumes:",
        ),
        ["containers: 2 of them mount", "kubectl.kubernetes.io/default-container"],
    ),
    "a second container without an image": (
        MINIMAL.replace("      volumes:", "        - {name: b}\n      volumes:"),
        ["containers[1].image: missing"],
    ),
    "several pods": (
        MINIMAL.replace("spec:\n  template", "spec:\n  completions: 3\n  template", 1),
        ["spec.completions: must be 1"],
    ),
    "an indexed job": (
        MINIMAL.replace("spec:\n  template", "spec:\n  completionMode: Indexed\n  template", 1),
        ["spec.completionMode"],
    ),
    "an annotation that names no container": (
        MINIMAL.replace(
            "  template:\n",
            "  template:\n    metadata:\n"
            "      annotations: {kubectl.kubernetes.io/default-container: none}\n",
            1,
        ),
        ["default-container names none", "containers are"],
    ),
    "no results volume": (
        MINIMAL.replace("/results/}", "/elsewhere}"),
        ["volumeMounts: no emptyDir at /results"],
    ),
    "results on a claim": (
        MINIMAL.replace("emptyDir: {}", "persistentVolumeClaim: {claimName: c}"),
        ["volumeMounts: no emptyDir at /results"],
    ),
    "a volume below the results": (
        MINIMAL.replace(
            "/results/}]", "/results/}, {name: b, mountPath: /results/junit2}]"
        ).replace("volumes: [", "volumes: [{name: b, emptyDir: {}}, "),
        ["containers[0].volumeMounts[1]: b at /results/junit2 is not seen", "would be lost"],
    ),
    "another container's own results": (
        MINIMAL.replace(
            "restartPolicy: Always}",
            "restartPolicy: Always, volumeMounts: [{name: b, mountPath: /results}]}",
        ).replace("volumes: [", "volumes: [{name: b, emptyDir: {}}, "),
        ["initContainers[0].volumeMounts[0]: b at /results is not seen"],
    ),
    "a part of the volume": (
        MINIMAL.replace("mountPath: /results/}", "mountPath: /results/, subPath: a}"),
        ["containers[0].volumeMounts[0]: out at /results/ (subPath a) is not seen"],
    ),
    "retries": (
        MINIMAL.replace("spec:\n  template", "spec:\n  backoffLimit: 3\n  template", 1),
        ["spec.backoffLimit: must be 0"],
    ),
    "several at once": (
        (
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\n"
            "spec: {backoffLimit: 6, template: {spec: {containers: [{env: []}]}}}\n"
        ),
        [
            "containers[0].name: missing",
            "containers[0].image: missing",
            "no emptyDir at /results",
            "backoffLimit: must be 0",
        ],
    ),
    "no spec": (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\n",
        ["containers: none"],
    ),
    "no metadata": (
        MINIMAL.replace("metadata: {name: tests, namespace: team}\n", ""),
        ["metadata"],
    ),
    "a spec that is a list": (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: []\n",
        ["containers: none"],
    ),
}


@pytest.mark.parametrize(("text", "words"), WRONG_FILES.values(), ids=WRONG_FILES.keys())
def test_a_wrong_file_is_refused_with_every_problem(tmp_path: Path, text: str, words: list[str]):
    file = tmp_path / "test-job.yaml"
    file.write_text(text)

    with pytest.raises(ConfigurationError) as raised:
        load_template(file)

    message = str(raised.value)
    assert str(file) in message
    assert [word for word in words if word not in message] == [], message


def test_a_missing_file_says_which_setting_names_it(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"does not exist\. A suite's `job` names"):
        load_template(tmp_path / "test-job.yaml")


def test_a_file_without_a_namespace_is_in_the_default_one(minimal: Path):
    minimal.write_text(MINIMAL.replace(", namespace: team", ""))

    assert load_template(minimal).namespace == "default"


BESIDE = """\
apiVersion: batch/v1
kind: Job
metadata: {name: tests}
spec:
  template:
    metadata: {}
    spec:
      containers:
        - {name: broker, image: example.com/broker:1, env: [{name: A, value: b}]}
        - name: tests
          image: example.com/tests:1
          command: [run]
          volumeMounts: [{name: out, mountPath: /results}]
        - name: reports
          image: example.com/reports:1
          command: [watch]
      volumes: [{name: out, emptyDir: {}}]
"""
TWO_WITH_RESULTS = BESIDE.replace(
    "command: [watch]",
    "command: [watch]\n          volumeMounts: [{name: out, mountPath: /results}]",
).replace(
    "metadata: {}", "metadata: {annotations: {kubectl.kubernetes.io/default-container: tests}}"
)


@pytest.mark.parametrize("text", [BESIDE, TWO_WITH_RESULTS], ids=["by its results", "by name"])
def test_of_several_containers_one_runs_the_tests(tmp_path: Path, text: str):
    file = tmp_path / "test-job.yaml"
    file.write_text(text)

    template = load_template(file)
    broker, tests, _ = pod_of(build_job(template, REQUEST))["containers"]

    assert template.container == "tests"
    assert template.results_volume == "out"
    assert template.test_container["image"] == "example.com/tests:1"
    assert broker["env"] == [{"name": "A", "value": "b"}]
    assert broker["image"] == "localhost:5001/example.com/broker:1"
    assert {"name": "FLOE_RUN_ID", "value": OWNER.run_id} in tests["env"]


@pytest.mark.parametrize(("own", "built_with"), [(0, 600), (7200, 7200), (None, 3600)])
def test_a_job_stays_until_its_results_are_read(tmp_path: Path, own: int | None, built_with: int):
    file = tmp_path / "test-job.yaml"
    line = "" if own is None else f"  ttlSecondsAfterFinished: {own}\n"
    file.write_text(MINIMAL.replace("  template:\n", f"{line}  template:\n", 1))

    assert built(file)["spec"]["ttlSecondsAfterFinished"] == built_with


def test_whether_there_is_another_attempt_is_the_verdicts_alone(tmp_path: Path):
    """With these the Job controller makes a pod again in spite of backoffLimit 0."""
    policies = (
        "  podReplacementPolicy: Failed\n"
        "  podFailurePolicy:\n"
        "    rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]\n"
    )
    file = tmp_path / "test-job.yaml"
    file.write_text(MINIMAL.replace("  template:\n", f"{policies}  template:\n", 1))

    spec = built(file)["spec"]

    assert {"podFailurePolicy", "podReplacementPolicy"}.isdisjoint(spec)
    assert spec["backoffLimit"] == 0


def test_the_exporter_starts_before_all_sidecars_and_so_ends_after_them(minimal: Path):
    pod = pod_of(built(minimal))

    assert [each["name"] for each in pod["initContainers"]] == [EXPORTER, "wait"]
    # One after the other they share the pod's grace: the sidecar's own and the exporter's.
    assert pod["terminationGracePeriodSeconds"] == 30 + GRACE_SECONDS
    own = "    spec:\n      terminationGracePeriodSeconds: 100\n      init"
    minimal.write_text(MINIMAL.replace("    spec:\n      init", own))
    assert pod_of(built(minimal))["terminationGracePeriodSeconds"] == 100 + GRACE_SECONDS
