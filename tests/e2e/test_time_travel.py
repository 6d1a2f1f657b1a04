"""Tables remember: older snapshots give older values, and a new column leaves old rows be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.lakehouse import SILVER

from .batches import EVOLVED, FIRST, MAIN
from .story import NEW_COLUMN

if TYPE_CHECKING:
    from platform_suite.lakehouse import Lakehouse

    from .story import Evolution, Replacement, TwoAtOnce

pytestmark = pytest.mark.kubernetes


def test_older_snapshot_gives_the_older_orders(
    lakehouse: Lakehouse, replacement: Replacement
) -> None:
    """A batch that was replaced can be read as it was before."""
    assert replacement.run.run.status == "SUCCESS", replacement.run.reasons()
    before = replacement.snapshots_before[SILVER]
    read = lakehouse.orders(SILVER, batch=FIRST.name, snapshot=before)
    assert read == FIRST.rules.cleaned_orders()
    assert lakehouse.orders(SILVER, batch=MAIN.name) == MAIN.rules.cleaned_orders()


def test_older_snapshot_gives_the_older_totals(
    lakehouse: Lakehouse, two_at_once: TwoAtOnce, replacement: Replacement
) -> None:
    """The report of yesterday can be made again today."""
    before = replacement.snapshots_before["gold.daily_totals"]
    assert lakehouse.daily_totals(snapshot=before) == two_at_once.gold


def test_run_after_a_new_column_succeeds_and_leaves_the_column(
    lakehouse: Lakehouse, evolution: Evolution
) -> None:
    """Somebody else's column is no reason to fail, and none to take it away again."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
    assert NEW_COLUMN in {column.name for column in lakehouse.columns(SILVER)}
    assert lakehouse.orders(SILVER, batch=EVOLVED.name) == EVOLVED.rules.cleaned_orders()


def test_rows_from_before_a_new_column_read_null_in_it(
    lakehouse: Lakehouse, evolution: Evolution
) -> None:
    """Files that know nothing of the column are read all the same, and not written again."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
    rows = lakehouse.rows(SILVER, batch=MAIN.name)
    assert len(rows) == MAIN.rules.cleaned_rows()
    assert {row[NEW_COLUMN] for row in rows} == {None}


def test_snapshot_from_before_a_new_column_has_the_older_schema(
    lakehouse: Lakehouse, evolution: Evolution
) -> None:
    """Time travel goes back in columns as well as in rows."""
    (row, *_) = lakehouse.rows(SILVER, snapshot=evolution.snapshot_before)
    assert NEW_COLUMN not in row
