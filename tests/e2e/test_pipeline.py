"""The lakehouse pipeline: launched over GraphQL, right in every table it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.lakehouse import SILVER

from .batches import (
    BESIDE,
    DUCKDB_RULES,
    FIRST,
    MAIN,
    ON_DUCKDB,
    PIPELINE,
    STAGES,
    TABLES,
    daily_totals,
    totals,
)

if TYPE_CHECKING:
    from platform_suite.dagster_answers import Location
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.lakehouse import Lakehouse

    from .batches import Batch
    from .story import Evolution, Replacement, TwoAtOnce

pytestmark = pytest.mark.kubernetes

SUCCESS_SECONDS = 120.0


def test_code_location_serves_the_lakehouse_beside_the_pipelines_on_duckdb(
    location: Location,
) -> None:
    """The full form has all of the minimal one."""
    assert location.jobs >= {PIPELINE, ON_DUCKDB, "import_orders"}
    assert location.assets >= {*STAGES, "orders", "orders_cleaned", "daily_totals"}


def test_pipeline_succeeds_in_time_and_materializes_its_assets_in_order(
    replacement: Replacement,
) -> None:
    """From the launch to SUCCESS, the wait in the queue included."""
    run = replacement.run.run
    assert run.status == "SUCCESS", replacement.run.reasons()
    assert list(replacement.run.about("MaterializationEvent")) == list(STAGES)
    assert run.ended_at is not None
    assert run.ended_at - run.created_at < SUCCESS_SECONDS


def test_materializations_name_the_batch_and_the_snapshot_that_they_made(
    lakehouse: Lakehouse, replacement: Replacement
) -> None:
    """From a number in Dagster's UI, the very state of the table behind it can be read again."""
    made = replacement.run.about("MaterializationEvent")
    for table in TABLES:
        metadata = made[table.replace(".", "/")].metadata
        snapshots = [str(snapshot) for snapshot in lakehouse.snapshots(table)]
        assert metadata["snapshot_id"] in snapshots, table
        assert metadata["snapshot_id"] != str(replacement.snapshots_before[table]), table
    assert {made[stage].metadata["batch"] for stage in STAGES} == {MAIN.name}


def test_raw_orders_follow_the_rules(lakehouse: Lakehouse, replacement: Replacement) -> None:
    """Every row of the batch, spoilt ones included, value by value."""
    assert replacement.run.run.status == "SUCCESS", replacement.run.reasons()
    assert lakehouse.orders("bronze.orders", batch=MAIN.name) == MAIN.rules.raw_orders()


def test_cleaning_drops_spoilt_orders_and_keeps_the_others(
    lakehouse: Lakehouse, replacement: Replacement
) -> None:
    """Negative and anonymous orders go, a pair becomes its cheaper half, nothing else is lost."""
    spoilt = MAIN.rules.spoilt()
    assert all(spoilt[kind] for kind in ("negative", "anonymous", "twice")), "nothing is tested"
    assert replacement.run.run.status == "SUCCESS", replacement.run.reasons()
    assert lakehouse.orders(SILVER, batch=MAIN.name) == MAIN.rules.cleaned_orders()


def test_batch_that_is_sent_again_replaces_itself_and_no_other(
    lakehouse: Lakehouse, two_at_once: TwoAtOnce, replacement: Replacement
) -> None:
    """The orders of the first time are gone, and those of the other batch are what they were."""
    assert replacement.run.run.status == "SUCCESS", replacement.run.reasons()
    assert two_at_once.silver[FIRST.name] == FIRST.rules.cleaned_orders()
    assert lakehouse.orders(SILVER, batch=MAIN.name) == MAIN.rules.cleaned_orders()
    assert lakehouse.orders(SILVER, batch=BESIDE.name) == two_at_once.silver[BESIDE.name]


def test_two_pipelines_run_at_the_same_time(dagster: DagsterApi, two_at_once: TwoAtOnce) -> None:
    """They share tables, not the queue's only place: neither waits for the other's end."""
    assert dagster.max_concurrent_runs() == 2
    first, beside = two_at_once.first.run, two_at_once.beside.run
    assert first.started_at is not None
    assert first.ended_at is not None
    assert beside.started_at is not None
    assert beside.ended_at is not None
    assert first.started_at < beside.ended_at
    assert beside.started_at < first.ended_at


@pytest.mark.parametrize("batch", [FIRST, BESIDE], ids=["first", "beside"])
def test_both_of_two_pipelines_at_once_are_right(two_at_once: TwoAtOnce, batch: Batch) -> None:
    """Who commits second has not thrown away what the first one wrote."""
    for run in (two_at_once.first, two_at_once.beside):
        assert run.run.status == "SUCCESS", run.reasons()
    assert two_at_once.silver[batch.name] == batch.rules.cleaned_orders()


def test_totals_after_two_pipelines_at_once_are_those_of_all_orders(two_at_once: TwoAtOnce) -> None:
    """Neither of the two wrote totals without the other's orders over totals with them."""
    assert two_at_once.gold == two_at_once.gold_of_silver
    both = totals(daily_totals(FIRST, BESIDE))
    assert totals(two_at_once.gold).orders >= both.orders


def test_pipeline_on_duckdb_still_runs_one_at_a_time(evolution: Evolution) -> None:
    """Two places in the queue, and yet one writer of the DuckDB file."""
    earlier, later = sorted(evolution.on_duckdb, key=lambda each: each.run.started_at or 0)
    for each in (earlier, later):
        assert each.run.status == "SUCCESS", each.reasons()
        totals = each.about("MaterializationEvent")["daily_totals"].metadata
        assert totals["orders"] == DUCKDB_RULES.cleaned_rows()
    assert earlier.run.ended_at is not None
    assert later.run.started_at is not None
    assert earlier.run.ended_at <= later.run.started_at
