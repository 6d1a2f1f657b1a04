"""What becomes of a suite in one pod, by what its cluster says: the state machine from outside."""

from __future__ import annotations

import _thread
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from floe_tests.core.labels import CANCELLED_ANNOTATION
from floe_tests.execution.manifest import EXPORTER
from floe_tests.execution.resume import Resume
from tests.support.pod_cluster import Json, PodCluster, ended, running, state, waiting, whole_pod

from .conftest import JOB, NAME, RUN, Runs

POD = f"{NAME}-abcde"
WITH_INIT = JOB.replace(
    "      containers:",
    "      initContainers: [{name: migrate, image: 'team/migrate:1'}]\n      containers:",
)
WITH_SERVICE = JOB.replace(
    "      containers:", "      containers:\n        - {name: broker, image: 'team/broker:1'}"
)
NOT_YET = [waiting("tests")]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than on a cluster."""
    for module in ("job_run", "suite_run"):
        monkeypatch.setattr(f"floe_tests.execution.{module}.WAKE_SECONDS", 0.05)
    monkeypatch.setattr("floe_tests.execution.arrival.EVENT_SECONDS", 0.05)
    monkeypatch.setattr("floe_tests.execution.arrival.REFUSED_SECONDS", 0.1)
    monkeypatch.setattr("floe_tests.execution.arrival.UNANSWERED_SECONDS", 0.3)
    monkeypatch.setattr("floe_tests.execution.start.REFUSED_SECONDS", 0.1)


# --- Its own end


@pytest.mark.parametrize(("code", "cause"), [(0, "PASS"), (1, "TEST_FAILURE")])
def test_a_suite_is_judged_by_its_results(
    runs: Runs, cluster: PodCluster, passing: bytes, failing: bytes, code: int, cause: str
) -> None:
    cluster.logs[POD, EXPORTER] = failing if code else passing
    cluster.logs[POD, "tests"] = b"what pytest said\n"
    cluster.on_job = lambda job: cluster.pod(job, **whole_pod(code))

    attempt = runs.run()

    assert attempt.verdict.cause == cause
    assert (attempt.facts.results.passed, attempt.facts.results.failed) == (2 - code, code)
    assert (attempt.directory / "pod.log").read_text() == "what pytest said\n"


def test_tests_that_do_not_end_are_stopped_by_their_deadline(
    runs: Runs, cluster: PodCluster
) -> None:
    runs.advance_at("tests started", seconds=250)
    cluster.on_job = lambda job: cluster.pod(
        job, phase="Running", containerStatuses=[running("tests")]
    )

    attempt = runs.run(tests_seconds=240)

    assert attempt.verdict.cause == "TEST_TIMEOUT"
    assert attempt.facts.passed_deadline == "tests"
    assert attempt.facts.pod is not None
    assert not attempt.facts.pod.vanished, "this run has asked for it"
    assert ("DELETE", "pods") in cluster.requests


def test_a_pod_that_somebody_deletes_is_the_infrastructures(
    runs: Runs, cluster: PodCluster
) -> None:
    cluster.on_job = lambda job: cluster.pod(
        job, phase="Running", containerStatuses=[running("tests")]
    )
    runs.on_line = lambda line: cluster.drop("pods", POD) if "tests started" in line else None

    attempt = runs.run()

    assert attempt.verdict.cause == "INFRA_NODE"
    assert attempt.verdict.retries > 0


def test_a_pod_in_place_of_the_first_is_another_attempt(
    runs: Runs, cluster: PodCluster, passing: bytes
) -> None:
    """A failure policy or a mended finalizer makes one in spite of backoffLimit 0."""
    cluster.logs[f"{NAME}-later", EXPORTER] = passing

    def replace(job: Json) -> None:
        lost: Json = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
        }
        cluster.pod(job, phase="Failed", conditions=[lost], containerStatuses=[ended("tests", 137)])
        cluster.pod(job, f"{NAME}-later", **whole_pod(0))

    cluster.on_job = replace

    attempt = runs.run()

    assert attempt.verdict.cause == "INFRA_DISRUPTED"
    assert attempt.facts.pod is not None
    assert attempt.facts.pod.name == POD
    assert attempt.facts.results.reported == 0


def test_a_lost_node_ends_the_wait_for_a_silent_pod(
    runs: Runs, cluster: PodCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown: Json = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
    cluster.put("nodes", "one", status={"conditions": [unknown]})
    cluster.on_job = lambda job: cluster.pod(
        job, phase="Running", containerStatuses=[running("tests")]
    )

    run = runs.make()
    attempt = run.run(record=lambda _: None)

    assert attempt.verdict.cause == "INFRA_NODE"
    assert "NodeStatusUnknown" in str(attempt.verdict)
    monkeypatch.setattr("floe_tests.execution.own_jobs.REMOVE_SECONDS", 5)
    run.remove()
    assert cluster.names("jobs") | cluster.names("pods") == set()


def test_a_job_that_removes_itself_at_once_takes_no_result_along(
    runs: Runs, cluster: PodCluster, passing: bytes
) -> None:
    """A policy of the cluster may set ttlSecondsAfterFinished to 0."""
    cluster.logs[POD, EXPORTER] = passing
    cluster.on_job = lambda job: cluster.pod(
        job,
        phase="Running",
        initContainerStatuses=[running(EXPORTER)],
        containerStatuses=[running("tests")],
    )

    def end(line: str) -> None:
        if "tests started" in line:
            cluster.status(POD, **whole_pod(0))
            cluster.drop("jobs", NAME)
            threading.Timer(0.3, lambda: cluster.drop("pods", POD)).start()

    runs.on_line = end

    assert runs.run().verdict.cause == "PASS"


# --- Containers beside the tests


def test_an_init_container_that_fails_ends_the_wait_with_its_last_words(
    runs: Runs, cluster: PodCluster
) -> None:
    cluster.logs[POD, "migrate"] = b"connecting\nmigration failed\n"
    cluster.on_job = lambda job: cluster.pod(
        job,
        phase="Failed",
        initContainerStatuses=[ended("migrate", 1), waiting(EXPORTER)],
        containerStatuses=NOT_YET,
    )

    attempt = runs.run(text=WITH_INIT)

    assert attempt.facts.pod is not None
    (init,) = attempt.facts.pod.init
    assert (init.name, init.exit_code) == ("migrate", 1)
    assert init.last_words == "connecting\nmigration failed"
    assert (
        attempt.directory / "init-migrate.log"
    ).read_bytes() == b"connecting\nmigration failed\n"
    assert attempt.facts.passed_deadline is None
    assert attempt.verdict.cause == "INIT_FAILED"


def test_an_init_container_that_never_ends_says_what_it_does(
    runs: Runs, cluster: PodCluster
) -> None:
    cluster.logs[POD, "migrate"] = b"waiting for the lock\n"
    cluster.on_job = lambda job: cluster.pod(
        job,
        initContainerStatuses=[running("migrate"), waiting(EXPORTER)],
        containerStatuses=NOT_YET,
    )

    runs.advance_at(f"pod/{POD} created", seconds=300)

    attempt = runs.run(text=WITH_INIT, start_seconds=300)

    assert attempt.facts.passed_deadline == "start"
    assert attempt.facts.pod is not None
    assert [(each.state, each.last_words) for each in attempt.facts.pod.init] == [
        ("running", "waiting for the lock")
    ]
    assert attempt.verdict.cause == "INIT_FAILED"
    assert attempt.verdict.retries == 0, "it would hang again"


@pytest.mark.parametrize(
    ("reason", "deadline"),
    [("ImagePullBackOff", "image"), ("InvalidImageName", None)],
    ids=["image missing", "configuration"],
)
def test_an_init_container_is_waited_for_as_the_tests_are(
    runs: Runs, cluster: PodCluster, reason: str, deadline: str | None
) -> None:
    cluster.on_job = lambda job: cluster.pod(
        job,
        initContainerStatuses=[waiting("migrate", reason), waiting(EXPORTER)],
        containerStatuses=NOT_YET,
    )

    attempt = runs.run(text=WITH_INIT, image_seconds=0.1)

    assert attempt.facts.passed_deadline == deadline
    assert attempt.facts.elapsed_seconds < 30


@pytest.mark.parametrize("beside", ["broker", "istio-proxy"], ids=["its own", "injected"])
def test_a_run_ends_with_its_tests_and_stops_what_runs_beside_them(
    runs: Runs, cluster: PodCluster, passing: bytes, beside: str
) -> None:
    cluster.logs[POD, EXPORTER] = passing
    cluster.logs[POD, beside] = b"ready\n"
    cluster.on_job = lambda job: cluster.pod(
        job,
        phase="Running",
        initContainerStatuses=[running(EXPORTER)],
        containerStatuses=[running(beside), ended("tests", 0)],
    )

    attempt = runs.run(text=WITH_SERVICE if beside == "broker" else JOB)

    assert attempt.verdict.cause == "PASS"
    assert cluster.names("pods") == set(), "nothing else would ever end it"
    assert (attempt.directory / f"container-{beside}.log").read_bytes() == b"ready\n"


def test_a_service_beside_the_tests_that_crashed_is_known_with_its_last_words(
    runs: Runs, cluster: PodCluster, failing: bytes
) -> None:
    cluster.logs[POD, EXPORTER] = failing
    cluster.logs[POD, "broker"] = b"out of disk\n"
    whole = whole_pod(1)
    whole["containerStatuses"].append(ended("broker", 3))
    cluster.on_job = lambda job: cluster.pod(job, **whole)

    attempt = runs.run(text=WITH_SERVICE)

    assert attempt.facts.pod is not None
    assert [(each.name, each.exit_code, each.last_words) for each in attempt.facts.pod.others] == [
        ("broker", 3, "out of disk")
    ]


# --- Held back


def kueue(job: Json) -> None:
    """Hold a Job back, as Kueue's webhook does."""
    job["spec"]["suspend"] = True
    job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "team-a"


def by_hand(job: Json) -> None:
    """Hold a Job back, as a controller does."""
    job["spec"]["suspend"] = True
    entry = {"manager": "batch-gate", "time": "2026", "fieldsV1": {"f:spec": {"f:suspend": {}}}}
    job["metadata"]["managedFields"] = [entry]


def by_another_controller(job: Json) -> None:
    """Have a Job's pods made by whoever names itself there: nobody, or in another cluster."""
    job["spec"]["managedBy"] = "kueue.x-k8s.io/multikueue"


@pytest.mark.parametrize(
    ("admit", "who"),
    [
        pytest.param(kueue, "queue team-a of Kueue", id="Kueue"),
        pytest.param(by_hand, "field manager batch-gate", id="a controller"),
        pytest.param(by_another_controller, "kueue.x-k8s.io/multikueue", id="managedBy"),
    ],
)
def test_a_suspended_job_waits_by_a_deadline_of_its_own(
    runs: Runs, cluster: PodCluster, admit: Any, who: str
) -> None:
    cluster.admit = admit
    runs.advance_at("is suspended: ", seconds=600)

    attempt = runs.run(queue_seconds=600, start_seconds=100)

    assert attempt.facts.passed_deadline == "queue"
    assert attempt.facts.suspended is not None
    assert who in attempt.facts.suspended
    assert any("is suspended: " in line and who in line for line in runs.log)


def test_the_start_counts_from_a_jobs_admission(
    runs: Runs, cluster: PodCluster, passing: bytes
) -> None:
    cluster.admit = kueue
    cluster.logs[POD, EXPORTER] = passing

    def let_go(line: str) -> None:
        if "is suspended: " in line:
            runs.clock.advance(400)
            admit()

    def admit() -> None:
        job = cluster.objects["jobs", NAME]
        cluster.change("jobs", NAME, spec={**job["spec"], "suspend": False})
        cluster.pod(job, **whole_pod(0))

    runs.on_line = let_go

    attempt = runs.run(start_seconds=300)

    assert attempt.verdict.cause == "PASS"
    assert attempt.facts.suspended is None


def test_a_job_that_its_queue_suspends_again_was_not_deleted_by_somebody(
    runs: Runs, cluster: PodCluster
) -> None:
    cluster.on_job = lambda job: cluster.pod(
        job, phase="Running", containerStatuses=[running("tests")]
    )

    def preempt(line: str) -> None:
        if "tests started" in line:
            job = cluster.objects["jobs", NAME]
            kueue(job)
            cluster.drop("pods", POD)

    runs.on_line = preempt

    attempt = runs.run()

    assert attempt.facts.suspended == "queue team-a of Kueue"
    assert attempt.verdict.cause == "INFRA_DISRUPTED"
    assert attempt.verdict.retries > 0


def test_a_pod_behind_a_scheduling_gate_waits_as_a_suspended_job_does(
    runs: Runs, cluster: PodCluster
) -> None:
    def gated(job: Json) -> None:
        pod = cluster.pod(job, containerStatuses=[])
        pod["spec"] = {**pod["spec"], "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}

    cluster.on_job = gated

    attempt = runs.run(queue_seconds=0.4, start_seconds=0.1)

    assert attempt.facts.passed_deadline == "queue"
    assert attempt.facts.suspended == "scheduling gate kueue.x-k8s.io/admission"


# --- Refused

WEBHOOK = (
    'Internal error occurred: failed calling webhook "validate.kyverno.svc-fail": failed to call '
    'webhook: Post "https://kyverno-svc.kyverno.svc:443/validate": no endpoints available'
)
GOING = (
    'pods "x" is forbidden: unable to create new content in namespace floe because it is being '
    "terminated"
)
DENIED = 'admission webhook "validate.kyverno.svc-fail" denied the request: no latest tag'
SECURITY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged'


@pytest.mark.parametrize("sharded", [False, True], ids=["one pod", "shards"])
@pytest.mark.parametrize("whose", ["job", "pods"])
@pytest.mark.parametrize(
    ("status", "message", "cause", "named"),
    [
        pytest.param(500, WEBHOOK, "INFRA_CLUSTER", "validate.kyverno.svc-fail", id="silent"),
        pytest.param(403, GOING, "INFRA_CLUSTER", "being terminated", id="terminating"),
        pytest.param(400, DENIED, "CONFIG", "no latest tag", id="denied"),
        pytest.param(403, SECURITY, "CONFIG", "PodSecurity", id="Pod Security"),
    ],
)
def test_a_refusal_is_blamed_on_who_is_at_fault(  # noqa: PLR0913 - a table
    runs: Runs,
    cluster: PodCluster,
    monkeypatch: pytest.MonkeyPatch,
    *,
    sharded: bool,
    whose: str,
    status: int,
    message: str,
    cause: str,
    named: str,
) -> None:
    monkeypatch.setattr("floe_tests.execution.sharding.sharded_run._API_SECONDS", 0)
    if whose == "job":
        cluster.denials["POST", "jobs"] = (status, message)
    else:
        cluster.on_job = lambda _job: cluster.event(
            NAME, "FailedCreate", f"Error creating: {message}"
        )

    attempt = runs.run_sharded() if sharded else runs.run()

    assert attempt.verdict.cause == cause
    assert named in " ".join(map(str, attempt.verdict.evidence))


def test_a_webhook_that_is_back_in_time_is_no_matter(
    runs: Runs, cluster: PodCluster, passing: bytes
) -> None:
    cluster.logs[POD, EXPORTER] = passing

    def late(job: Json) -> None:
        cluster.event(NAME, "FailedCreate", f"Error creating: {WEBHOOK}")
        threading.Timer(0.2, lambda: cluster.pod(job, **whole_pod(0))).start()

    cluster.on_job = late

    assert runs.run().verdict.cause == "PASS"


@pytest.mark.parametrize("sharded", [False, True], ids=["one pod", "shards"])
def test_a_job_that_somebody_deletes_before_its_pod_is_there(
    runs: Runs, cluster: PodCluster, *, sharded: bool
) -> None:
    cluster.on_job = lambda _job: cluster.drop("jobs", NAME)

    attempt = runs.run_sharded() if sharded else runs.run()

    assert attempt.verdict.cause == "INFRA_CLUSTER"
    assert "deleted by somebody else" in str(attempt.verdict)


# --- Cancelled, left, resumed


def interrupt(runs: Runs, words: str) -> None:
    """Interrupt the run, as a signal does, once it says something."""

    def now(line: str) -> None:
        if words in line:
            runs.on_line = lambda _line: None
            raise KeyboardInterrupt

    runs.on_line = now


def test_a_cancelled_run_says_why_on_its_job_and_takes_its_pod_along(
    runs: Runs, cluster: PodCluster
) -> None:
    cluster.on_job = lambda job: cluster.pod(
        job, phase="Running", containerStatuses=[running("tests")]
    )
    gone: list[Json] = []
    cluster.on_delete = lambda plural, item: gone.append(item) if plural == "jobs" else None
    interrupt(runs, "tests started")
    recorded: list[Any] = []

    with pytest.raises(KeyboardInterrupt):
        runs.make().run(record=recorded.append)

    assert recorded[0].verdict.cause == "CANCELLED"
    assert "interrupted" in gone[0]["metadata"]["annotations"][CANCELLED_ANNOTATION]
    assert cluster.names("jobs") | cluster.names("pods") == set()


def left_behind(runs: Runs, cluster: PodCluster, *, sharded: bool = False) -> None:
    """Have a process create the Job and die."""
    interrupt(runs, "created in")
    resume = Resume(is_possible=True, is_due=lambda: True)
    run = runs.make_sharded(resume=resume) if sharded else runs.make(resume=resume)
    with pytest.raises(KeyboardInterrupt):
        run.run(record=lambda _: None)
    cluster.requests.clear()


@pytest.mark.parametrize("sharded", [False, True], ids=["one pod", "shards"])
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param({"labels": {"floe-tests/run": "another"}}, "INFRA_CLUSTER", id="label"),
        pytest.param({"uid": "uid-of-another"}, "INFRA_CLUSTER", id="UID"),
    ],
)
def test_a_job_that_another_made_is_not_resumed(
    runs: Runs, cluster: PodCluster, change: Json, cause: str, *, sharded: bool
) -> None:
    left_behind(runs, cluster, sharded=sharded)
    job = cluster.objects["jobs", NAME]
    job["metadata"].update(change)
    resume = Resume(is_possible=True, is_begun=True)

    attempt = runs.run_sharded(resume=resume) if sharded else runs.run(resume=resume)

    assert attempt.verdict.cause == cause
    assert cluster.names("jobs") == {NAME}, "it is the other's"


@pytest.mark.parametrize("sharded", [False, True], ids=["one pod", "shards"])
def test_a_name_that_anothers_job_has_is_a_mistake(
    runs: Runs, cluster: PodCluster, *, sharded: bool
) -> None:
    cluster.put("jobs", NAME, metadata={"labels": {"floe-tests/run": "another"}}, spec={})

    attempt = runs.run_sharded() if sharded else runs.run()

    assert attempt.verdict.cause == "CONFIG"
    assert cluster.names("jobs") == {NAME}


def test_the_time_that_tests_have_had_counts_after_a_resume(
    runs: Runs, cluster: PodCluster
) -> None:
    left_behind(runs, cluster)
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    cluster.pod(
        cluster.objects["jobs", NAME],
        phase="Running",
        containerStatuses=[running("tests", since=before)],
    )

    attempt = runs.run(resume=Resume(is_possible=True, is_begun=True))

    assert attempt.verdict.cause == "TEST_TIMEOUT"
    assert attempt.facts.passed_deadline == "tests"


def test_what_a_pod_sent_before_a_resume_is_not_asked_for_twice(
    runs: Runs, cluster: PodCluster, passing: bytes
) -> None:
    """The pod has gone meanwhile with its log; the frames that had come are on the disk."""
    cluster.logs[POD, EXPORTER] = passing
    cluster.on_job = lambda job: cluster.pod(
        job,
        phase="Running",
        initContainerStatuses=[running(EXPORTER)],
        containerStatuses=[running("tests")],
    )

    def interrupt_soon(line: str) -> None:
        if line.startswith("[2"):
            runs.on_line = lambda _line: None
            threading.Timer(0.2, _thread.interrupt_main).start()

    runs.on_line = interrupt_soon
    with pytest.raises(KeyboardInterrupt):
        runs.make(resume=Resume(is_possible=True, is_due=lambda: True)).run(record=lambda _: None)
    del cluster.logs[POD, EXPORTER]
    cluster.drop("pods", POD)
    cluster.objects["jobs", NAME]["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}

    attempt = runs.run(resume=Resume(is_possible=True, is_begun=True))

    assert "its pod is gone" in str(attempt.verdict)
    assert attempt.facts.results.passed == 2


def test_what_is_removed_is_this_attempts_and_nobody_elses(runs: Runs, cluster: PodCluster) -> None:
    cluster.on_job = lambda job: cluster.pod(job, containerStatuses=[state("tests")])
    cluster.put("jobs", "anothers", metadata={"labels": {"floe-tests/run": "another"}}, spec={})
    cluster.put("pods", "anothers-x", metadata={"labels": {"floe-tests/run": "another"}})
    run = runs.make(start_seconds=0.1)
    run.run(record=lambda _: None)

    run.remove()

    assert cluster.names("jobs") == {"anothers"}
    assert cluster.names("pods") == {"anothers-x"}
    assert RUN[:8] in NAME
