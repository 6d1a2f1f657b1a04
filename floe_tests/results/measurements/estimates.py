"""The statistics that judge soak and benchmark runs: few, known, and typed at the door.

numpy and scipy are imported here and in the modules that draw; who loads definitions pays for
neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats as _stats  # pyright: ignore[reportMissingTypeStubs] - scipy has none

stats: Any = _stats
Array = npt.NDArray[np.float64]

_MOST_CORRELATED = 0.9
# Few points hide a part of their correlation: without this, wandering memory alarms three times as
# often as it may (docs/detection.md has what is left).
_HIDDEN_CORRELATION = 0.15
# So many pairs of values are looked at for an interval; more would take seconds and change nothing.
_PAIRS = 250_000


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through points.

    Attributes:
        per_unit: Growth a unit of time.
        low: Lower bound of its confidence interval.
        high: Upper bound.
        start: Where the line stands at time 0.
        sigma: Spread of the points about it, made robust (1.4826 × MAD).
        correlation: How much a point's distance from the line says of the next one's, 0 to 0.9.
    """

    per_unit: float
    low: float
    high: float
    start: float
    sigma: float
    correlation: float

    @property
    def inflation(self) -> float:
        """How much wider intervals are than those of independent points."""
        return float(np.sqrt((1 + self.correlation) / (1 - self.correlation)))


def theil_sen(times: Array, values: Array, *, error: float) -> Slope:
    """Return the median of all pairs' slopes, with an interval that knows of correlated points.

    scipy's interval takes the points for independent. Memory is not: each look is close to the one
    before. So the interval is widened by the residuals' lag-1 correlation, itself corrected for
    what a fitted line takes from it in few points.

    Args:
        times: When, increasing.
        values: What.
        error: Probability on each side to miss the slope.

    Source: Sen (1968); for the widening: Hamed and Rao (1998),
    https://doi.org/10.1016/S0022-1694(97)00125-X
    """
    found = stats.theilslopes(values, times, alpha=1 - 2 * error)
    per_unit, low, high = (float(each) for each in (found.slope, found.low_slope, found.high_slope))
    start = float(np.median(values - per_unit * times))
    residuals = values - (start + per_unit * times)
    rho = correlation(residuals)
    slope = Slope(per_unit, per_unit, per_unit, start, spread(residuals), rho)
    return Slope(
        per_unit,
        per_unit - (per_unit - low) * slope.inflation,
        per_unit + (high - per_unit) * slope.inflation,
        start,
        slope.sigma,
        rho,
    )


def correlation(residuals: Array) -> float:
    """Return the lag-1 correlation of a line's residuals, 0 to 0.9, unbiased for few points."""
    number = len(residuals)
    total = float(np.sum(residuals**2))
    if number < 6 or total == 0:  # noqa: PLR2004 - the correction below needs them
        return 0.0
    found = float(np.sum(residuals[1:] * residuals[:-1])) / total
    # A fitted line takes about 2/n from it. Source: Marriott and Pope (1954).
    unbiased = max(0.0, (number * found + 2) / (number - 4))
    return min(_MOST_CORRELATED, unbiased + _HIDDEN_CORRELATION)


def spread(values: Array) -> float:
    """Return a robust standard deviation: 1.4826 × the median distance from the median."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def cusum(steps: Array, *, slack: float) -> Array:
    """Return the one-sided cumulative sum of standardised distances above what is expected."""
    sums = np.zeros(len(steps))
    total = 0.0
    for place, step in enumerate(steps):
        total = max(0.0, total + float(step) - slack)
        sums[place] = total
    return sums


def cusum_limit(*, slack: float, run_length: float) -> float:
    """Return the limit at which a CUSUM of standard normal steps alarms once in so many.

    Siegmund's approximation: ARL = (exp(2kb) - 2kb - 1) / 2k² with b = h + 1.166.
    Source: Siegmund (1985), https://doi.org/10.1007/978-1-4757-1862-1
    """
    low, high = 0.0, 200.0
    for _ in range(60):
        middle = (low + high) / 2
        product = 2 * slack * (middle + 1.166)
        length = (np.exp(product) - product - 1) / (2 * slack**2)
        low, high = (middle, high) if length < run_length else (low, middle)
    return high


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided p of two samples from one distribution; 1 where nothing differs."""
    if len({*one, *other}) <= 1:
        return 1.0
    found = stats.mannwhitneyu(one, other, alternative="two-sided")
    p = float(found.pvalue)
    return p if np.isfinite(p) else 1.0


def cliffs_delta(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how much oftener a value of the first is the larger one, -1 to 1."""
    differences = _pairs(one, other, np.subtract)
    return float(np.mean(np.sign(differences)))


def median_ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the median ratio of all pairs of two positive samples (Hodges–Lehmann, of logarithms).

    It is no prey of a few slow repetitions.
    """
    return float(np.exp(np.median(_pairs(np.log(one), np.log(other), np.subtract))))


def log_centre(values: Sequence[float]) -> float:
    """Return where positive values lie, as a logarithm: the median of all pairs' means.

    A few slow repetitions do not move it, as they do not move a median; but a median jumps where
    repetitions are of two kinds, such as with and without a wait, and this does not: benchmarks of
    a real platform spread by a third less from run to run by it.
    Source: Hodges and Lehmann (1963), https://doi.org/10.1214/aoms/1177704172
    """
    logs = np.log(values)
    return float(np.median(_pairs(logs, logs, np.add))) / 2


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a new value may lie, going by those known.

    Attributes:
        p: Probability of one so far above them, if nothing has changed.
        half_width: Half of the interval that holds 19 of 20 new values.
    """

    p: float
    half_width: float


def prediction(
    value: float, known: Sequence[float], *, guessed_spread: float, weight: int
) -> Prediction:
    """Say whether a new value lies above those known, as new values do.

    Student's t of a prediction, its variance moderated: a guess of the spread counts like so many
    values, so that two or three known ones that happen to be close together prove nothing.
    Source: the moderated t of Smyth (2004), https://doi.org/10.2202/1544-6115.1027

    Args:
        value: The new one.
        known: Those before; at least one.
        guessed_spread: Standard deviation that is guessed without them.
        weight: How many values the guess counts like.
    """
    values = np.asarray(known, dtype=np.float64)
    count = len(values)
    free = weight + count - 1
    seen = float(np.sum((values - values.mean()) ** 2))
    variance = (weight * guessed_spread**2 + seen) / free
    # The guess may widen what was seen, and never narrow it: a noisy machine stays one.
    variance = max(variance, seen / (count - 1)) if count > 1 else variance
    scale = float(np.sqrt(variance * (1 + 1 / count)))
    distribution = stats.t(free)
    return Prediction(
        p=float(distribution.sf((value - float(values.mean())) / scale)),
        half_width=float(distribution.isf(0.025)) * scale,
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p values corrected for how many there are. Source: Holm (1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = largest
    return tuple(corrected)


def _pairs(one: Any, other: Any, operation: Any) -> Array:
    first, second = (np.asarray(each, dtype=np.float64) for each in (one, other))
    most = max(1, int(np.sqrt(_PAIRS)))
    # Evenly over the sorted values: the same each time, and true to the distribution.
    first, second = (
        np.sort(each)[np.linspace(0, len(each) - 1, most).astype(int)] if len(each) > most else each
        for each in (first, second)
    )
    return np.asarray(operation.outer(first, second), dtype=np.float64).ravel()
