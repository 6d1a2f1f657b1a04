"""What the orders pipeline must produce, worked out from the platform's documented rules.

Written against the rules alone and in plain Python, so that it agrees with the platform's SQL only
when both are right. For order n of `rows`:

    day       2026-01-01 plus (n - 1) modulo 31 days
    customer  'c' followed by (n * 7 + seed) modulo 50
    amount    100 + (n * 7919 + seed * 104729) modulo 9900 cents

Every `dirty_every`-th order is spoilt, by k = n / dirty_every modulo 3: 0 a negative amount, 1 no
customer, 2 the order sent twice, the second time one cent dearer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Dirt = Literal["negative", "anonymous", "twice"]
_DIRT: tuple[Dirt, Dirt, Dirt] = ("negative", "anonymous", "twice")
_FIRST_DAY = date(2026, 1, 1)


@dataclass(frozen=True, order=True)
class Order:
    """One order as a table holds it; the amount is in cents."""

    order_id: int
    day: date
    customer: str | None
    amount_cents: int


@dataclass(frozen=True)
class DayTotal:
    """What the orders of a day add up to; the revenue is in cents."""

    orders: int
    revenue_cents: int


DailyTotals = dict[date, DayTotal]


@dataclass(frozen=True)
class OrderRules:
    """One configuration of the pipeline, and what follows from it; sums are in cents."""

    rows: int = 1000
    seed: int = 7
    dirty_every: int = 10

    def settings(self) -> dict[str, object]:
        """Return the settings of the asset that makes the raw orders."""
        return {"rows": self.rows, "seed": self.seed, "dirty_every": self.dirty_every}

    def run_config(self) -> dict[str, object]:
        """Return the run config that asks the pipeline on DuckDB for these rules."""
        return {"ops": {"orders": {"config": self.settings()}}}

    def spoilt(self) -> Counter[Dirt]:
        """Count the spoilt orders by what is wrong with them."""
        counts = Counter[Dirt]()
        for n in self._numbers():
            kind = self._dirt(n)
            if kind is not None:
                counts[kind] += 1
        return counts

    def raw_orders(self) -> list[Order]:
        """Return the raw rows, in the order of their ids; of a pair the cheaper one first."""
        return [order for n in self._numbers() for order in self._raw(n)]

    def raw_rows(self) -> int:
        """Count the raw rows: an order that was sent twice is two."""
        return len(self.raw_orders())

    def raw_cents(self) -> int:
        """Add up the raw amounts, the negative ones and both of a pair included."""
        return sum(order.amount_cents for order in self.raw_orders())

    def cleaned_orders(self) -> list[Order]:
        """Return the orders that cleaning keeps, in the order of their ids."""
        kept = (n for n in self._numbers() if self._dirt(n) in {None, "twice"})
        return [self._order(n) for n in kept]

    def cleaned_rows(self) -> int:
        """Count the orders that cleaning keeps."""
        return len(self.cleaned_orders())

    def cleaned_cents(self) -> int:
        """Add up the amounts that cleaning keeps: the lower one of a pair."""
        return sum(order.amount_cents for order in self.cleaned_orders())

    def days(self) -> int:
        """Count the days with at least one order left."""
        return len({order.day for order in self.cleaned_orders()})

    def _numbers(self) -> range:
        return range(1, self.rows + 1)

    def _dirt(self, n: int) -> Dirt | None:
        if self.dirty_every == 0 or n % self.dirty_every:
            return None
        return _DIRT[n // self.dirty_every % 3]

    def _order(self, n: int) -> Order:
        return Order(
            order_id=n,
            day=_FIRST_DAY + timedelta(days=(n - 1) % 31),
            customer=f"c{(n * 7 + self.seed) % 50}",
            amount_cents=100 + (n * 7919 + self.seed * 104729) % 9900,
        )

    def _raw(self, n: int) -> tuple[Order, ...]:
        order = self._order(n)
        match self._dirt(n):
            case "negative":
                return (replace(order, amount_cents=-order.amount_cents),)
            case "anonymous":
                return (replace(order, customer=None),)
            case "twice":
                return (order, replace(order, amount_cents=order.amount_cents + 1))
            case _:
                return (order,)


def totals_by_day(orders: Iterable[Order]) -> dict[date, DayTotal]:
    """Add up orders day by day; a day without any is not there."""
    numbers, cents = Counter[date](), Counter[date]()
    for order in orders:
        numbers[order.day] += 1
        cents[order.day] += order.amount_cents
    return {day: DayTotal(numbers[day], cents[day]) for day in numbers}
