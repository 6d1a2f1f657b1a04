"""Any pod may go at any time: the next one is there soon, and nothing is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from platform_suite.restarts import reload_location, replace_pods

from .batches import CLEANED, MAIN, PIPELINE, daily_totals

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster
    from platform_suite.cube_api import CubeApi
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.run_watch import RunWatch

    from .witness import Witness

pytestmark = [pytest.mark.kubernetes, pytest.mark.restarts]

RECOVERY_SECONDS = 60.0


@pytest.mark.parametrize(
    "role", ["webserver", "daemon", "code", "cube", "catalog", "object-storage", "postgres"]
)
def test_deleted_pod_comes_back_and_nothing_is_lost(
    cluster: Cluster, witness: Witness, role: str
) -> None:
    """A new pod is ready in time, and tables, dashboard and history are what they were."""
    before = witness.look(deadline=time.monotonic() + RECOVERY_SECONDS)
    deadline = time.monotonic() + RECOVERY_SECONDS
    replace_pods(cluster, role, deadline=deadline)
    assert witness.look(deadline=deadline) == before


def test_pipeline_runs_when_every_pod_is_another_one(
    dagster: DagsterApi, runs: RunWatch, lakehouse: Lakehouse, cube: CubeApi, witness: Witness
) -> None:
    """Not only what was there is there: the platform works, from the queue to the dashboard."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    witness.look(deadline=deadline)
    reload_location(dagster, deadline=deadline)
    run = runs.finish(dagster.launch(PIPELINE, MAIN.run_config()))
    assert run.run.status == "SUCCESS", run.reasons()
    assert lakehouse.daily_totals() == daily_totals(*CLEANED)
    cube.wait_for_daily_totals(daily_totals(*CLEANED))
