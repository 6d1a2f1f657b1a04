"""What a pipeline must make of a stream of production-like orders, from the written rules alone.

In plain Python, so that it agrees with the platform's SQL only when both are right; one order at a
time, so that its memory does not grow with the scale. Some 300,000 orders a second.

    h(k)          mix32(mix32(n + k * 0x9e3779b9) + mix32(seed + k)), all modulo 2^32
    customer      missing where h(5) modulo 1000 is 0 to 4
    amount        100 + h(3) modulo 9900; no number at 5 to 7, negated at 8 to 11
    twice         at 12 to 19, the second time a cent dearer
    day           2026-01-01 plus ((n - 1) * 90) / scale; 1 + h(4) modulo 7 days earlier where
                  h(4) / 256 modulo 1000 is below 20
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from .order_rules import DayTotal

_FIRST_DAY = date(2026, 1, 1)
_DAYS = 90
_LARGEST_PART = 500_000
_MASK = 0xFFFFFFFF
_STEP = 0x9E3779B9


@dataclass(frozen=True)
class StreamRules:
    """One stream, as the platform's settings `scale` and `seed` name it."""

    scale: int
    seed: int

    @property
    def parts(self) -> int:
        """How many batches bring it in."""
        return max(4, -(-self.scale // _LARGEST_PART))

    def numbers(self, part: int | None = None) -> range:
        """Return the numbers of the orders of a part; None for all of them."""
        if part is None:
            return range(1, self.scale + 1)
        first, after = (self.scale * number // self.parts for number in (part, part + 1))
        return range(first + 1, after + 1)

    def raw_rows(self, part: int | None = None) -> int:
        """Count the raw rows: an order that arrives twice is two."""
        dirt = self._drawer(5)
        return sum(2 if 12 <= dirt(n) % 1000 < 20 else 1 for n in self.numbers(part))

    def daily_totals(self, part: int | None = None) -> dict[date, DayTotal]:
        """Add up what cleaning keeps, day by day; a day without any is not there."""
        amount, late, dirt = self._drawer(3), self._drawer(4), self._drawer(5)
        orders, cents = Counter[int](), Counter[int]()
        for n in self.numbers(part):
            if dirt(n) % 1000 < 12:
                continue
            day, lateness = (n - 1) * _DAYS // self.scale, late(n)
            if lateness // 256 % 1000 < 20:
                day -= 1 + lateness % 7
            orders[day] += 1
            cents[day] += 100 + amount(n) % 9900
        return {
            _FIRST_DAY + timedelta(days=day): DayTotal(orders[day], cents[day])
            for day in sorted(orders)
        }

    def _drawer(self, k: int):  # a closure: a method call for each number would double the time
        offset, seeded = k * _STEP, _mix32((self.seed + k) & _MASK)

        def drawn(n: int) -> int:
            x = (n + offset) & _MASK
            x = ((x ^ x >> 16) * 0x7FEB352D) & _MASK
            x = ((x ^ x >> 15) * 0x846CA68B) & _MASK
            x = ((x ^ x >> 16) + seeded) & _MASK
            x = ((x ^ x >> 16) * 0x7FEB352D) & _MASK
            x = ((x ^ x >> 15) * 0x846CA68B) & _MASK
            return x ^ x >> 16

        return drawn


def _mix32(x: int) -> int:
    x = ((x ^ x >> 16) * 0x7FEB352D) & _MASK
    x = ((x ^ x >> 15) * 0x846CA68B) & _MASK
    return x ^ x >> 16


def add(*totals: dict[date, DayTotal]) -> dict[date, DayTotal]:
    """Add up daily totals of several batches."""
    orders, cents = Counter[date](), Counter[date]()
    for days in totals:
        for day, total in days.items():
            orders[day] += total.orders
            cents[day] += total.revenue_cents
    return {day: DayTotal(orders[day], cents[day]) for day in sorted(orders)}


def subtract(whole: dict[date, DayTotal], part: dict[date, DayTotal]) -> dict[date, DayTotal]:
    """Take daily totals away from others; a day of which nothing is left goes."""
    left = {
        day: DayTotal(
            total.orders - (part[day].orders if day in part else 0),
            total.revenue_cents - (part[day].revenue_cents if day in part else 0),
        )
        for day, total in whole.items()
    }
    return {day: total for day, total in left.items() if total != DayTotal(0, 0)}
