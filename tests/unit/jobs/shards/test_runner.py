"""What a sharded run decides, told by hand what its watches would say; nobody answers its API."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests import labels
from floe_tests.jobs.listener import PodSeen
from floe_tests.jobs.manifest import JobRequest, load_template
from floe_tests.jobs.shards import record as records
from floe_tests.jobs.shards.job import INDEX_LABEL
from floe_tests.jobs.shards.listener import Heard, JobsSeen
from floe_tests.jobs.shards.plan import balanced
from floe_tests.jobs.shards.runner import ShardedRun, ShardedSuite
from floe_tests.jobs.verdict import Cause
from floe_tests.kube import ClusterAccess, Kube
from floe_tests.labels import Owner
from floe_tests.settings import DeadlineSettings, ShardSettings

ROOT = Path(__file__).resolve().parents[4]
CONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "test",
    "clusters": [{"name": "test", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "test", "user": {"token": "opens-nothing"}}],
    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
}
DEADLINES = DeadlineSettings(tests_seconds=50, pod_seconds=60, job_seconds=100)


class Hand:
    """A run of three shards, and what its threads would do, by hand."""

    def __init__(self, folder: Path) -> None:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(CONFIG))
        self.access = ClusterAccess(kubeconfig=str(kubeconfig))
        self.log: list[str] = []
        self.directory = folder / "suite-1"
        self.run = self.make()

    def make(self) -> ShardedRun:
        request = JobRequest(
            owner=Owner("01234567-run", "tier", "main", "c0ffee", datetime.now(UTC)),
            suite="suite",
            attempt=1,
            namespace="floe-test-01234567",
            provider="kind",
            image_registry_prefix="",
            groups=(),
            excluded_groups=(),
            deadlines=DEADLINES,
        )
        template = load_template(ROOT / "tests/integration/test-job.yaml")
        run = ShardedRun(
            self.access,
            ShardedSuite(template, request, ShardSettings(count=3), lambda: balanced({}, count=3)),
            directory=self.directory,
            log=self.log.append,
        )
        run._kube = Kube(self.access)  # one that does not wait for the server to come back
        run._jobs = {"suite-01234567-1": {}}
        return run

    def see(self, pod: dict[str, Any] | None, *, name: str = "") -> None:
        named = name or str((pod or {})["metadata"]["name"])
        self.run._take(Heard(named, PodSeen(pod)))

    def tick(self) -> None:
        """Look twice, with what was to be done off the deciding thread in between."""
        for _ in range(2):
            for pod in [each for each in self.run._pods.values() if not each.is_judging]:
                self.run._attend(pod)
            self.work()

    def work(self) -> list[str]:
        """Do what was asked of other threads; what the API would be asked for fails."""
        done: list[str] = []
        while not self.run._listener._chores.empty():
            work: Any = self.run._listener._chores.get()
            name = work.func.__name__ if hasattr(work, "func") else work.__name__
            done.append(name)
            if name == "_last_look":
                work()()
        self.done = [*getattr(self, "done", []), *done]
        return done

    def causes(self, shard: int) -> list[str]:
        return [each.verdict.cause.value for each in self.run._shards[shard].attempts]


def pod(
    shard: int, *, name: str = "", waiting: str = "", running: bool = False, **status: Any
) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    state: dict[str, Any] = {"waiting": {"reason": waiting or "ContainerCreating"}}
    if running:
        state = {"running": {"startedAt": now}}
    named = name or f"suite-01234567-1-{shard}-abcde"
    return {
        "metadata": {
            "name": named,
            "uid": named,
            "resourceVersion": now,
            "labels": {INDEX_LABEL: str(shard), "job-name": "suite-01234567-1"},
        },
        "spec": {"nodeName": "node-a"},
        "status": {
            "phase": "Running" if running else "Pending",
            "containerStatuses": [{"name": "test-runner", "state": state}],
            **status,
        },
    }


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def test_a_pod_that_its_job_takes_back_before_it_ran_is_no_attempt(hand: Hand):
    """So does a Job whose parallelism falls; it makes the pod again in its turn."""
    hand.see(pod(1))
    hand.see(None, name="suite-01234567-1-1-abcde")
    hand.tick()
    assert hand.causes(1) == []

    hand.see(pod(1, name="suite-01234567-1-1-later", running=True))

    again = hand.run._shards[1].pod
    assert again is not None
    assert (again.name, again.number) == ("suite-01234567-1-1-later", 1)
    assert list(hand.run._pods) == ["suite-01234567-1-1-later"]


def test_a_pod_that_somebody_deleted_is_tried_again_once_its_job_has_counted_it(hand: Hand):
    hand.see(pod(1))
    hand.see(None, name="suite-01234567-1-1-abcde")

    hand.run._take(JobsSeen({"suite-01234567-1": {"status": {"failedIndexes": "1"}}}))
    hand.tick()

    assert hand.causes(1) == ["INFRA_NODE"]
    assert "_retry" in hand.done
    assert not hand.run._shards[1].is_done


def test_a_shard_has_no_more_attempts_than_its_verdict_allows(hand: Hand):
    failed = {"metadata": {}, "status": {"failedIndexes": "0-2"}}
    hand.run._take(JobsSeen({"suite-01234567-1": failed}))
    for number in range(1, 6):
        found = pod(1, name=f"pod-{number}")
        found["metadata"]["labels"][labels.SHARD] = "1"
        found["metadata"]["labels"][labels.SHARD_ATTEMPT] = str(number)
        hand.see(found)
        hand.see(None, name=f"pod-{number}")
        hand.tick()

    assert hand.causes(1) == ["INFRA_NODE"] * 4, "the first and three more"
    assert hand.run._shards[1].is_done


def test_what_would_befall_every_shard_is_not_tried_with_each(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("floe_tests.jobs.start.REFUSED_SECONDS", 0)
    monkeypatch.setattr(hand.run, "_delete_jobs", lambda: None)
    hand.see(pod(0))
    hand.see(pod(2, waiting="InvalidImageName"))
    hand.tick()

    assert hand.run._is_done
    attempt = hand.run._finish()
    assert attempt.verdict.cause is Cause.CONFIG
    assert "InvalidImageName" in str(attempt.verdict)
    assert [each.shard for each in attempt.shards] == [2]


def test_the_suites_deadline_ends_what_runs_and_names_what_never_did(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
):
    hand.see(pod(0, running=True))
    monkeypatch.setattr(hand.run, "_delete_jobs", lambda: None)

    hand.run._pass_job_deadline()
    hand.tick()

    assert "_stop_pod" in hand.done
    assert "stopping the rest" in "\n".join(hand.log)
    hand.see(None, name="suite-01234567-1-0-abcde")
    hand.tick()
    attempt = hand.run._finish()
    assert attempt.verdict.cause is Cause.TEST_TIMEOUT
    assert "job deadline of 100 s passed" in str(attempt.verdict)
    assert {each.shard for each in attempt.shards} == {0, 1, 2}


def test_a_pod_that_never_starts_is_given_up_by_its_deadline(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
):
    hand.see(pod(0))
    shard = hand.run._shards[0].pod
    assert shard is not None
    monkeypatch.setattr(type(shard._start._late), "passed", property(lambda _self: True))
    hand.tick()

    assert hand.causes(0) == ["INFRA_START"]
    assert "_stop_pod" in hand.done, "it must not take the room of others"


def test_who_comes_after_a_killed_orchestrator_knows_what_was_judged(hand: Hand):
    hand.see(pod(1))
    hand.see(None, name="suite-01234567-1-1-abcde")
    hand.run._take(JobsSeen({"suite-01234567-1": {"status": {"failedIndexes": "1"}}}))
    hand.tick()
    assert [each.shard for each in records.read_all(hand.directory)] == [1]

    later = Hand.make(hand)
    later._kube.get = lambda *_words, **_names: {"spec": {"parallelism": 2}}  # type: ignore[method-assign]
    later._listener.watch = lambda: None  # type: ignore[method-assign]
    later._adopt()

    assert [each.verdict.cause for each in later._shards[1].attempts] == [Cause.INFRA_NODE]
    assert later._window.now == 2
    # Its pod, should it still be listed, is not met again.
    later._take(Heard("suite-01234567-1-1-abcde", PodSeen(pod(1))))
    assert later._pods == {}
