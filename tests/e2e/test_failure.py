"""A run that fails in the middle: it says why, and nobody reads half of its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.lakehouse import GOLD, SILVER

from .batches import TABLES, TOO_DEAR

if TYPE_CHECKING:
    from platform_suite.lakehouse import Lakehouse

    from .story import Evolution, Failure

pytestmark = pytest.mark.kubernetes


def test_run_fails_where_the_order_is_too_dear_and_says_why(failure: Failure) -> None:
    """The limit stands in the reason; what comes after silver was not begun."""
    assert failure.run.run.status == "FAILURE"
    assert list(failure.run.about("MaterializationEvent")) == ["bronze/orders"]
    (failed,) = [e for e in failure.run.events if e.kind == "ExecutionStepFailureEvent"]
    assert failed.step == "silver__orders"
    assert f"highest_amount_cents = {failure.limit_cents} allows" in " ".join(failed.reasons)


@pytest.mark.parametrize("table", [SILVER, GOLD])
def test_table_stays_at_its_last_snapshot(failure: Failure, table: str) -> None:
    """No commit, no change: readers never notice the run."""
    assert failure.snapshots_after[table] == failure.snapshots_before[table]


def test_files_that_were_written_before_the_failure_are_read_by_nobody(
    lakehouse: Lakehouse, failure: Failure
) -> None:
    """The data had reached object storage: no reader sees it, and none of it is left there."""
    (failed,) = [e for e in failure.run.events if e.kind == "ExecutionStepFailureEvent"]
    assert failed.metadata["data_files_written"] >= 1, "it failed before the middle"
    assert lakehouse.orders(SILVER, batch=TOO_DEAR.name) == []
    assert failure.new_files == frozenset()


def test_raw_orders_of_the_failed_run_are_kept(lakehouse: Lakehouse, failure: Failure) -> None:
    """What was finished before the failure counts: the raw batch need not be sent again."""
    bronze = TABLES[0]
    assert failure.snapshots_after[bronze] != failure.snapshots_before[bronze]
    assert lakehouse.orders(bronze, batch=TOO_DEAR.name) == TOO_DEAR.rules.raw_orders()


def test_totals_and_dashboards_are_those_of_before(lakehouse: Lakehouse, failure: Failure) -> None:
    """Neither gold nor what is served knows of the failed run."""
    gold = lakehouse.daily_totals(snapshot=failure.snapshots_after[GOLD])
    assert gold == failure.gold_before
    assert failure.served_after == failure.gold_before


def test_next_run_is_not_disturbed(evolution: Evolution) -> None:
    """Nothing has to be cleaned up by hand after a failure."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
