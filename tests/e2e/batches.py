"""The batches of orders that this suite sends through the lakehouse, and what must come of them.

The names stand: a batch that is sent again replaces itself, so a second session in the same
namespace ends with the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from platform_suite.order_rules import DailyTotals, DayTotal, Order, OrderRules, totals_by_day

PIPELINE = "lakehouse_pipeline"
# The pipeline of the minimal form, which knows no batches.
ON_DUCKDB = "orders_pipeline"
DUCKDB_RULES = OrderRules(rows=50)
STAGES = ("bronze/orders", "silver/orders", "gold/daily_totals", "serving/daily_totals")
TABLES = ("bronze.orders", "silver.orders", "gold.daily_totals")


@dataclass(frozen=True)
class Batch:
    """Orders that one run brings in."""

    name: str
    rules: OrderRules

    def run_config(self, *, highest_amount_cents: int | None = None) -> dict[str, object]:
        """Return the run config that sends this batch.

        Args:
            highest_amount_cents: What an order may cost at most; None for no limit.
        """
        ops = {"bronze__orders": {"config": {"batch": self.name, **self.rules.settings()}}}
        if highest_amount_cents is not None:
            ops["silver__orders"] = {"config": {"highest_amount_cents": highest_amount_cents}}
        return {"ops": ops}


# The same batch twice, with other orders: the second replaces the first.
FIRST = Batch("main", OrderRules(rows=240, seed=3, dirty_every=4))
MAIN = Batch("main", OrderRules(rows=480, seed=11, dirty_every=7))
BESIDE = Batch("beside", OrderRules(rows=310, seed=5, dirty_every=9))
TOO_DEAR = Batch("too-dear", OrderRules(rows=120, seed=2, dirty_every=6))
EVOLVED = Batch("evolved", OrderRules(rows=200, seed=8, dirty_every=5))

# What the silver table holds once every run of a session is over.
CLEANED = (MAIN, BESIDE, EVOLVED)


def daily_totals(*batches: Batch) -> DailyTotals:
    """Work out what the daily totals of these batches together must be."""
    return totals_by_day(order for batch in batches for order in batch.rules.cleaned_orders())


def totals(days: DailyTotals) -> DayTotal:
    """Add up daily totals."""
    return DayTotal(
        orders=sum(day.orders for day in days.values()),
        revenue_cents=sum(day.revenue_cents for day in days.values()),
    )


def highest_amount_cents(orders: list[Order]) -> int:
    """Find the dearest order."""
    return max(order.amount_cents for order in orders)
