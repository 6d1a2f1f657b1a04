"""Whose fault a red run is, asked of a real cluster: one small suite a cause."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.errors import PlatformError
from floe_tests.publish import publish
from floe_tests.results import junit
from floe_tests.results.history import History

from .conftest import job

if TYPE_CHECKING:
    from .conftest import SmallTier

GREEN = """
    import pytest
    @pytest.mark.parametrize("number", range(20))
    def test_number(number):
        assert number >= 0
    @pytest.mark.skip(reason="not here")
    def test_skipped(): pass
"""


def _causes(published: object) -> str:
    return " | ".join(str(item) for item in published.verdict.evidence)  # type: ignore[attr-defined]


def test_a_green_suite_passes_with_the_counts_that_the_pod_saw(small_tier: SmallTier) -> None:
    published = small_tier.run(job(GREEN))

    assert published.verdict.cause == "PASS", _causes(published)
    received = published.directory / "suite-1" / "results" / "junit.xml"
    assert [case.name for case in junit.read(published.junit)] == [
        case.name for case in junit.read(received)
    ]
    tally = published.suites[0].results.tally
    assert (tally.tests, tally.passed, tally.skipped) == (21, 20, 1)
    with History.open(f"sqlite:///{small_tier.root / 'history.db'}") as history:
        remembered = history.run(run_id=published.run_id)
    assert remembered is not None
    assert (remembered.cause, remembered.suites[0].tally.tests) == ("PASS", 21)


def test_a_failing_test_is_named_and_blamed(small_tier: SmallTier) -> None:
    published = small_tier.run(
        job("def test_good(): pass\ndef test_bad(): assert 1 == 2, 'one is not two'")
    )

    assert published.verdict.cause == "TEST_FAILURE"
    assert published.verdict.fault == "test"
    failing = [case for case in published.suites[0].results.cases if case.outcome.is_failing]
    assert [case.name for case in failing] == ["test_suite::test_bad"]
    assert "one is not two" in failing[0].message


def test_a_suite_that_runs_out_of_memory_keeps_what_it_reported(small_tier: SmallTier) -> None:
    code = """
        def test_before(): pass
        def test_eats_memory():
            hoard = []
            while True: hoard.append(bytearray(8 * 1024 * 1024))
    """
    limits = {"requests": {"memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}
    published = small_tier.run(job(code, resources=limits))

    assert published.verdict.cause == "RESOURCE_OOM", _causes(published)
    assert "OOMKilled" in _causes(published)
    assert "test_eats_memory" in _causes(published)
    reported = {case.name for case in published.suites[0].results.cases}
    assert "test_suite::test_before" in reported


def test_a_suite_that_hangs_is_ended_and_the_hanging_test_named(small_tier: SmallTier) -> None:
    code = """
        import threading
        def test_before(): pass
        def test_hangs(): threading.Event().wait()
    """
    published = small_tier.run(
        job(code), deadlines={"tests_seconds": 8, "pod_seconds": 40, "job_seconds": 120}
    )

    assert published.verdict.cause == "TEST_TIMEOUT", _causes(published)
    assert "test_hangs" in _causes(published)
    stacks = published.directory / "suite-1" / "results" / "timeout-stacks.txt"
    assert "test_hangs" in stacks.read_text()


def test_a_program_that_ignores_its_timeout_is_stopped_from_outside(small_tier: SmallTier) -> None:
    manifest = job("", command=["python", "-c", "import threading; threading.Event().wait()"])
    published = small_tier.run(
        manifest, deadlines={"tests_seconds": 3, "pod_seconds": 60, "job_seconds": 120}
    )

    assert published.verdict.cause == "TEST_TIMEOUT", _causes(published)


def test_an_image_that_cannot_be_pulled_is_the_infrastructures_fault(small_tier: SmallTier) -> None:
    published = small_tier.run(
        job(GREEN, image="ghcr.io/floe/no-such-image:9.9.9"),
        deadlines={
            "image_seconds": 5,
            "tests_seconds": 60,
            "pod_seconds": 80,
            "job_seconds": 200,
        },
    )

    assert published.verdict.cause == "INFRA_IMAGE", _causes(published)
    assert "no-such-image:9.9.9" in _causes(published)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"image": "NOT A NAME"}, "InvalidImageName", id="image name invalid"),
        pytest.param(
            {"envFrom": [{"configMapRef": {"name": "absent"}}]}, "absent", id="ConfigMap missing"
        ),
        pytest.param({"command": ["/no/such/program"]}, "/no/such/program", id="command missing"),
        pytest.param(
            {"securityContext": {"privileged": True}}, "PodSecurity", id="refused by Pod Security"
        ),
    ],
)
def test_a_pod_that_can_never_run_is_a_mistake_of_configuration(
    small_tier: SmallTier, changes: dict[str, object], named: str
) -> None:
    published = small_tier.run(job(GREEN, **changes))

    assert published.verdict.cause == "CONFIG", _causes(published)
    assert named in _causes(published)


def test_a_pod_that_no_node_takes_is_a_lack_of_capacity(small_tier: SmallTier) -> None:
    published = small_tier.run(
        job(GREEN, nodeSelector={"floe-tests/no-such-node": "true"}),
        deadlines={"start_seconds": 6, "tests_seconds": 60, "pod_seconds": 80, "job_seconds": 200},
    )

    assert published.verdict.cause == "INFRA_CAPACITY", _causes(published)
    assert "node" in _causes(published)


def test_a_suite_without_tests_is_not_green(small_tier: SmallTier) -> None:
    assert small_tier.run(job("")).verdict.cause == "NO_TESTS"


def test_an_exit_code_of_0_without_results_is_not_green(small_tier: SmallTier) -> None:
    published = small_tier.run(job("", command=["true"]))

    assert published.verdict.cause == "RESULT_LOST", _causes(published)


def test_a_green_junit_with_fewer_tests_than_collected_is_not_green(small_tier: SmallTier) -> None:
    code = """
        import os
        def test_first(): pass
        def test_leaves(): os._exit(0)
        def test_never_runs(): pass
    """
    published = small_tier.run(job(code))

    assert published.verdict.cause == "RESULT_LOST", _causes(published)
    assert "1 of 3 collected tests were reported" in _causes(published)
    assert "test_leaves" in _causes(published)


def test_a_platform_that_crashes_is_named_with_its_log(
    small_tier: SmallTier, tmp_path: Path
) -> None:
    chart = tmp_path / "project" / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: broken\nversion: 0.1.0\n")
    (chart / "templates" / "engine.yaml").write_text(BROKEN_CHART)
    run = small_tier.prepare(
        job(GREEN), releases=[{"name": "broken", "chart": "chart", "ready_seconds": 90}]
    )
    try:
        with run.stage("cluster"):
            run.acquire(environment=None, keep=None)
        with pytest.raises(PlatformError, match="engine did not come up"), run.stage("platform"):
            run.install()
        published = publish(run)
    finally:
        run.give_back()

    assert published.verdict.cause == "PLATFORM_FAIL"
    assert "the engine lost its key" in _causes(published)
    assert [case.name for case in junit.read(published.junit)] == [
        "floe_tests.small::PLATFORM_FAIL"
    ]


def test_two_runs_beside_each_other_keep_to_their_own_namespaces(small_tier: SmallTier) -> None:
    other = type(small_tier)(small_tier.root.parent / "other", small_tier.kubeconfig)
    first = small_tier.prepare(job(GREEN))
    second = other.prepare(job("def test_bad(): assert False"))
    try:
        leases = []
        for run in (first, second):
            with run.stage("cluster"):
                leases.append(run.acquire(environment=None, keep=None))
        verdicts = []
        for run in (second, first):
            with run.stage("test_job"):
                run.run_suites()
            verdicts.append(str(publish(run).verdict.cause))
            run.give_back()
    finally:
        for run in (first, second):
            run.give_back()

    assert all(a.namespace != b.namespace for a, b in itertools.combinations(leases, 2))
    assert verdicts == ["TEST_FAILURE", "PASS"]


BROKEN_CHART = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: engine
  labels: {app.kubernetes.io/instance: broken, app.kubernetes.io/component: engine}
spec:
  selector: {matchLabels: {app: engine}}
  template:
    metadata:
      labels: {app: engine, app.kubernetes.io/instance: broken, app.kubernetes.io/component: engine}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: engine
          {{- $prefix := (.Values.global | default dict).imageRegistryPrefix | default "" }}
          image: {{ $prefix }}ghcr.io/floe/test-runner:0.1.0
          command: [sh, -c, "echo the engine lost its key >&2; exit 7"]
          resources: {limits: {cpu: 100m, memory: 64Mi}}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
