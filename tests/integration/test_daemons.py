"""The daemon: it lives, and its schedule does what it says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from platform_suite.deadline import NotYet, wait_for
from platform_suite.order_rules import OrderRules

if TYPE_CHECKING:
    from platform_suite.dagster_answers import Tick
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.run_watch import RunWatch

    from .conftest import StartedSchedule

# Daemons beat every 30 s. Dagster itself calls one healthy that was silent for half an hour.
HEARTBEAT_AGE_SECONDS = 75.0
MINUTE_SECONDS = 60.0


def test_every_required_daemon_has_a_fresh_heartbeat(dagster: DagsterApi) -> None:
    """Schedules, sensors and the queue stand still without these."""
    required = {daemon.kind: daemon for daemon in dagster.daemons() if daemon.is_required}
    assert required.keys() >= {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR"}
    for daemon in required.values():
        assert daemon.is_healthy, daemon
        assert not daemon.errors, daemon
        assert daemon.heartbeat_at is not None, daemon
        assert time.time() - daemon.heartbeat_at < HEARTBEAT_AGE_SECONDS, daemon


def test_schedule_ticks_within_its_minute_and_its_run_succeeds(
    dagster: DagsterApi,
    started_schedule: StartedSchedule,
    runs: RunWatch,
) -> None:
    """Turned on at the session's start, it launches the pipeline at the next whole minute."""

    def first_tick() -> Tick:
        ticks = dagster.ticks(started_schedule.name)
        new = [tick for tick in ticks if tick.due_at not in started_schedule.earlier_ticks]
        if not new or new[-1].status == "STARTED":
            raise NotYet(f"ticks since its start: {new}")
        return new[-1]

    tick = wait_for(first_tick, what="a tick", deadline_seconds=MINUTE_SECONDS + 15)
    assert tick.status == "SUCCESS", tick.error
    assert tick.due_at % MINUTE_SECONDS == 0
    (run_id,) = tick.run_ids
    scheduled = runs.finish(run_id)
    assert scheduled.run.status == "SUCCESS", scheduled.reasons()
    assert scheduled.run.tags["dagster/schedule_name"] == started_schedule.name
    assert 0 <= scheduled.run.created_at - tick.due_at < MINUTE_SECONDS
    # The schedule passes no config, so these are the defaults' rows.
    totals = scheduled.about("MaterializationEvent")["daily_totals"]
    assert totals.metadata["orders"] == OrderRules().cleaned_rows()
