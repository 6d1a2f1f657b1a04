"""Fixtures of the e2e suite: the parts of the platform, and the story that most tests look at."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from platform_suite.cube_api import CubeApi
from platform_suite.dagster_api import DagsterApi
from platform_suite.deadline import NotYet, wait_for
from platform_suite.fixtures import (
    RUN_DEADLINE_SECONDS,
    cluster,
    dagster,
    dagster_host,
    location,
    own_pod,
    policies,
    roles,
    runs,
)
from platform_suite.lakehouse import Lakehouse
from platform_suite.object_storage import ObjectStorage
from platform_suite.run_watch import RunWatch

from .story import Story
from .witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .story import Evolution, Failure, Replacement, TwoAtOnce

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

# Fixtures of the story's chapters, in its order.
CHAPTERS = ("two_at_once", "replacement", "failure", "evolution")
# Markers of what makes sense after `helm upgrade` and `helm rollback` alone.
PHASES = ("after_upgrade", "after_rollback")
CHAPTER_SECONDS = 150.0


def pytest_configure(config: pytest.Config) -> None:
    """Register this suite's own markers."""
    for marker in (
        "polaris: needs Apache Polaris as the catalog; skipped with the reason elsewhere",
        "restarts: takes pods away; goes last",
        "after_upgrade: needs `helm upgrade` with upgrade-values.yaml before; `-m after_upgrade`",
        "after_rollback: needs `helm rollback` before; `-m after_rollback`",
    ):
        config.addinivalue_line("markers", marker)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs Polaris where the catalog is another one, and say so."""
    kind = os.environ.get("FLOE_CATALOG_KIND")
    if item.get_closest_marker("polaris") is not None and kind != "polaris":
        pytest.skip(f"needs Apache Polaris; the catalog of this release is {kind}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the phases that nobody asked for, and put the rest into the story's order.

    Tests without a chapter come first, while the story's first runs execute; restarts come last,
    when no run is under way.
    """
    # A phase runs when `-m` names it, on the command line or in PYTEST_ADDOPTS. An expression in
    # the Job's own command would win over the latter.
    asked_for = set(re.findall(r"\w+", config.getoption("markexpr", "")))
    unasked = {phase for phase in PHASES if phase not in asked_for}

    def waits(item: pytest.Item) -> bool:
        phases = {phase for phase in PHASES if item.get_closest_marker(phase) is not None}
        return bool(phases) and phases <= unasked

    left_out = [item for item in items if waits(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = sorted((item for item in items if item not in left_out), key=_place)


def _place(item: pytest.Item) -> int:
    if item.get_closest_marker("restarts") is not None:
        return len(CHAPTERS) + 1
    fixtures = getattr(item, "fixturenames", ())
    return max(
        (place for place, chapter in enumerate(CHAPTERS, 1) if chapter in fixtures), default=0
    )


@pytest.fixture(scope="session")
def lakehouse() -> Lakehouse:
    """The catalog and its tables."""
    return Lakehouse.of_this_pod()


@pytest.fixture(scope="session")
def storage() -> ObjectStorage:
    """The files of the tables."""
    return ObjectStorage.of_this_pod()


@pytest.fixture(scope="session")
def cube() -> Iterator[CubeApi]:
    """Cube, ready to be asked."""
    api = CubeApi.of_this_pod()

    def ready() -> None:
        response = api.get("/readyz", token=None)
        if response.status_code != 200:
            raise NotYet(f"HTTP {response.status_code}: {response.text}")

    wait_for(ready, what="Cube", deadline_seconds=60)
    yield api
    api.close()


@pytest.fixture(scope="session")
def story(dagster: DagsterApi) -> Iterator[Story]:
    """The story, begun; over connections of its own, as it is told in a thread of its own."""
    api = DagsterApi(dagster.base_url)
    watch = RunWatch(api, deadline_seconds=RUN_DEADLINE_SECONDS)
    told = Story(
        api,
        runs=watch,
        lakehouse=Lakehouse.of_this_pod(),
        storage=ObjectStorage.of_this_pod(),
        cube=CubeApi.of_this_pod(),
    )
    told.start()
    yield told
    told.stop()


@pytest.fixture(scope="session", autouse=True)
def _early_starter(request: pytest.FixtureRequest) -> None:
    """Begin the story at once, provided that a selected test wants it."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    if "story" in wanted:
        request.getfixturevalue("story")


@pytest.fixture(scope="session")
def two_at_once(story: Story) -> TwoAtOnce:
    """The first chapter: two pipelines side by side."""
    return story.two_at_once.result(CHAPTER_SECONDS)


@pytest.fixture(scope="session")
def replacement(story: Story) -> Replacement:
    """The second chapter: a batch that is sent again with other orders."""
    return story.replacement.result(CHAPTER_SECONDS)


@pytest.fixture(scope="session")
def failure(story: Story) -> Failure:
    """The third chapter: a run that fails in the middle."""
    return story.failure.result(CHAPTER_SECONDS)


@pytest.fixture(scope="session")
def evolution(story: Story) -> Evolution:
    """The last chapter: a new column, and a run after it."""
    return story.evolution.result(CHAPTER_SECONDS)


@pytest.fixture(scope="session")
def witness(
    dagster: DagsterApi, lakehouse: Lakehouse, cube: CubeApi, evolution: Evolution
) -> Witness:
    """Who looks at the platform before and after a restart; nothing changes it any more."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
    return Witness(dagster, lakehouse, cube, run_id=evolution.run.run.run_id)
