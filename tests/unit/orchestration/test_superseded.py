"""The sensor on a real instance: what it looks at, what it cancels, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from sqlalchemy.exc import DatabaseError

from floe_tests.orchestration.cancellation import why_cancelled
from floe_tests.pipeline.cancellation import CANCELLED_TAG

if TYPE_CHECKING:
    from tests.support.project import Project

TIER = """\
  name: tiny
  description: A tier of one small suite.
  environments: [local]
  suites:
    - name: suite
      command: [pytest]
"""
# As the shipped one: runs wait in a queue.
SETTINGS = """\
telemetry: {enabled: false}
run_coordinator: {module: dagster.core.run_coordinator, class: QueuedRunCoordinator}
"""
TINY = {"floe-tests/tier": "tiny"}


class Here:
    """A project with one tier, and an instance with the runs that a test puts there."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._package = project.package
        self._repository = project.load().get_repository_def()

    def launched(
        self, status: dg.DagsterRunStatus = dg.DagsterRunStatus.QUEUED, **tags: str
    ) -> str:
        """Put a run there as the UI and schedules launch it."""
        location = ManagedGrpcPythonEnvCodeLocationOrigin(
            LoadableTargetOrigin(module_name=self._package), location_name=self._package
        )
        origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "tiny")
        return self._add(
            dg.DagsterRun("tiny", str(uuid4()), status=status, tags=tags, remote_job_origin=origin)
        )

    def executed(self, **tags: str) -> str:
        """Put a run there as `dagster job execute` makes it, on a machine that is not this one."""
        started = dg.DagsterRunStatus.STARTED
        return self._add(dg.DagsterRun("tiny", str(uuid4()), status=started, tags=tags))

    @property
    def sensor(self) -> dg.SensorDefinition:
        return self._repository.get_sensor_def("superseded")

    def look(self) -> str:
        """Let the sensor look, and give what it says."""
        said = self.sensor(
            dg.build_sensor_context(instance=self.instance, repository_def=self._repository)
        )
        assert isinstance(said, dg.SkipReason)
        return str(said.skip_message)

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        return self._run(run_id).status

    def reason(self, run_id: str) -> str | None:
        return self._run(run_id).tags.get(CANCELLED_TAG)

    def _run(self, run_id: str) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def _add(self, run: dg.DagsterRun) -> str:
        self.instance.add_run(run)
        return run.run_id


@pytest.fixture
def here(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(SETTINGS)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("FLOE_TESTS_REF", "main")
    project.tier(TIER)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Here(project, instance)


def test_it_is_off_until_somebody_turns_it_on_and_looks_at_most_twice_a_minute(here: Here):
    sensor = here.sensor

    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert sensor.minimum_interval_seconds == 30


def test_without_runs_it_says_so(here: Here):
    assert here.look() == "no run is in progress; none is superseded"


def test_the_older_run_is_cancelled_with_the_newer_ones_name_on_it(here: Here):
    older = here.launched(**TINY, **{"floe-tests/ref": "feature"})
    newer = here.launched(**TINY, **{"floe-tests/ref": "feature"})

    said = here.look()

    reason = f"superseded by run {newer[:8]} on feature"
    assert here.status(older) is dg.DagsterRunStatus.CANCELED
    assert here.reason(older) == why_cancelled(here.instance, older) == reason
    assert here.status(newer) is dg.DagsterRunStatus.QUEUED
    assert here.reason(newer) is None
    assert f"looked at 2: {newer[:8]} (tiny, feature), {older[:8]} (tiny, feature)" in said
    assert f"run {older[:8]} of tiny on feature: {reason}; taken out of the queue" in said


def test_a_run_that_waits_has_the_ref_that_it_will_find(here: Here):
    """Tags are set by the first stage; what waits for the older run never gets there."""
    older, newer = here.launched(**TINY), here.launched(**TINY)

    here.look()

    assert here.reason(older) == f"superseded by run {newer[:8]} on main"
    assert here.status(older) is dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(TINY | {"floe-tests/ref": "next"}, TINY, id="another ref"),
        pytest.param(
            TINY | {"floe-tests/ref": "unknown"}, TINY | {"floe-tests/ref": "unknown"}, id="no ref"
        ),
        pytest.param({"floe-tests/tier": "theirs"}, TINY, id="another project's tier"),
        pytest.param({}, {}, id="no tier at all"),
    ],
)
def test_what_is_not_the_same_tier_and_ref_is_left_alone(
    here: Here, first: dict[str, str], second: dict[str, str]
):
    runs = [here.launched(**first), here.launched(**second)]

    assert here.look().endswith("none is superseded")

    assert [here.status(run) for run in runs] == [dg.DagsterRunStatus.QUEUED] * 2
    assert [here.reason(run) for run in runs] == [None, None]


def test_what_is_over_or_on_its_way_out_counts_for_nothing(here: Here):
    older = here.launched(**TINY)
    over = [
        here.launched(status, **TINY)
        for status in (
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.CANCELED,
            dg.DagsterRunStatus.CANCELING,
        )
    ]

    assert here.look() == f"looked at 1: {older[:8]} (tiny, main); none is superseded"

    assert [here.reason(run) for run in over] == [None] * 4


def test_a_run_that_is_starting_is_left_until_it_has_started(here: Here):
    older = here.launched(dg.DagsterRunStatus.STARTING, **TINY)
    here.launched(**TINY)

    assert here.look().endswith("none is superseded")

    assert here.status(older) is dg.DagsterRunStatus.STARTING


def test_a_run_of_a_process_elsewhere_gets_its_reason_and_is_not_marked_as_ended(here: Here):
    """Nobody here can end it; to Dagster it must not look as if somebody had."""
    older = here.executed(**TINY, **{"floe-tests/ref": "main"})
    here.launched(**TINY)

    said = here.look()

    assert here.status(older) is dg.DagsterRunStatus.STARTED
    assert str(here.reason(older)).startswith("superseded by run")
    assert "not on this machine" in said


def test_the_first_reason_stays(here: Here):
    older = here.launched(**TINY, **{CANCELLED_TAG: "somebody asked"})
    here.launched(**TINY)

    here.look()

    assert here.reason(older) == "somebody asked"
    assert here.status(older) is dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("STARTED", None),
        ("CANCELING", "terminated from Dagster (UI or API)"),
        ("CANCELED", "terminated from Dagster (UI or API)"),
        (
            "FAILURE",
            "ended by Dagster, which marked it as failed: it ran past its maximum runtime",
        ),
    ],
)
def test_without_a_reason_the_runs_status_says_who_interrupted_it(
    here: Here, status: str, reason: str | None
):
    run = here.launched(dg.DagsterRunStatus[status], **TINY)

    assert why_cancelled(here.instance, run) == reason


def test_a_run_that_dagster_does_not_know_has_no_reason(here: Here):
    assert why_cancelled(here.instance, str(uuid4())) is None


def test_an_instance_that_is_away_does_not_stop_a_run_from_ending(here: Here, tmp_path: Path):
    run = here.launched(**TINY)
    for file in (tmp_path / "home" / "history").rglob("runs.db*"):
        file.unlink()
    (tmp_path / "home" / "history" / "runs.db").write_text("no database")
    with pytest.raises(DatabaseError):
        here.instance.get_run_by_id(run)

    assert why_cancelled(here.instance, run) is None
