"""What outlives a pod: the history of runs, and the tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from .deadline import NotYet, wait_for
from .runs import GOOD_CENTS, GOOD_ROWS

if TYPE_CHECKING:
    from .cluster import Cluster, Pod
    from .dagster_api import DagsterApi
    from .runs import LaunchedRuns, RunWatch


pytestmark = pytest.mark.kubernetes

RECOVERY_SECONDS = 60.0


def test_history_survives_the_deletion_of_the_webserver(
    cluster: Cluster, dagster: DagsterApi, runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """Another pod answers within a minute, and knows every run with its events."""
    before = runs.finish(launched_runs.pipeline)
    deadline = time.monotonic() + RECOVERY_SECONDS
    _replace_pods(cluster, "webserver", deadline=deadline)
    _wait_for_location(dagster, deadline=deadline)
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
    _replace_pods(cluster, "code", deadline=deadline)
    _wait_for_location(dagster, deadline=deadline)
    described = runs.finish(dagster.launch("describe_tables"))
    assert described.run.status == "SUCCESS", described.reasons()
    # The one table that a scheduled run in between does not write.
    table = described.tables().get("imported_orders")
    assert table == {"rows": GOOD_ROWS, "sum_amount_cents": GOOD_CENTS}


def _replace_pods(cluster: Cluster, role: str, *, deadline: float) -> None:
    """Delete the pods of a role and wait until as many others are ready."""
    old = cluster.release_pods(role)
    assert old, f"no pod of the role {role}"
    for pod in old:
        cluster.delete_pod(pod.name)

    def successors() -> tuple[Pod, ...]:
        pods = cluster.release_pods(role)
        new = tuple(pod for pod in pods if pod.uid not in {gone.uid for gone in old})
        if len(new) < len(old) or not all(pod.is_ready for pod in new):
            raise NotYet(f"{[(pod.name, pod.is_ready) for pod in pods]}")
        return new

    wait_for(
        successors,
        what=f"new pods of the role {role}",
        deadline_seconds=deadline - time.monotonic(),
    )


def _wait_for_location(dagster: DagsterApi, *, deadline: float) -> None:
    wait_for(
        dagster.location,
        what="the code location",
        deadline_seconds=deadline - time.monotonic(),
    )
