"""Do serving, gold and silver say the same: what is a contradiction, and what is only behind."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from floe_platform.lakehouse import agreement, pipeline, tables
from floe_platform.lakehouse.catalog import Lakehouse
from floe_platform.lakehouse.serving import Served

if TYPE_CHECKING:
    from floe_platform.lakehouse.pipeline import GoldTotals

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def gold(lakehouse: Lakehouse) -> GoldTotals:
    write_silver(lakehouse, "a")
    pipeline.total(lakehouse)
    return pipeline.read_gold(lakehouse)


def write_silver(lakehouse: Lakehouse, batch: str) -> None:
    pipeline.ingest(lakehouse, batch, rows=100, seed=1, dirty_every=9)
    pipeline.clean(lakehouse, batch, highest_amount_cents=None)


def served_from(gold: GoldTotals) -> Served:
    return Served(gold.snapshot_id, NOW, gold.days)


def test_what_was_loaded_from_the_newest_agrees(lakehouse: Lakehouse, gold: GoldTotals) -> None:
    found = agreement.compare(lakehouse, served_from(gold))

    assert (found.problems, found.behind) == ((), ())
    assert found.served == found.gold == found.silver == pipeline.add_up(gold.days)


def test_a_served_day_that_differs_is_named(lakehouse: Lakehouse, gold: GoldTotals) -> None:
    first, *others = gold.days
    spoilt = dataclasses.replace(first, revenue_cents=first.revenue_cents + 1)
    served = dataclasses.replace(served_from(gold), days=(spoilt, *others))

    (problem,) = agreement.compare(lakehouse, served).problems

    assert problem == (
        f"the serving database and gold differ on 1 days; on {first.day} the serving database has "
        f"{first.orders} orders and {first.revenue_cents + 1} cents, "
        f"gold {first.orders} orders and {first.revenue_cents} cents"
    )


def test_a_served_day_that_is_missing_is_named(lakehouse: Lakehouse, gold: GoldTotals) -> None:
    served = dataclasses.replace(served_from(gold), days=gold.days[1:])

    (problem,) = agreement.compare(lakehouse, served).problems

    assert f"on {gold.days[0].day} the serving database has nothing" in problem


def test_gold_that_others_changed_contradicts_silver(
    lakehouse: Lakehouse, gold: GoldTotals
) -> None:
    table = tables.open_table(lakehouse, tables.GOLD)
    rows = table.scan().to_arrow().slice(1).cast(tables.arrow_schema(tables.GOLD))
    label = {pipeline.SILVER_SNAPSHOT: str(gold.silver_snapshot_id)}
    table.overwrite(rows, snapshot_properties=label)
    changed = pipeline.read_gold(lakehouse)

    (problem,) = agreement.compare(lakehouse, served_from(changed)).problems

    assert problem.startswith("gold and silver differ on 1 days")


def test_gold_of_somebody_else_is_told(lakehouse: Lakehouse, gold: GoldTotals) -> None:
    table = tables.open_table(lakehouse, tables.GOLD)
    table.overwrite(table.scan().to_arrow().cast(tables.arrow_schema(tables.GOLD)))

    found = agreement.compare(lakehouse, served_from(pipeline.read_gold(lakehouse)))

    assert found.problems == (
        "gold.daily_totals was not written by this pipeline; materialize it again",
    )
    assert gold.silver_snapshot_id is not None


def test_nothing_served_is_told(lakehouse: Lakehouse, gold: GoldTotals) -> None:
    found = agreement.compare(lakehouse, Served(None, None, ()))

    assert gold.snapshot_id is not None
    assert found.problems == (
        "the serving database was never loaded; materialize serving/daily_totals",
    )


def test_snapshots_that_were_expired_are_told(lakehouse: Lakehouse, gold: GoldTotals) -> None:
    gone = dataclasses.replace(served_from(gold), snapshot_id=1)
    of_gold = agreement.compare(lakehouse, gone).problems
    table = tables.open_table(lakehouse, tables.GOLD)
    rows = table.scan().to_arrow().cast(tables.arrow_schema(tables.GOLD))
    table.overwrite(rows, snapshot_properties={pipeline.SILVER_SNAPSHOT: "2"})
    of_silver = agreement.compare(lakehouse, served_from(pipeline.read_gold(lakehouse))).problems

    assert of_gold == ("gold.daily_totals has no snapshot 1 any more",)
    assert of_silver == ("silver.orders has no snapshot 2 any more",)


def test_a_load_from_before_the_first_gold_is_behind(
    lakehouse: Lakehouse, gold: GoldTotals
) -> None:
    found = agreement.compare(lakehouse, Served(None, NOW, ()))

    assert gold.days != ()
    assert found.problems == ()
    assert found.behind == ("gold has a newer snapshot than the serving database was loaded from",)


def test_newer_commits_of_others_leave_older_totals_right(
    lakehouse: Lakehouse, gold: GoldTotals
) -> None:
    write_silver(lakehouse, "b")
    ahead = agreement.compare(lakehouse, served_from(gold))
    pipeline.total(lakehouse)
    farther = agreement.compare(lakehouse, served_from(gold))

    assert ahead.problems == farther.problems == ()
    assert ahead.behind == ("silver has a newer snapshot than gold was computed from",)
    assert farther.behind == (
        "gold has a newer snapshot than the serving database was loaded from",
    )
    assert farther.served == farther.gold == farther.silver


def test_a_run_that_is_about_to_catch_up_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agreement, "_PAUSE_SECONDS", 0.01)
    totals = pipeline.add_up(())
    behind = agreement.Agreement(totals, totals, totals, (), ("gold",))
    level = agreement.Agreement(totals, totals, totals, (), ())
    wrong = agreement.Agreement(totals, totals, totals, ("wrong",), ("gold",))

    def settle(answers: list[agreement.Agreement], grace_seconds: float) -> agreement.Agreement:
        return agreement.settle(
            lambda: answers.pop(0) if len(answers) > 1 else answers[0], grace_seconds=grace_seconds
        )

    assert settle([behind, behind, level], 30) is level
    assert settle([behind, wrong], 30) is wrong
    assert settle([behind], 0.05) is behind
