"""A run that is stopped from outside: red, remembered with the reason, and nothing left behind."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from floe_tests.deadline import Deadline
from floe_tests.kube import Kube
from floe_tests.labels import RUN
from floe_tests.results import junit

from .conftest import CLUSTER, job
from .dagster_job import DagsterJob, Place, write_project
from .kind_clusters import kind_clusters, no_container_left

HANGING = """
    import threading
    def test_before(): pass
    def test_waits(): threading.Event().wait()
"""
OWN_CLUSTER = f"{CLUSTER}-own"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_run_stopped_during_its_tests_keeps_their_results_and_leaves_no_pod(
    tmp_path: Path, kube: Kube, number: signal.Signals
) -> None:
    project = write_project(tmp_path / "project", job(HANGING), kind={"cluster": CLUSTER})
    with DagsterJob(
        "small_project.definitions", "small", directory=project, place=Place.below(tmp_path)
    ) as process:
        process.wait_for("[1 of 2] passed test_suite::test_before", timeout_seconds=90)
        of_the_run = f"{RUN}={process.run_id}"
        assert kube.list("Pod", label_selector=of_the_run), "nothing runs that could be left"

        process.signal(number)
        # Raises when the deadline passes first.
        for pods in kube.follow("Pod", label_selector=of_the_run, deadline=Deadline(30)):
            if not pods:
                break
        assert process.wait(timeout_seconds=90) != 0

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


def test_a_run_stopped_while_its_cluster_comes_up_leaves_no_cluster(tmp_path: Path) -> None:
    assert OWN_CLUSTER not in kind_clusters()
    project = write_project(tmp_path / "project", job(HANGING), kind={"cluster": OWN_CLUSTER})
    with DagsterJob(
        "small_project.definitions", "small", directory=project, place=Place.below(tmp_path)
    ) as process:
        process.wait_for("Starting control-plane", timeout_seconds=120)
        assert not no_container_left(OWN_CLUSTER), "nothing was created that could be left"

        process.signal(signal.SIGINT)
        process.wait_for(f"kind delete cluster --name {OWN_CLUSTER}", timeout_seconds=60)
        # What a CI sends next, when its job does not end at once.
        process.signal(signal.SIGTERM)
        assert process.wait(timeout_seconds=120) != 0

    assert "SIGTERM held back" in process.output
    assert OWN_CLUSTER not in kind_clusters()
    assert no_container_left(OWN_CLUSTER)
    assert process.remembered().cause == "CANCELLED"
