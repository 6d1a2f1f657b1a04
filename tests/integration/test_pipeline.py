"""The orders pipeline: what it leaves in DuckDB against what its rules say it must."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .runs import FIRST_RULES, MAIN_RULES

if TYPE_CHECKING:
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.run_watch import RunWatch

    from .runs import LaunchedRuns

STAGES = ["orders", "orders_cleaned", "daily_totals"]


def test_pipeline_succeeds_and_materializes_its_assets_in_order(
    runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """Launched over GraphQL, run to the end, one asset after the other."""
    pipeline = runs.finish(launched_runs.pipeline)
    assert pipeline.run.status == "SUCCESS", pipeline.reasons()
    assert list(pipeline.about("MaterializationEvent")) == STAGES


def test_raw_orders_follow_the_rules(runs: RunWatch, launched_runs: LaunchedRuns) -> None:
    """Rows and amounts of the raw table, spoilt orders included."""
    table = runs.finish(launched_runs.tables).tables()["orders"]
    assert table == {"rows": MAIN_RULES.raw_rows(), "sum_amount_cents": MAIN_RULES.raw_cents()}


def test_cleaning_drops_spoilt_orders_and_keeps_the_others(
    runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """Negative and anonymous orders go, a pair becomes its cheaper half, nothing else is lost."""
    spoilt = MAIN_RULES.spoilt()
    assert all(spoilt[kind] for kind in ("negative", "anonymous", "twice")), "nothing is tested"
    tables = runs.finish(launched_runs.tables).tables()
    dropped = tables["orders"]["rows"] - tables["orders_cleaned"]["rows"]
    assert dropped == spoilt["negative"] + spoilt["anonymous"] + spoilt["twice"]
    assert tables["orders_cleaned"] == {
        "rows": MAIN_RULES.cleaned_rows(),
        "sum_amount_cents": MAIN_RULES.cleaned_cents(),
    }


def test_daily_totals_add_up_to_the_cleaned_orders(
    runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """One row a day; orders and revenue are those of the cleaned orders."""
    table = runs.finish(launched_runs.tables).tables()["daily_totals"]
    assert table == {
        "rows": MAIN_RULES.days(),
        "sum_orders": MAIN_RULES.cleaned_rows(),
        "sum_revenue_cents": MAIN_RULES.cleaned_cents(),
    }


def test_metadata_of_the_assets_says_what_lies_in_duckdb(
    runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """Who reads the numbers in Dagster's UI reads the truth."""
    tables = runs.finish(launched_runs.tables).tables()
    assets = runs.finish(launched_runs.pipeline).about("MaterializationEvent")
    assert {name: assets[name].metadata["rows"] for name in STAGES} == {
        name: tables[name]["rows"] for name in STAGES
    }
    totals = assets["daily_totals"].metadata
    assert totals["orders"] == MAIN_RULES.cleaned_rows()
    assert round(totals["revenue"] * 100) == MAIN_RULES.cleaned_cents()


def test_asset_check_passes_with_the_pipeline(runs: RunWatch, launched_runs: LaunchedRuns) -> None:
    """The check ran in the same run, and on its numbers."""
    checks = runs.finish(launched_runs.pipeline).about("AssetCheckEvaluationEvent")
    assert checks["totals_match_orders"].passed is True
    assert checks["totals_match_orders"].metadata["orders_cleaned"] == MAIN_RULES.cleaned_rows()


def test_asset_check_fails_when_the_totals_are_stale(
    runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """New orders without new totals: the check sees both numbers and fails its run."""
    alone = runs.finish(launched_runs.orders_alone)
    assert alone.run.status == "SUCCESS", alone.reasons()
    assert "daily_totals" not in alone.about("MaterializationEvent")
    stale = runs.finish(launched_runs.stale_check)
    assert stale.run.status == "FAILURE", "a blocking check that fails must fail the run"
    check = stale.about("AssetCheckEvaluationEvent")["totals_match_orders"]
    assert check.passed is False
    assert check.metadata["orders_in_totals"] == FIRST_RULES.cleaned_rows()
    assert check.metadata["orders_cleaned"] == MAIN_RULES.cleaned_rows()


def test_running_again_replaces_the_rows_and_doubles_none(
    runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """The same config twice, on top of another one: the rows of that config, each once."""
    first = runs.finish(launched_runs.orders_alone).about("MaterializationEvent")
    again = runs.finish(launched_runs.pipeline).about("MaterializationEvent")
    tables = runs.finish(launched_runs.tables).tables()
    for name in ("orders", "orders_cleaned"):
        assert first[name].metadata["rows"] == again[name].metadata["rows"]
        assert tables[name]["rows"] == again[name].metadata["rows"]


def test_runs_execute_one_at_a_time(
    dagster: DagsterApi, runs: RunWatch, launched_runs: LaunchedRuns
) -> None:
    """DuckDB has one writer: the queue holds the next run until the one before it is over."""
    # A run takes longer to start than to execute, so two may miss each other by chance.
    assert dagster.max_concurrent_runs() == 1
    in_order = [runs.finish(run_id).run for run_id in vars(launched_runs).values()]
    for earlier, later in pairwise(in_order):
        assert earlier.ended_at is not None
        assert later.started_at is not None
        assert earlier.ended_at <= later.started_at, f"{earlier.job} and {later.job} overlap"
