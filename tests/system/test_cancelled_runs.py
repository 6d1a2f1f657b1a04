"""A run stopped during its tests: red, remembered with what it had, and nothing left behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from floe_tests.core.deadline import Deadline
from floe_tests.core.labels import RUN
from floe_tests.kube.client import Kube
from floe_tests.results.formats import junit

from .conftest import CLUSTER, job
from .dagster_job import DagsterJob, Place, write_project
from .kind_clusters import kind_clusters

HANGING = """
    import threading
    def test_before(): pass
    def test_waits(): threading.Event().wait()
"""


@pytest.mark.parametrize(
    "signals",
    [
        # What a CI sends: first the one, and some seconds later the other.
        pytest.param((signal.SIGINT, signal.SIGTERM), id="SIGINT, SIGTERM while it cleans up"),
        pytest.param((signal.SIGTERM,), id="SIGTERM alone"),
    ],
)
def test_a_stopped_run_keeps_its_results_and_leaves_no_pod(
    tmp_path: Path, kube: Kube, signals: tuple[signal.Signals, ...]
) -> None:
    project = write_project(tmp_path / "project", job(HANGING), kind={"cluster": CLUSTER})
    with DagsterJob(
        "small_project.definitions", "small", directory=project, place=Place.below(tmp_path)
    ) as process:
        # In either order: each comes from a file of its own.
        process.wait_for("2 tests collected", timeout_seconds=90)
        process.wait_for("passed test_suite::test_before", timeout_seconds=90)
        of_the_run = f"{RUN}={process.run_id}"
        assert kube.list("Pod", label_selector=of_the_run), "nothing runs that could be left"

        no_pods = Deadline(30)
        process.signal(signals[0])
        for second in signals[1:]:
            # Not at its log line: Dagster drops what is logged while it writes another line.
            for jobs in kube.follow("Job", label_selector=of_the_run, deadline=Deadline(20)):
                if all("deletionTimestamp" in item["metadata"] for item in jobs.values()):
                    break
            process.signal(second)
        # Raises when the deadline passes first.
        for pods in kube.follow("Pod", label_selector=of_the_run, deadline=no_pods):
            if not pods:
                break
        assert process.wait(timeout_seconds=90) != 0

    for second in signals[1:]:
        assert f"{second.name} held back" in process.output
    remembered = process.remembered()
    assert (remembered.cause, remembered.outcome) == ("CANCELLED", "cancelled")
    assert "interrupted" in remembered.summary
    suite = remembered.suites[0]
    assert (suite.tally.passed, suite.collected) == (1, 2)
    assert "test_suite::test_waits" in suite.in_flight
    cases = {case.name: case.outcome for case in junit.read(process.summary().junit)}
    assert cases["test_suite::test_before"] == "passed"
    assert cases["floe_tests.small::CANCELLED"] == "error"
    for kind in ("Job", "Namespace"):
        assert kube.list(kind, label_selector=of_the_run) == []
    assert CLUSTER in kind_clusters(), "a cluster that was there before was deleted"
