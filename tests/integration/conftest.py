"""Fixtures of the integration suite: the platform under test, and the runs most tests look at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .dagster_answers import Location
from .dagster_api import DagsterApi
from .deadline import wait_for
from .runs import LaunchedRuns, RunWatch, launch_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster

SCHEDULE = "orders_every_minute"
# A run takes about four seconds of two cores, and a dozen may be in the queue before it. Below the
# test's own timeout, so that a wait ends with the state it saw.
RUN_DEADLINE_SECONDS = 100.0
# From a warm start the platform is up already; after an install a location may still be loading.
PLATFORM_DEADLINE_SECONDS = 60.0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a pod where there is none, and say so."""
    if item.get_closest_marker("kubernetes") is None:
        return
    provider = os.environ.get("FLOE_TESTS_PROVIDER")
    if provider == "local":
        pytest.skip("needs a pod in a Kubernetes cluster; FLOE_TESTS_PROVIDER is local")
    # By hand, without the orchestrator's word for it: the kubelet sets this in every container.
    if provider is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        pytest.skip("needs a pod in a Kubernetes cluster; this process runs outside of one")


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
def dagster_host() -> str:
    """The webserver's host name, as the Job names it."""
    host = os.environ.get("DAGSTER_HOST")
    if not host:
        pytest.fail(
            "DAGSTER_HOST is not set: these tests need a running platform. Run them through "
            "`floe-tests run integration`, or apply tests/integration/test-job.yaml.",
            pytrace=False,
        )
    return host


@pytest.fixture(scope="session")
def dagster(dagster_host: str) -> Iterator[DagsterApi]:
    """The API of the platform under test, with its code location loaded."""
    port = os.environ.get("DAGSTER_PORT", "80")
    api = DagsterApi(f"http://{dagster_host}:{port}")
    # /server_info answers before the location is loaded, and a launch before that is refused.
    wait_for(
        api.location,
        what=f"code location at {api.base_url}",
        deadline_seconds=PLATFORM_DEADLINE_SECONDS,
    )
    yield api
    api.close()


@pytest.fixture(scope="session")
def location(dagster: DagsterApi) -> Location:
    """The code location."""
    return dagster.location()


@pytest.fixture(scope="session")
def launched_runs(dagster: DagsterApi) -> LaunchedRuns:
    """The session's runs, launched; they execute one after the other."""
    return launch_runs(dagster)


@pytest.fixture(scope="session")
def runs(dagster: DagsterApi) -> RunWatch:
    """The watch on all runs of this session."""
    return RunWatch(dagster, deadline_seconds=RUN_DEADLINE_SECONDS)


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


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster around this pod, with the rights of the pod's own ServiceAccount."""
    # The Kubernetes client takes a second to import, which a laptop without a cluster can spare.
    from .cluster import Cluster

    return Cluster.of_this_pod()
