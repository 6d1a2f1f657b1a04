"""Where a measurement's history changed: ruptures proposes, a permutation decides.

PELT finds the best segments for a penalty, and says nothing of chance. So each place that it
proposes must also be one that shuffled runs hardly ever produce, the best place of the shuffled
ones taken: who looks for the largest step always finds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from floe_tests.results.measurements.estimates import Array, spread

FEWEST_RUNS = 8
"""Fewest runs that are asked; of fewer, no shuffle is rare enough."""
_SEGMENT = 3
_SHUFFLES = 1_999
_SEED = 7


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A place at which a series changed.

    Attributes:
        place: The first value after the change.
        before: Median of the segment before.
        after: Median of the segment after.
        p: How often shuffled values have a step as large.
    """

    place: int
    before: float
    after: float
    p: float


def change_points(values: Sequence[float], *, alpha: float) -> tuple[ChangePoint, ...]:
    """Find where a series changed its level.

    Args:
        values: A value a run, oldest first; logarithms, where ratios count.
        alpha: Largest p of a change.

    Returns:
        The changes, oldest first.
    """
    series = np.asarray(values, dtype=np.float64)
    if len(series) < FEWEST_RUNS:
        return ()
    places = list(_proposed(series))
    # The weakest goes first, and its neighbours are asked again without it.
    while places:
        found = [
            _tested(series, place, before, after)
            for before, place, after in zip(
                [0, *places], places, [*places[1:], len(series)], strict=False
            )
        ]
        worst = max(found, key=lambda each: each.p)
        if worst.p <= alpha:
            return tuple(found)
        places.remove(worst.place)
    return ()


def _proposed(series: Array) -> Sequence[int]:
    import ruptures  # pyright: ignore[reportMissingTypeStubs] - ruptures has none

    library: Any = ruptures
    # Of neighbours' differences: a step in the series does not widen it.
    noise = spread(np.diff(series)) / np.sqrt(2) or float(np.std(series)) or 1.0
    penalty = 3 * np.log(len(series))
    # With a linear kernel this is PELT with squared distances, in C: the same segments as
    # `ruptures.Pelt(model="l2")`, some hundred times as quick.
    signal = (series / noise).reshape(-1, 1)
    found = library.KernelCPD(kernel="linear", min_size=_SEGMENT).fit(signal)
    return [int(each) for each in found.predict(pen=penalty)[:-1]]


def _tested(series: Array, place: int, before: int, after: int) -> ChangePoint:
    part = series[before:after]
    chance = np.random.default_rng(_SEED)
    shuffled = chance.permuted(np.tile(part, (_SHUFFLES, 1)), axis=1)
    as_large = int(np.sum(_largest_step(shuffled) >= _largest_step(part[None, :])[0] - 1e-12))
    return ChangePoint(
        place=place,
        before=float(np.median(series[before:place])),
        after=float(np.median(series[place:after])),
        p=(as_large + 1) / (_SHUFFLES + 1),
    )


def _largest_step(rows: Array) -> Array:
    """Return each row's largest standardised difference of means left and right of any place."""
    count = rows.shape[1]
    if count < 2 * _SEGMENT:
        return np.zeros(len(rows))
    left: Array = np.arange(_SEGMENT, count - _SEGMENT + 1, dtype=np.float64)
    sums: Array = np.cumsum(rows, axis=1)[:, _SEGMENT - 1 : count - _SEGMENT]
    total: Array = rows.sum(axis=1, keepdims=True)
    step: Array = sums / left - (total - sums) / (count - left)
    return np.max(np.abs(step) * np.sqrt(left * (count - left) / count), axis=1)
