"""One set of numbers, wherever it is read: catalog, files, Dagster, Cube, and plain arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.cube_api import CUBE
from platform_suite.lakehouse import GOLD, SILVER

from .batches import CLEANED, EVOLVED, STAGES, daily_totals, totals

if TYPE_CHECKING:
    from platform_suite.cube_api import CubeApi
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.object_storage import ObjectStorage
    from platform_suite.order_rules import DailyTotals

    from .story import Evolution

pytestmark = pytest.mark.kubernetes


@pytest.fixture(scope="module")
def wanted(evolution: Evolution) -> DailyTotals:
    """Orders and revenue of each day, worked out from the rules, once all runs are over."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
    return daily_totals(*CLEANED)


def test_gold_table_in_the_catalog(lakehouse: Lakehouse, wanted: DailyTotals) -> None:
    """Read as any Iceberg client reads it."""
    assert lakehouse.daily_totals() == wanted


@pytest.mark.parametrize(
    ("table", "of_orders"),
    [pytest.param(GOLD, False, id="of gold"), pytest.param(SILVER, True, id="of silver")],
)
def test_parquet_files_in_duckdb(
    lakehouse: Lakehouse,
    storage: ObjectStorage,
    wanted: DailyTotals,
    *,
    table: str,
    of_orders: bool,
) -> None:
    """The files of the scan plan themselves: totals of days, and single orders added up."""
    files = [file.path for file in lakehouse.data_files(table)]
    assert storage.daily_totals(files, of_orders=of_orders) == wanted


@pytest.mark.parametrize("table", [SILVER, GOLD])
def test_row_counts_in_the_manifests(lakehouse: Lakehouse, wanted: DailyTotals, table: str) -> None:
    """What planners count on without opening a file."""
    rows = {SILVER: totals(wanted).orders, GOLD: len(wanted)}
    assert sum(file.rows for file in lakehouse.data_files(table)) == rows[table]


@pytest.mark.parametrize("stage", STAGES[2:])
def test_metadata_in_dagster(evolution: Evolution, wanted: DailyTotals, stage: str) -> None:
    """Who reads the numbers in Dagster's UI reads the truth."""
    metadata = evolution.run.about("MaterializationEvent")[stage].metadata
    assert metadata["rows"] == len(wanted)
    assert metadata["orders"] == totals(wanted).orders
    assert metadata["revenue_cents"] == totals(wanted).revenue_cents


def test_metadata_of_the_batch_in_dagster(evolution: Evolution, wanted: DailyTotals) -> None:
    """The rows of the stages that know batches are those of the run's own."""
    assert wanted
    made = evolution.run.about("MaterializationEvent")
    assert made["bronze/orders"].metadata["rows"] == EVOLVED.rules.raw_rows()
    assert made["silver/orders"].metadata["rows"] == EVOLVED.rules.cleaned_rows()


def test_check_in_dagster(evolution: Evolution, wanted: DailyTotals) -> None:
    """The platform's own comparison of silver, gold and what is served comes to the same."""
    check = evolution.run.about("AssetCheckEvaluationEvent")["totals_match_lakehouse"]
    assert check.passed is True, check.metadata
    for place in ("served", "in_gold", "in_silver"):
        assert check.metadata[f"orders_{place}"] == totals(wanted).orders
        assert check.metadata[f"revenue_cents_{place}"] == totals(wanted).revenue_cents


def test_days_in_cube(cube: CubeApi, wanted: DailyTotals) -> None:
    """What a dashboard shows, day by day."""
    cube.wait_for_daily_totals(wanted)


def test_sums_in_cube(cube: CubeApi, wanted: DailyTotals) -> None:
    """What a dashboard shows in one number each."""
    cube.wait_for_daily_totals(wanted)
    measures = [f"{CUBE}.{measure}" for measure in ("orders", "revenueCents", "days")]
    (row,) = cube.wait_for_rows({"measures": measures})
    assert [int(row[measure]) for measure in measures] == [
        totals(wanted).orders,
        totals(wanted).revenue_cents,
        len(wanted),
    ]
