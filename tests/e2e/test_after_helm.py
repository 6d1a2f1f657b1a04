"""After `helm upgrade` and after `helm rollback`: what was there before is there, and goes on.

The suite ran before, in a pod that is gone, so what it left is compared with itself: Dagster's
history knows which snapshots the last good run made and what they add up to. Catalog, files and
Cube must say the same, and plain arithmetic too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.lakehouse import SILVER
from platform_suite.run_watch import FinishedRun

from .batches import CLEANED, MAIN, PIPELINE, STAGES, TABLES, daily_totals, totals
from .chart_values import upgraded_roles

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster
    from platform_suite.cube_api import CubeApi
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.object_storage import ObjectStorage
    from platform_suite.run_watch import RunWatch

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.after_upgrade,
    pytest.mark.after_rollback,
]


@pytest.fixture(scope="module")
def good_runs(dagster: DagsterApi) -> list[FinishedRun]:
    """The pipeline's runs that succeeded before this phase, the latest last."""
    found = dagster.runs(PIPELINE, created_after=0)
    good = sorted(
        (run for run in found if run.status == "SUCCESS"), key=lambda run: run.ended_at or 0
    )
    assert good, f"no run of {PIPELINE} succeeded before: run the suite itself first"
    return [FinishedRun(run, dagster.events(run.run_id)) for run in good]


def test_history_of_runs_is_there(good_runs: list[FinishedRun]) -> None:
    """Every run of before with every asset that it materialized."""
    for run in good_runs:
        assert list(run.about("MaterializationEvent")) == list(STAGES), run.run.run_id


@pytest.mark.parametrize("role", upgraded_roles())
def test_data_is_older_than_the_pod_that_holds_it(
    cluster: Cluster, good_runs: list[FinishedRun], role: str
) -> None:
    """The pods were replaced, so what follows is about data and not about pods that stayed."""
    ended_at = good_runs[-1].run.ended_at
    assert ended_at is not None
    pods = cluster.release_pods(role)
    assert pods
    for pod in pods:
        assert pod.is_ready, pod.name
        assert pod.created_at > ended_at, pod.name


@pytest.mark.parametrize("table", TABLES)
def test_table_is_at_the_snapshot_of_the_last_good_run(
    lakehouse: Lakehouse, good_runs: list[FinishedRun], table: str
) -> None:
    """Nothing was lost, and nothing was written in between."""
    made = good_runs[-1].about("MaterializationEvent")[table.replace(".", "/")]
    assert str(lakehouse.snapshot(table)) == made.metadata["snapshot_id"]


@pytest.mark.parametrize("table", TABLES)
def test_every_snapshot_in_the_history_of_runs_can_still_be_read(
    lakehouse: Lakehouse, good_runs: list[FinishedRun], table: str
) -> None:
    """Time travel reaches back over the upgrade."""
    for run in good_runs:
        made = run.about("MaterializationEvent")[table.replace(".", "/")].metadata
        snapshot = int(made["snapshot_id"])
        batch = None if table.startswith("gold.") else made["batch"]
        assert len(lakehouse.rows(table, batch=batch, snapshot=snapshot)) == made["rows"]


def test_orders_are_those_of_before(lakehouse: Lakehouse, good_runs: list[FinishedRun]) -> None:
    """Every batch, order by order, as its rules say."""
    assert good_runs
    for batch in CLEANED:
        found = lakehouse.orders(SILVER, batch=batch.name)
        assert found == batch.rules.cleaned_orders(), batch.name


def test_totals_are_those_of_before_wherever_they_are_read(
    lakehouse: Lakehouse,
    storage: ObjectStorage,
    cube: CubeApi,
    good_runs: list[FinishedRun],
) -> None:
    """Catalog, files, Cube, Dagster and arithmetic agree."""
    wanted = daily_totals(*CLEANED)
    assert lakehouse.daily_totals() == wanted
    files = [file.path for file in lakehouse.data_files(SILVER)]
    assert storage.daily_totals(files, of_orders=True) == wanted
    cube.wait_for_daily_totals(wanted)
    served = good_runs[-1].about("MaterializationEvent")["serving/daily_totals"].metadata
    assert served["orders"] == totals(wanted).orders
    assert served["revenue_cents"] == totals(wanted).revenue_cents


# The last of this file: it moves the tables on.
def test_pipeline_runs_again(
    dagster: DagsterApi,
    runs: RunWatch,
    lakehouse: Lakehouse,
    cube: CubeApi,
    good_runs: list[FinishedRun],
) -> None:
    """A batch that is sent again replaces itself, so the totals stay and the snapshots do not."""
    run = runs.finish(dagster.launch(PIPELINE, MAIN.run_config()))
    assert run.run.status == "SUCCESS", run.reasons()
    made = run.about("MaterializationEvent")
    before = good_runs[-1].about("MaterializationEvent")
    for table in TABLES:
        stage = table.replace(".", "/")
        assert made[stage].metadata["snapshot_id"] != before[stage].metadata["snapshot_id"]
    assert lakehouse.daily_totals() == daily_totals(*CLEANED)
    cube.wait_for_daily_totals(daily_totals(*CLEANED))
