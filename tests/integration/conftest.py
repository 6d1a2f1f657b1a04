"""Fixtures of the integration suite: the platform under test, and the runs most tests look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from platform_suite.fixtures import (
    cluster,
    dagster,
    dagster_host,
    location,
    own_pod,
    policies,
    roles,
    runs,
)

from .runs import LaunchedRuns, launch_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from platform_suite.dagster_api import DagsterApi

__all__ = [
    "cluster",
    "dagster",
    "dagster_host",
    "location",
    "own_pod",
    "policies",
    "roles",
    "runs",
]

SCHEDULE = "orders_every_minute"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put last what waits for the schedule, and after it what restarts the code location.

    The schedule's minute passes while the other tests work, and no run is under way when the pod
    that would execute it is deleted.
    """

    def place(item: pytest.Item) -> int:
        fixtures = getattr(item, "fixturenames", ())
        if item.get_closest_marker("restarts_code") is not None:
            return 2
        return 1 if "started_schedule" in fixtures else 0

    items.sort(key=place)


def pytest_configure(config: pytest.Config) -> None:
    """Register this suite's own marker."""
    config.addinivalue_line("markers", "restarts_code: restarts what executes runs; goes last")


@dataclass(frozen=True)
class StartedSchedule:
    """A schedule that is on, and when its ticks before this session were due."""

    name: str
    earlier_ticks: frozenset[float]


@pytest.fixture(scope="session")
def launched_runs(dagster: DagsterApi) -> LaunchedRuns:
    """The session's runs, launched; they execute one after the other."""
    return launch_runs(dagster)


@pytest.fixture(scope="session")
def started_schedule(dagster: DagsterApi) -> Iterator[StartedSchedule]:
    """The schedule, turned on for this session unless it was on before."""
    was_running = dagster.schedule_is_running(SCHEDULE)
    earlier_ticks = frozenset(tick.due_at for tick in dagster.ticks(SCHEDULE))
    if not was_running:
        dagster.start_schedule(SCHEDULE)
    yield StartedSchedule(SCHEDULE, earlier_ticks)
    if not was_running:
        dagster.stop_schedule(SCHEDULE)


@pytest.fixture(scope="session", autouse=True)
def _early_starters(request: pytest.FixtureRequest) -> None:
    """Start at once what takes its time by itself, provided that a selected test wants it.

    The runs come before the schedule: its run must not fall between two of them.
    """
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in ("launched_runs", "started_schedule"):
        if name in wanted:
            request.getfixturevalue(name)
