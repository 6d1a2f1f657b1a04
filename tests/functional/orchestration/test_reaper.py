"""The reaper on a Dagster instance: a tick looks and says so, or asks for a run that removes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import psutil
import pytest

from floe_tests.cleanup.plan import Leftover, Plan
from floe_tests.core.labels import Owner
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.core.program import RUN_VARIABLE
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.orchestration.sensors.reaper import reaper_definitions, run_key, run_state_of
from floe_tests.results.history.store import History
from tests.support.project import PYPROJECT

RUN = str(uuid4())


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    for name in os.environ:
        if name.startswith(("FLOE_", "GITHUB_", "KUBERNETES_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.format(package="shop"))
    monkeypatch.setenv("PATH", str(tmp_path))  # without docker and kind
    return Ledger(tmp_path / "floe-tests" / "runs")


@pytest.fixture
def orphan(ledger: Ledger) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a killed run."""
    holder = replace(Holder.this_process(), start_ticks=1)
    owner = Owner(RUN, "unit", "main", "72c65fc", datetime.now(UTC) + timedelta(hours=1))
    ledger.write(RUN, ENTRY, Lease("local", owner, "", "never", 60, state="held", holder=holder))
    with subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"],
        env={**os.environ, RUN_VARIABLE: RUN},
    ) as process:
        yield process
        process.kill()


def definitions(tmp_path: Path) -> dg.RepositoryDefinition:
    return reaper_definitions(tmp_path).get_repository_def()


def tick(tmp_path: Path) -> object:
    sensor = definitions(tmp_path).get_sensor_def("reaper")
    with dg.DagsterInstance.ephemeral() as instance:
        return sensor(dg.build_sensor_context(instance=instance))


def test_it_is_off_until_somebody_starts_it_and_looks_every_five_minutes(tmp_path: Path):
    sensor = definitions(tmp_path).get_sensor_def("reaper")

    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert sensor.minimum_interval_seconds == 300


def test_a_tick_with_nothing_to_do_says_what_it_looked_at(tmp_path: Path, ledger: Ledger):
    assert not ledger.directory.exists()

    found = tick(tmp_path)

    assert isinstance(found, dg.SkipReason)
    assert found.skip_message is not None
    assert found.skip_message.startswith("Nothing to remove. Looked at 0 leases; ")
    assert "docker and kind not on PATH" in found.skip_message


def test_a_tick_names_what_is_not_proved_to_be_a_runs(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    """Nobody reads the table of a run that was never started."""
    assert not ledger.directory.exists()
    stranger = Leftover(
        "namespace", "team", "here", RUN, "unit", "unproved", "", None, "kubectl delete ns team"
    )
    found = Plan((), (stranger,), ("1 lease",), ())
    monkeypatch.setattr("floe_tests.cleanup.reaper.plan", lambda _scope: found)

    skipped = tick(tmp_path)

    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message is not None
    assert "Not proved to be a run's: namespace team" in skipped.skip_message
    assert "`kubectl delete ns team` removes it" in skipped.skip_message


def test_a_tick_asks_for_a_run_and_removes_nothing_itself(
    tmp_path: Path, orphan: subprocess.Popen[bytes]
):
    found = tick(tmp_path)

    assert isinstance(found, dg.RunRequest)
    assert isinstance(again := tick(tmp_path), dg.RunRequest)
    assert found.run_key == again.run_key, "a second tick must not start a second run"
    assert orphan.poll() is None


def test_its_run_removes_remembers_and_reports(
    tmp_path: Path, ledger: Ledger, orphan: subprocess.Popen[bytes]
):
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions(tmp_path).get_job("reap").execute_in_process(instance=instance)

    assert result.success
    assert not psutil.pid_exists(orphan.pid) or orphan.poll() is not None
    lease = ledger.read(RUN, ENTRY, Lease)
    assert lease is not None
    assert lease.state == "released"
    (output,) = [event for event in result.all_events if event.is_successful_output]
    shown = output.step_output_data.metadata
    assert (shown["removed"].value, shown["remaining"].value) == (2, 0)
    with History.open(f"sqlite:///{tmp_path / 'floe_tests.db'}") as history:
        remembered = history.run(run_id=RUN)
    assert remembered is not None
    assert remembered.cause == "HARNESS"


def test_its_run_is_red_when_something_cannot_be_looked_at(tmp_path: Path, ledger: Ledger):
    (ledger.folder("broken") / "lease.json").write_text("{")

    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(tmp_path).get_job("reap")
        result = job.execute_in_process(instance=instance, raise_on_error=False)

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "makes the ledger forget the run" in str(failure.step_failure_data.user_failure_data)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (dg.DagsterRunStatus.STARTED, "live"),
        (dg.DagsterRunStatus.STARTING, "live"),
        (dg.DagsterRunStatus.CANCELING, "live"),
        (dg.DagsterRunStatus.SUCCESS, "over"),
        (dg.DagsterRunStatus.FAILURE, "over"),
        (dg.DagsterRunStatus.CANCELED, "over"),
        (None, "unknown"),
    ],
    ids=str,
)
def test_the_instance_says_how_a_run_stands(status: dg.DagsterRunStatus | None, state: str):
    with dg.DagsterInstance.ephemeral() as instance:
        if status is not None:
            instance.add_run(dg.DagsterRun(job_name="unit", run_id=RUN, status=status))

        assert run_state_of(instance)(RUN) == state


def test_the_same_things_are_asked_for_once_an_hour_and_others_at_once():
    def item(name: str) -> Leftover:
        return Leftover("process", name, "here", RUN, "unit", "over", "", None, "kill")

    one, other = item("1"), item("2")

    assert run_key((one, other), hour="09") == run_key((other, one), hour="09")
    assert run_key((one,), hour="09") != run_key((one, other), hour="09")
    assert run_key((one,), hour="09") != run_key((one,), hour="10")
