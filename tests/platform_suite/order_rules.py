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
from dataclasses import dataclass
from typing import Literal

Dirt = Literal["negative", "anonymous", "twice"]
_DIRT: tuple[Dirt, Dirt, Dirt] = ("negative", "anonymous", "twice")


@dataclass(frozen=True)
class OrderRules:
    """One configuration of the pipeline, and what follows from it; sums are in cents."""

    rows: int = 1000
    seed: int = 7
    dirty_every: int = 10

    def run_config(self) -> dict[str, object]:
        """Return the run config that asks the pipeline for these rules."""
        config = {"rows": self.rows, "seed": self.seed, "dirty_every": self.dirty_every}
        return {"ops": {"orders": {"config": config}}}

    def spoilt(self) -> Counter[Dirt]:
        """Count the spoilt orders by what is wrong with them."""
        counts = Counter[Dirt]()
        for n in self._numbers():
            kind = self._dirt(n)
            if kind is not None:
                counts[kind] += 1
        return counts

    def raw_rows(self) -> int:
        """Count the raw rows: an order that was sent twice is two."""
        return self.rows + self.spoilt()["twice"]

    def raw_cents(self) -> int:
        """Add up the raw amounts, the negative ones and both of a pair included."""
        return sum(sum(self._raw_amounts(n)) for n in self._numbers())

    def cleaned_rows(self) -> int:
        """Count the orders that cleaning keeps."""
        return len(self._kept())

    def cleaned_cents(self) -> int:
        """Add up the amounts that cleaning keeps: the lower one of a pair."""
        return sum(self._amount(n) for n in self._kept())

    def days(self) -> int:
        """Count the days with at least one order left."""
        return len({(n - 1) % 31 for n in self._kept()})

    def _numbers(self) -> range:
        return range(1, self.rows + 1)

    def _kept(self) -> list[int]:
        return [n for n in self._numbers() if self._dirt(n) in {None, "twice"}]

    def _dirt(self, n: int) -> Dirt | None:
        if self.dirty_every == 0 or n % self.dirty_every:
            return None
        return _DIRT[n // self.dirty_every % 3]

    def _amount(self, n: int) -> int:
        return 100 + (n * 7919 + self.seed * 104729) % 9900

    def _raw_amounts(self, n: int) -> tuple[int, ...]:
        amount = self._amount(n)
        match self._dirt(n):
            case "negative":
                return (-amount,)
            case "twice":
                return (amount, amount + 1)
            case _:
                return (amount,)
