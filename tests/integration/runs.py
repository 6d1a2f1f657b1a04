"""The runs that most tests look at: launched once, in one row, while other tests go on.

The platform runs one at a time, in the order of launching. Launched back to back, nothing comes
between a pipeline and the `describe_tables` that reads what it wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_suite.order_rules import OrderRules

if TYPE_CHECKING:
    from platform_suite.dagster_api import DagsterApi

PIPELINE = "orders_pipeline"
CHECK = ("daily_totals", "totals_match_orders")
# Not the defaults: that configuration arrives is part of what is tested.
MAIN_RULES = OrderRules(rows=480, seed=11, dirty_every=7)
FIRST_RULES = OrderRules(rows=90, seed=3, dirty_every=4)

GOOD_CSV = """order_id,customer,day,amount
1,ada,2026-03-01,12.50
2,grace,2026-03-01,0.99
3,edsger,2026-03-02,7
"""
GOOD_ROWS = 3
GOOD_CENTS = 1250 + 99 + 700
BAD_CSV = """order_id,customer,day,amount
1,ada,2026-03-01,12.50
2,grace,2026-03-01,abc
3,,2026-02-30,7
"""


@dataclass(frozen=True)
class LaunchedRuns:
    """The ids of the runs, in the order in which they were launched.

    Attributes:
        good_import: A CSV text that is right.
        bad_import: A CSV text with three mistakes.
        first_pipeline: The pipeline with FIRST_RULES.
        orders_alone: New orders by MAIN_RULES, with the daily totals left as they were.
        stale_check: The check alone, on totals that no longer match.
        pipeline: The pipeline with MAIN_RULES.
        tables: What lies in DuckDB after all of these.
    """

    good_import: str
    bad_import: str
    first_pipeline: str
    orders_alone: str
    stale_check: str
    pipeline: str
    tables: str


def launch_runs(dagster: DagsterApi) -> LaunchedRuns:
    """Launch them all; the queue holds them."""
    first, main = FIRST_RULES.run_config(), MAIN_RULES.run_config()
    return LaunchedRuns(
        good_import=dagster.launch("import_orders", import_config(GOOD_CSV)),
        bad_import=dagster.launch("import_orders", import_config(BAD_CSV)),
        first_pipeline=dagster.launch(PIPELINE, first),
        orders_alone=dagster.launch(PIPELINE, main, assets=["orders", "orders_cleaned"]),
        stale_check=dagster.launch(PIPELINE, assets=[], checks=[CHECK]),
        pipeline=dagster.launch(PIPELINE, main),
        tables=dagster.launch("describe_tables"),
    )


def import_config(csv: str) -> dict[str, object]:
    """Return the run config of an import of CSV text."""
    return {"ops": {"import_orders": {"config": {"csv": csv}}}}
