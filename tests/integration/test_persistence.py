"""What outlives a pod: the history of runs, and the tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from platform_suite.restarts import reload_location, replace_pods

from .runs import GOOD_CENTS, GOOD_ROWS

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.run_watch import RunWatch

    from .runs import LaunchedRuns


pytestmark = pytest.mark.kubernetes

RECOVERY_SECONDS = 60.0


def test_history_survives_the_deletion_of_the_webserver(
    cluster: Cluster, dagster: DagsterApi, runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """Another pod answers within a minute, and knows every run with its events."""
    before = runs.finish(launched_runs.pipeline)
    deadline = time.monotonic() + RECOVERY_SECONDS
    replace_pods(cluster, "webserver", deadline=deadline)
    reload_location(dagster, deadline=deadline)
    assert dagster.run(launched_runs.pipeline) == before.run
    assert dagster.events(launched_runs.pipeline) == before.events


@pytest.mark.restarts_code
def test_tables_survive_the_deletion_of_the_code_location(
    cluster: Cluster, dagster: DagsterApi, runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """DuckDB's file lies on a volume: the next pod reads what this one wrote."""
    imported = runs.finish(launched_runs.good_import)
    assert imported.run.status == "SUCCESS", imported.reasons()
    # The last of them: nothing is under way any more in the pod that goes.
    runs.finish(launched_runs.tables)
    deadline = time.monotonic() + RECOVERY_SECONDS
    replace_pods(cluster, "code", deadline=deadline)
    reload_location(dagster, deadline=deadline)
    described = runs.finish(dagster.launch("describe_tables"))
    assert described.run.status == "SUCCESS", described.reasons()
    # The one table that a scheduled run in between does not write.
    table = described.tables().get("imported_orders")
    assert table == {"rows": GOOD_ROWS, "sum_amount_cents": GOOD_CENTS}
