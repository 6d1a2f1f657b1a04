"""What becomes of a suite in shards, by what its cluster says."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from floe_tests.core import labels
from floe_tests.core.verdict import Cause
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.manifest import EXPORTER
from floe_tests.execution.resume import Resume
from floe_tests.execution.sharding.job import INDEX_LABEL
from floe_tests.execution.verdict.rules import RULES
from tests.support.pod_cluster import (
    Json,
    PodCluster,
    ended,
    running,
    sent_by_exporter,
    waiting,
    whole_pod,
)

from ..conftest import JOB, NAME, Runs  # noqa: TID252 - suites are folders, not packages

RUNS: Json = {
    "phase": "Running",
    "initContainerStatuses": [running(EXPORTER)],
    "containerStatuses": [running("tests")],
}
STARTS: Json = {"containerStatuses": [waiting("tests", "ContainerCreating")]}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often than on a cluster."""
    for module in ("sharding.sharded_run", "suite_run"):
        monkeypatch.setattr(f"floe_tests.execution.{module}.WAKE_SECONDS", 0.05)
    monkeypatch.setattr("floe_tests.execution.sharding.sharded_run._API_SECONDS", 0)
    monkeypatch.setattr("floe_tests.execution.arrival.EVENT_SECONDS", 0.05)
    monkeypatch.setattr("floe_tests.execution.start.REFUSED_SECONDS", 0.1)


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return what three shards of a suite that passes send."""
    folder = tmp_path_factory.mktemp("parts")
    return [sent_by_exporter(folder / str(number), module=f"t{number}.py") for number in range(3)]


def pod_name(index: int) -> str:
    return f"{NAME}-{index}-abcde"


def give_logs(cluster: PodCluster, parts: Iterable[bytes], *, names: dict[int, str]) -> None:
    for index, sent in enumerate(parts):
        cluster.logs[names.get(index, pod_name(index)), EXPORTER] = sent


def attempts_of(attempt: Attempt, shard: int) -> list[str]:
    return [str(each.cause) for each in attempt.shards if each.shard == shard]


def passes_with(cluster: PodCluster, parts: list[bytes], *, but: dict[int, Json]) -> None:
    """Have every shard pass, and others be as they are given."""
    give_logs(cluster, parts, names={})

    def make(job: Json) -> None:
        for index in range(3):
            cluster.shard(job, index, **but.get(index, whole_pod(0)))

    cluster.on_job = make


def on_retry(cluster: PodCluster, status: Json, sent: bytes = b"") -> None:
    """Have the pod of a Job of a shard's own be as it is given."""
    first = cluster.on_job

    def make(job: Json) -> None:
        if labels.SHARD not in job["metadata"]["labels"]:
            first(job)
            return
        cluster.logs[f"{job['metadata']['name']}-abcde", EXPORTER] = sent
        cluster.pod(job, **status)

    cluster.on_job = make


def test_shards_that_pass_are_one_suite(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    passes_with(cluster, parts, but={})

    attempt = runs.run_sharded()

    assert attempt.verdict.cause == "PASS", str(attempt.verdict)
    assert attempt.facts.results.passed == 6


def test_a_pod_that_its_job_takes_back_before_it_ran_is_no_attempt(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    """So does a Job whose parallelism falls; it makes the pod again in its turn."""
    passes_with(cluster, parts, but={1: STARTS})
    cluster.logs[f"{NAME}-1-later", EXPORTER] = parts[1]

    def take_back() -> None:
        cluster.drop("pods", pod_name(1))
        job = cluster.objects["jobs", NAME]
        threading.Timer(
            0.3, lambda: cluster.shard(job, 1, f"{NAME}-1-later", **whole_pod(0))
        ).start()

    runs.on_line = lambda line: (
        threading.Timer(0.3, take_back).start() if "shards at once" in line else None
    )

    attempt = runs.run_sharded()

    assert attempt.verdict.cause == "PASS", str(attempt.verdict)
    assert [(each.shard, each.number) for each in attempt.shards] == [(0, 1), (1, 1), (2, 1)]


def test_a_pod_that_somebody_deleted_is_tried_again_once_its_job_has_counted_it(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    passes_with(cluster, parts, but={1: RUNS})
    on_retry(cluster, whole_pod(0), parts[1])
    del cluster.logs[pod_name(1), EXPORTER]

    def delete() -> None:
        cluster.drop("pods", pod_name(1))
        cluster.change("jobs", NAME, status={"failedIndexes": "1"})

    runs.on_line = lambda line: (
        threading.Timer(0.3, delete).start() if "shards at once" in line else None
    )

    attempt = runs.run_sharded()

    assert attempts_of(attempt, 1) == ["INFRA_NODE", "PASS"]
    assert attempt.verdict.cause == "PASS", str(attempt.verdict)


def test_a_shard_has_no_more_attempts_than_its_verdict_allows(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    lost: Json = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    evicted = {"phase": "Failed", "conditions": [lost], "containerStatuses": [ended("tests", 137)]}
    passes_with(cluster, parts, but={1: evicted})
    del cluster.logs[pod_name(1), EXPORTER]
    on_retry(cluster, evicted)

    attempt = runs.run_sharded()

    allowed = next(rule.retries for rule in RULES if rule.cause is Cause.INFRA_DISRUPTED)
    assert attempts_of(attempt, 1) == ["INFRA_DISRUPTED"] * (1 + allowed)


def test_a_pod_in_place_of_one_that_has_ended_is_no_attempt(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    """A failure policy or a mended finalizer makes one in spite of the Job's limits."""
    red = whole_pod(1)
    passes_with(cluster, parts, but={1: red})
    make = cluster.on_job
    cluster.logs[f"{NAME}-1-later", EXPORTER] = parts[1]

    def make_twice(job: Json) -> None:
        make(job)
        cluster.shard(job, 1, f"{NAME}-1-later", **whole_pod(0))

    cluster.on_job = make_twice

    attempt = runs.run_sharded()

    assert not attempt.verdict.passed
    assert [(each.shard, each.pod) for each in attempt.shards if each.shard == 1] == [
        (1, pod_name(1))
    ]


def test_what_would_befall_every_shard_is_not_tried_with_each(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    broken = {"containerStatuses": [waiting("tests", "InvalidImageName")]}
    passes_with(cluster, parts, but={0: STARTS, 1: STARTS, 2: broken})

    attempt = runs.run_sharded()

    assert attempt.verdict.cause == "CONFIG"
    assert "InvalidImageName" in " ".join(map(str, attempt.verdict.evidence))
    assert [each.shard for each in attempt.shards] == [2]
    assert cluster.names("jobs") == set()


def test_the_suites_deadline_ends_what_runs_and_names_what_never_did(
    runs: Runs, cluster: PodCluster
) -> None:
    cluster.on_job = lambda job: cluster.shard(
        job, 0, phase="Running", containerStatuses=[running("tests")]
    )

    attempt = runs.run_sharded(tests_seconds=0.3, pod_seconds=0.4, job_seconds=0.5)

    assert attempt.verdict.cause == "TEST_TIMEOUT"
    assert "job deadline of 0.5 s passed" in str(attempt.verdict)
    assert {each.shard for each in attempt.shards} == {0, 1, 2}
    assert cluster.names("pods") == set()


def test_a_pod_that_never_starts_is_given_up_and_takes_no_room(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    passes_with(cluster, parts, but={0: STARTS})
    on_retry(cluster, STARTS)
    runs.clock.rate = 100

    attempt = runs.run_sharded(start_seconds=30)

    assert attempts_of(attempt, 0) == ["INFRA_START", "INFRA_START"]
    assert pod_name(0) not in cluster.names("pods")


def left_after_two(runs: Runs, cluster: PodCluster, parts: list[bytes]) -> None:
    """Have an orchestrator die when two of three shards are judged."""
    passes_with(cluster, parts, but={2: RUNS})
    resume = Resume(is_possible=True, is_due=lambda: True)

    def interrupt(line: str) -> None:
        if "2 of 3 shards" in line:
            runs.on_line = lambda _line: None
            raise KeyboardInterrupt

    runs.on_line = interrupt
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("floe_tests.execution.sharding.sharded_run._PROGRESS_SECONDS", 0)
        with pytest.raises(KeyboardInterrupt):
            runs.make_sharded(resume=resume).run(record=lambda _: None)
    for index in (0, 1):
        del cluster.logs[pod_name(index), EXPORTER]
        cluster.drop("pods", pod_name(index))


def test_who_comes_after_a_killed_orchestrator_knows_what_was_judged(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    left_after_two(runs, cluster, parts)
    cluster.status(pod_name(2), **whole_pod(0))

    attempt = runs.run_sharded(resume=Resume(is_possible=True, is_begun=True))

    assert "already there: 2 of 3 shards have ended" in "\n".join(runs.log)
    assert attempt.verdict.cause == "PASS", str(attempt.verdict)
    assert [(each.shard, each.number) for each in attempt.shards] == [(0, 1), (1, 1), (2, 1)]


def test_what_was_judged_before_a_job_was_deleted_is_kept(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    left_after_two(runs, cluster, parts)
    cluster.drop("pods", pod_name(2))
    cluster.drop("jobs", NAME)

    attempt = runs.run_sharded(resume=Resume(is_possible=True, is_begun=True))

    assert attempt.verdict.cause == "INFRA_CLUSTER"
    assert "its pod is gone" in str(attempt.verdict)
    assert attempt.facts.results.passed == 6, "what had come of the third is kept too"
    assert not attempt.facts.results.complete


def test_the_time_that_a_shards_tests_have_had_counts_after_a_resume(
    runs: Runs, cluster: PodCluster
) -> None:
    before = (datetime.now(UTC) - timedelta(minutes=8)).isoformat()
    runs.on_line = lambda line: _raise() if "shards at once" in line else None
    with pytest.raises(KeyboardInterrupt):
        runs.make_sharded(resume=Resume(is_possible=True, is_due=lambda: True)).run(
            record=lambda _: None
        )
    runs.on_line = lambda _line: None
    job = cluster.objects["jobs", NAME]
    for index in range(3):
        cluster.shard(
            job, index, phase="Running", containerStatuses=[running("tests", since=before)]
        )

    attempt = runs.run_sharded(resume=Resume(is_possible=True, is_begun=True))

    assert attempt.verdict.cause == "TEST_TIMEOUT"
    assert [str(each.cause) for each in attempt.shards] == ["TEST_TIMEOUT"] * 3
    assert attempt.facts.passed_deadline == "tests"


def _raise() -> None:
    raise KeyboardInterrupt


def test_a_service_beside_a_shards_tests_gives_its_room_back(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    beside = JOB.replace(
        "      containers:", "      containers:\n        - {name: broker, image: 'team/broker:1'}"
    )
    company = {**RUNS, "containerStatuses": [running("broker"), ended("tests", 0)]}
    passes_with(cluster, parts, but=dict.fromkeys(range(3), company))

    attempt = runs.run_sharded(text=beside)

    assert attempt.verdict.cause == "PASS", str(attempt.verdict)
    job = cluster.objects["jobs", NAME]
    first, tests = job["spec"]["template"]["spec"]["containers"]
    assert first.get("env") is None, "the shard's variables are the tests'"
    assert INDEX_LABEL in str(tests["env"])


# --- Held back


def kueue(job: Json) -> None:
    job["spec"]["suspend"] = True
    job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "team-a"


def test_a_queue_decides_when_the_shards_start(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    """The suite suspends its Job itself at first; a queue's is not this run's to let go."""
    passes_with(cluster, parts, but={})
    make, cluster.admit = cluster.on_job, kueue

    def admit() -> None:
        assert cluster.objects["jobs", NAME]["spec"]["suspend"] is True
        spec = {**cluster.objects["jobs", NAME]["spec"], "suspend": False}
        make(cluster.change("jobs", NAME, spec=spec))

    runs.on_line = lambda line: (
        (runs.clock.advance(400), admit()) if "is suspended: queue team-a" in line else None
    )

    attempt = runs.run_sharded(start_seconds=300)

    assert attempt.verdict.cause == "PASS", str(attempt.verdict)


def test_shards_that_a_queue_never_admits_say_who_holds_them(
    runs: Runs, cluster: PodCluster
) -> None:
    cluster.admit = kueue
    runs.advance_at("is suspended: queue team-a", seconds=600)

    attempt = runs.run_sharded(queue_seconds=600)

    assert attempt.verdict.cause == "INFRA_CAPACITY"
    assert "queue team-a of Kueue" in str(attempt.verdict)


def test_a_shard_that_a_queue_takes_back_comes_again_in_its_turn(
    runs: Runs, cluster: PodCluster, parts: list[bytes]
) -> None:
    passes_with(cluster, parts, but={1: RUNS})
    cluster.logs[f"{NAME}-1-later", EXPORTER] = parts[1]

    def preempt() -> None:
        job = cluster.objects["jobs", NAME]
        cluster.change("jobs", NAME, spec={**job["spec"], "suspend": True})
        cluster.drop("pods", pod_name(1))
        threading.Timer(0.5, admit).start()

    def admit() -> None:
        job = cluster.objects["jobs", NAME]
        cluster.change("jobs", NAME, spec={**job["spec"], "suspend": False})
        cluster.shard(job, 1, f"{NAME}-1-later", **whole_pod(0))

    runs.on_line = lambda line: (
        threading.Timer(0.3, preempt).start() if "shards at once" in line else None
    )

    attempt = runs.run_sharded()

    assert attempt.verdict.cause == "PASS", str(attempt.verdict)
    assert len(attempts_of(attempt, 1)) == 2, "what had begun is said"
