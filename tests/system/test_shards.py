"""Suites in shards on a real cluster: every kind of end beside each other, and no result lost."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from floe_tests.core import labels
from floe_tests.core.verdict import Cause
from floe_tests.execution.sharding.plan import shard_by_hash
from floe_tests.execution.sharding.plan import test_key as key_of
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.results.formats import junit
from floe_tests.results.history.store import History

from .conftest import CLUSTER, SmallTier, job
from .dagster_job import DagsterJob, Place, write_project
from .fault_table import Row
from .faults.bench import RunningRun
from .test_reap import Reaper, kill

COUNT = 12
DEADLINES = {"tests_seconds": 60, "pod_seconds": 80, "job_seconds": 200}
LITTLE = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}}
EVERY_END = """
    import re, socket, threading
    import pytest

    @pytest.mark.parametrize("number", range(48))
    def test_many(number): pass

    def test_fails(): assert False, "as it should"

    def test_eats_memory():
        hoard = []
        while True: hoard.append(bytearray(8 * 1024 * 1024))

    def test_waits():
        # In the pod of a further attempt it passes: what was evicted was the first.
        if not re.search(r"-s[0-9]+-2-", socket.gethostname()): threading.Event().wait()
"""
HANGING = """
    import threading
    import pytest

    @pytest.mark.parametrize("number", range(40))
    def test_quick(number): pass

    @pytest.mark.parametrize("number", range(12))
    def test_waits(number): threading.Event().wait()
"""


def shard_of(test: str, count: int = COUNT) -> int:
    """Return the shard of a test that the history does not know."""
    return shard_by_hash(key_of(f"test_suite::{test}"), count)


def suite(count: int, **settings: Any) -> list[dict[str, Any]]:
    return [{"name": "suite", "job": "test-job.yaml", "shards": {"count": count, **settings}}]


def pods_of(kube: Kube, run_id: str) -> list[JsonObject]:
    return kube.list("Pod", label_selector=f"{labels.RUN}={run_id},{labels.SUITE}=suite")


def running_pod(run: RunningRun, shard: int) -> str | None:
    """Return the pod of a shard whose tests run; None while there is none."""
    for pod in run.pods():
        index = part(pod, "metadata", "labels").get("batch.kubernetes.io/job-completion-index")
        states = [each.get("state", {}) for each in parts(pod, "status", "containerStatuses")]
        if index == str(shard) and any("running" in state for state in states):
            return str(pod["metadata"]["name"])
    return None


def evict(tier: SmallTier, namespace: str, pod: str) -> None:
    path = tier.root / "eviction.json"
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path.write_text(json.dumps(body))
    address = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    command = ["kubectl", "--kubeconfig", str(tier.kubeconfig), "create", "--raw", address]
    subprocess.run([*command, "-f", str(path)], check=True, capture_output=True, timeout=30)


def test_twelve_shards_of_every_kind(small_tier: SmallTier, kube: Kube) -> None:
    """A test that fails, a shard out of memory, an evicted one: each keeps its own account."""
    waits, eats = shard_of("test_waits"), shard_of("test_eats_memory")
    fails = shard_of("test_fails")
    assert len({waits, eats, fails}) == 3, "each has a shard for itself"
    tier = small_tier.prepare(
        job(EVERY_END, resources=LITTLE), suites=suite(COUNT, parallelism=6), deadlines=DEADLINES
    )
    running = RunningRun(tier, small_tier.log, kube)

    def waiting() -> bool:
        pod = running_pod(running, waits)
        if pod is None:
            return False
        evict(small_tier, running.namespace, pod)
        return True

    running.wait_until(waiting, "the pod of test_waits", seconds=120)
    published = running.finish(seconds=200)

    (found,) = published.suites
    said = "\n".join(str(item) for item in found.verdict.evidence)
    assert found.verdict.cause is Cause.RESOURCE_OOM, said
    assert f"shard/{eats} pod: suite-" in said
    assert "test_suite::test_eats_memory" in said
    # Everything but the test that killed its pod, and what was to come after it there.
    results = found.results
    lost = [n for n in range(48) if shard_of(f"test_many[{n}]") == eats]
    assert results.tally.failed == 1
    assert results.tally.passed >= 48 - len(lost) + 1
    names = {case.name for case in junit.read(published.junit)}
    assert {"test_suite::test_fails", "test_suite::test_waits"} <= names
    assert any(re.search(r"\d+ of 12 shards, \d+ of 51 tests", line) for line in small_tier.log)
    rows = attempts_in_history(small_tier, published.run_id)
    assert [cause for shard, _, cause in rows if shard == waits] == ["INFRA_DISRUPTED", "PASS"]
    assert {shard for shard, *_ in rows} == set(range(COUNT)), "every shard is in the history"
    assert (fails, 1, "TEST_FAILURE") in rows


def attempts_in_history(tier: SmallTier, run_id: str) -> list[tuple[int, int, str]]:
    with History.open(f"sqlite:///{tier.root / 'history.db'}") as history:
        record = history.run(run_id=run_id)
        assert record is not None
        assert record.suites[0].shards == COUNT
        durations = history.durations(tier="small", provider="context", suite="suite")
    assert durations["test_suite::test_fails"] is None
    assert durations["test_suite::test_many[0]"] is not None
    return [(each.shard, each.number, each.cause) for each in record.suites[0].attempts]


@pytest.fixture
def hanging(tmp_path: Path, kubeconfig: Path) -> Iterator[DagsterJob]:
    """A run in four shards that waits for ever, as an orchestrator of its own."""
    assert kubeconfig.is_file()
    project = write_project(
        tmp_path / "project",
        job(HANGING, resources=LITTLE),
        kind={"cluster": CLUSTER},
        suites=suite(4),
        deadlines=DEADLINES,
    )
    place = Place.below(tmp_path)
    with DagsterJob(
        "small_project.definitions", "small", directory=project, place=place
    ) as process:
        process.wait_for("up to 4 shards at once", timeout_seconds=60)
        process.wait_for("0 of 4 shards, 40", timeout_seconds=60)
        yield process


def test_a_killed_orchestrators_shards_are_reaped(
    hanging: DagsterJob, kube: Kube, fault_table: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the reaper finds what the run had received.
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(hanging.place.output))
    run_id = kill(hanging)
    assert len(pods_of(kube, run_id)) == 4

    code, found = Reaper(hanging.place, fault_table).run("--yes")

    assert code == 0, found
    assert pods_of(kube, run_id) == []
    remembered = hanging.remembered()
    assert remembered.outcome == "failed"
    assert remembered.suites[0].tally.passed == 40, "what the shards had sent is kept"


def test_a_cancelled_run_leaves_no_pod_within_half_a_minute(
    hanging: DagsterJob, kube: Kube
) -> None:
    run_id = hanging.run_id
    began = monotonic()
    hanging.signal(signal.SIGTERM)
    hanging.wait(timeout_seconds=60)

    assert monotonic() - began < 30
    assert pods_of(kube, run_id) == []
    summary = hanging.summary()
    assert (summary.cause, summary.passed) == (Cause.CANCELLED, 40)


def test_who_resumes_a_run_goes_on_with_its_shards(small_tier: SmallTier) -> None:
    """The Job is there, some shards have ended and are judged: nothing runs twice."""
    code = """
        import time
        import pytest
        @pytest.mark.parametrize("number", range(24))
        def test_many(number): time.sleep(0.3)
    """
    run = small_tier.prepare(
        job(code, resources=LITTLE), suites=suite(6, parallelism=3), deadlines=DEADLINES
    )

    def interrupt(line: str) -> None:
        small_tier.log.append(line)
        if re.search(r": [2-5] of 6 shards", line):
            raise KeyboardInterrupt

    try:
        with run.stage("cluster"):
            run.acquire()
        dies = replace(run, log=interrupt, is_resumable=True, will_resume=lambda: True)
        with pytest.raises(KeyboardInterrupt):
            dies.run_suites()

        (attempt,) = replace(run, is_resumable=True).run_suites()
    finally:
        run.give_back()
        print("\n".join(small_tier.log))  # noqa: T201 - shown when the test fails

    assert attempt.verdict.cause is Cause.PASS, str(attempt.verdict)
    assert (attempt.facts.results.reported, attempt.facts.results.collected) == (24, 24)
    assert [(each.shard, each.number) for each in attempt.shards] == [(n, 1) for n in range(6)]
    assert any("already there" in line for line in small_tier.log)
