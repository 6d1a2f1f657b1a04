"""Runs cancelled from outside: by the UI, by a newer run, by `floe-tests cancel`.

Whoever did it, the verdict says why, what had been tested is kept, and nothing is left.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_tests.core.deadline import Deadline
from floe_tests.core.labels import RUN
from floe_tests.kube.client import Kube
from floe_tests.results.formats import junit
from floe_tests.results.records import RunRecord

from .conftest import CLUSTER, job
from .dagster_job import DagsterJob, Place, write_project
from .dagster_ui import DagsterUi

HANGING = """
    import threading
    def test_before(): pass
    def test_waits(): threading.Event().wait()
"""
REF = "refs/heads/feature"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", job(HANGING), kind={"cluster": CLUSTER})


@pytest.fixture
def ui(tmp_path: Path, project: Path, kube: Kube) -> Iterator[DagsterUi]:
    del kube  # the cluster is there first
    with DagsterUi(
        "small_project.definitions",
        directory=project,
        place=Place.below(tmp_path),
        environment={"FLOE_TESTS_REF": REF},
    ) as running:
        yield running


def wait_for_the_tests(ui: DagsterUi, run_id: str) -> None:
    ui.wait_for_log(run_id, "2 tests collected", timeout_seconds=120)
    ui.wait_for_log(run_id, "passed test_suite::test_before", timeout_seconds=90)


def wait_until_no_pods(kube: Kube, run_id: str, deadline: Deadline) -> None:
    # Raises when the deadline passes first.
    for pods in kube.follow("Pod", label_selector=f"{RUN}={run_id}", deadline=deadline):
        if not pods:
            break
    print(f"no pods after {deadline.elapsed_seconds:.1f} s")  # noqa: T201 - for whoever measures


def assert_cancelled(record: RunRecord, reason: str) -> None:
    assert (record.cause, record.outcome) == ("CANCELLED", "cancelled")
    assert reason in record.summary
    suite = record.suites[0]
    assert (suite.tally.passed, suite.collected) == (1, 2)
    assert "test_suite::test_waits" in suite.in_flight


def assert_nothing_left(kube: Kube, run_id: str) -> None:
    for kind in ("Pod", "Job", "Namespace"):
        assert kube.list(kind, label_selector=f"{RUN}={run_id}") == []


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param("SAFE_TERMINATE", id="terminate"),
        # "Force termination immediately" in the UI's dialog: Dagster does not wait for the run.
        pytest.param(
            "MARK_AS_CANCELED_IMMEDIATELY", id="terminate by force", marks=pytest.mark.thorough
        ),
    ],
)
def test_a_run_terminated_in_the_ui_keeps_its_results_and_leaves_no_pod(
    ui: DagsterUi, kube: Kube, policy: str
) -> None:
    run_id = ui.launch("small")
    wait_for_the_tests(ui, run_id)
    assert kube.list("Pod", label_selector=f"{RUN}={run_id}"), "nothing runs that could be left"

    no_pods = Deadline(30)
    ui.terminate(run_id, policy=policy)
    wait_until_no_pods(kube, run_id, no_pods)
    ui.wait_for_status(run_id, "CANCELED", timeout_seconds=60)
    ui.wait_for_log(run_id, "Process for run exited", timeout_seconds=60)

    assert_cancelled(ui.remembered(run_id), "terminated from Dagster (UI or API)")
    assert ui.remembered(run_id).ref == REF
    assert_nothing_left(kube, run_id)


def test_a_newer_run_on_the_same_ref_supersedes_the_older_one(ui: DagsterUi, kube: Kube) -> None:
    """The newer one waits in the queue, which lets one run of a tier through at a time."""
    older = ui.launch("small")
    wait_for_the_tests(ui, older)
    elsewhere = ui.launch("small", tags={"floe-tests/ref": "refs/heads/other"})
    newer = ui.launch("small")
    ui.start_sensor("superseded")

    ui.wait_for_status(older, "CANCELING", "CANCELED", timeout_seconds=90)
    no_pods = Deadline(30)
    wait_until_no_pods(kube, older, no_pods)
    ui.wait_for_status(older, "CANCELED", timeout_seconds=60)

    reason = f"superseded by run {newer[:8]} on {REF}"
    assert_cancelled(ui.remembered(older), reason)
    assert any(reason in skipped for skipped in ui.skip_reasons("superseded"))
    assert_nothing_left(kube, older)
    # In the order in which they were launched, one after the other.
    for waiting in (elsewhere, newer):
        wait_for_the_tests(ui, waiting)
        ui.terminate(waiting, policy="SAFE_TERMINATE")
        ui.wait_for_status(waiting, "CANCELED", timeout_seconds=90)


def test_floe_tests_cancel_ends_the_runs_on_a_ref_and_says_what_became_of_them(
    tmp_path: Path, project: Path, kube: Kube
) -> None:
    place = Place.below(tmp_path)
    with DagsterJob(
        "small_project.definitions",
        "small",
        directory=project,
        place=place,
        environment={"FLOE_TESTS_REF": REF},
    ) as process:
        process.wait_for("2 tests collected", timeout_seconds=90)
        process.wait_for("passed test_suite::test_before", timeout_seconds=90)
        run_id = process.run_id

        named = f"run {run_id[:8]} of small on feature"
        elsewhere = cancel(place, "--ref", "main")
        no_pods = Deadline(30)
        with cancelling(
            place, "--ref", "feature", "--reason", "superseded by pull request 7"
        ) as command:
            wait_until_no_pods(kube, run_id, no_pods)
            said = command.communicate(timeout=90)[0]
        assert process.wait(timeout_seconds=30) != 0

    assert elsewhere == (0, f"nothing to cancel: in progress is only {named}.\n")
    assert command.returncode == 0, said
    assert f"{named}: SIGTERM to its process" in said
    assert f"{named}: CANCELLED" in said
    assert_cancelled(process.remembered(), "superseded by pull request 7")
    assert "RUN_CANCELED" in process.output, "Dagster takes it for a failure"
    assert "superseded by pull request 7" in process.summary().junit.read_text()
    cases = {case.name: case.outcome for case in junit.read(process.summary().junit)}
    assert cases["test_suite::test_before"] == "passed"
    assert_nothing_left(kube, run_id)
    again = cancel(place, "--ref", "feature")
    assert again == (0, "nothing to cancel: no run is in progress.\n")


def test_a_run_that_does_not_end_in_time_is_said_and_still_ends(
    tmp_path: Path, project: Path, kube: Kube
) -> None:
    del kube  # the cluster is there first
    place = Place.below(tmp_path)
    with DagsterJob(
        "small_project.definitions", "small", directory=project, place=place
    ) as process:
        process.wait_for("passed test_suite::test_before", timeout_seconds=90)
        code, said = cancel(place, "--run", process.run_id[:8], "--deadline", "1")
        assert process.wait(timeout_seconds=90) != 0

    assert code == 1
    assert "NOT over after 1 s: Dagster has it as CANCELING" in said
    remembered = process.remembered()
    assert remembered.cause == "CANCELLED"
    assert "cancelled with `floe-tests cancel` by" in remembered.summary


def cancel(place: Place, *options: str) -> tuple[int, str]:
    """Run `floe-tests cancel` to its end, and give its exit code and what it said."""
    with cancelling(place, *options) as command:
        said = command.communicate(timeout=90)[0]
    return command.returncode, said


def cancelling(place: Place, *options: str) -> subprocess.Popen[str]:
    """Start `floe-tests cancel` as a person or a CI does, in a process of its own."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("floe-tests")), "cancel", *options],
        env={
            **os.environ,
            "DAGSTER_HOME": str(place.home),
            "FLOE_TESTS_OUTPUT": str(place.output),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
