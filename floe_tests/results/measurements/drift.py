"""Whether a series of a soak grows slowly, and when it would reach its limit.

A slope alone proves nothing: caches fill, collectors let memory climb and fall, and neighbouring
looks are alike. So growth is a drift when all of these hold, each of which alone has let healthy
soaks alarm (docs/decisions/0023-how-a-drift-is-proved.md has the numbers):

- **proved**: the series' lower envelope (the least of each window) has a Theil–Sen slope whose
  interval, widened for correlation, lies above 0; or its CUSUM leaves what the last good run led to
  expect.
- **lasting**: the second half still grows. What fills up and stays is no leak.
- **risen from below**: the floor of the last third lies above that of the first. A saw's does not.
- **material**: at this slope it reaches its limit within the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from floe_tests.results.measurements.estimates import Array, Slope, cusum, cusum_limit, theil_sen

FEWEST_SAMPLES = 20
WINDOWS = 16
_FEWEST_WINDOWS = 10
_LASTING_SHARE = 0.6
_FLOOR_SHARE = 0.5
_HOUR = 3600.0
# A part of the slack is for an error of the level at the begin: the limit counts on the rest.
CUSUM_SLACK = 1.5
_LIMIT_SLACK = 1.0
_SMALLEST_SPREAD = 1e-3
"""A series' spread is at least this share of its level: a perfectly quiet one proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one thing over a soak.

    Attributes:
        seconds: When, since the soak began, increasing.
        values: What, in one unit.
        limit: What it must not reach; None where nothing limits it.
    """

    seconds: Array
    values: Array
    limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the last good run of the same series did.

    Attributes:
        slope_per_hour: How it grew.
        sigma: Spread of its envelope about that.
    """

    slope_per_hour: float
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What is known of the growth of a series.

    Attributes:
        samples: Values that were looked at, the warm-up left out.
        hours: Time that they span.
        median: Their median.
        level: Where the line ends: the value now, without its noise.
        slope: The line through the lower envelope, by hours.
        limit: What it must not reach; twice the level where nothing limits it.
        has_limit: Whether something does.
        hours_to_limit: At this slope, from now; None when it does not grow.
        horizon_hours: How far this soak may look ahead.
        proved: What proves the growth: `slope`, `cusum`, both, or nothing.
        is_lasting: Whether the second half still grows.
        is_risen: Whether the floor rose.
    """

    samples: int
    hours: float
    median: float
    level: float
    slope: Slope
    limit: float
    has_limit: bool
    hours_to_limit: float | None
    horizon_hours: float
    proved: tuple[str, ...]
    is_lasting: bool
    is_risen: bool

    @property
    def is_material(self) -> bool:
        """Whether the limit comes within the horizon."""
        return self.hours_to_limit is not None and self.hours_to_limit < self.horizon_hours

    @property
    def is_drift(self) -> bool:
        """Whether all holds that a drift needs."""
        return bool(self.proved) and self.is_lasting and self.is_risen and self.is_material


def drift_of(
    series: Series,
    *,
    error: float,
    horizon_hours: float,
    expected: Expectation | None = None,
    use_floor: bool = True,
) -> Drift | None:
    """Return the growth of a series whose warm-up has been cut.

    Args:
        series: The series.
        error: Probability that a series without growth is called proved.
        horizon_hours: How far it may look ahead.
        expected: What the last good run did.
        use_floor: Whether what is low counts, as of memory; else the middle, as of latency.

    Returns:
        None for fewer samples than say anything.
    """
    if len(series.values) < FEWEST_SAMPLES:
        return None
    windows = max(_FEWEST_WINDOWS, min(WINDOWS, len(series.values) // 2))
    times, values = _envelope(series, windows, use_floor=use_floor)
    # Two tests share the error, where there are two.
    error = error / 2 if expected is not None else error
    slope = theil_sen(times, values, error=error)
    level = max(slope.start + slope.per_unit * float(times[-1]), 0.0)
    limit = series.limit if series.limit is not None else 2 * max(level, 1e-9)
    proved = ("slope",) if slope.low > 0 else ()
    if expected is not None and _left(times, values, slope, expected, error=error):
        proved = (*proved, "cusum")
    return Drift(
        samples=len(series.values),
        hours=float(series.seconds[-1] - series.seconds[0]) / _HOUR,
        median=float(np.median(series.values)),
        level=level,
        slope=slope,
        limit=limit,
        has_limit=series.limit is not None,
        hours_to_limit=max(limit - level, 0.0) / slope.per_unit if slope.per_unit > 0 else None,
        horizon_hours=horizon_hours,
        proved=proved,
        is_lasting=_is_lasting(times, values, slope),
        is_risen=not use_floor or _is_risen(times, values, slope),
    )


def _envelope(series: Series, windows: int, *, use_floor: bool) -> tuple[Array, Array]:
    """Return hours and the least (or the middle) value of each window of equally many samples."""
    hours = series.seconds / _HOUR
    parts = np.array_split(np.arange(len(series.values)), windows)
    times: list[float] = []
    values: list[float] = []
    for part in parts:
        values_of_part = series.values[part]
        if use_floor:
            place = part[int(np.argmin(values_of_part))]
            times.append(float(hours[place]))
            values.append(float(series.values[place]))
        else:
            times.append(float(np.median(hours[part])))
            values.append(float(np.median(values_of_part)))
    return np.asarray(times), np.asarray(values)


def _is_lasting(times: Array, values: Array, slope: Slope) -> bool:
    half = len(times) // 2
    late = theil_sen(times[half:], values[half:], error=0.25)
    return late.per_unit >= _LASTING_SHARE * slope.per_unit


def _is_risen(times: Array, values: Array, slope: Slope) -> bool:
    third = len(times) // 3
    first, last = values[:third], values[-third:]
    apart = float(np.mean(times[-third:]) - np.mean(times[:third]))
    risen = float(np.min(last) - np.min(first))
    return risen >= _FLOOR_SHARE * slope.per_unit * apart > 0


def _left(
    times: Array, values: Array, slope: Slope, expected: Expectation, *, error: float
) -> bool:
    """Return whether a series went above what the last good run led to expect.

    Its level is its own: runs begin where they begin. Its growth and its noise are those of the
    last good run, the noise widened by the correlation that this run's own residuals have.
    """
    quarter = max(4, len(values) // 4)
    begin = float(np.median(values[:quarter] - expected.slope_per_hour * times[:quarter]))
    least = _SMALLEST_SPREAD * abs(float(np.median(values)))
    sigma = max(expected.sigma, slope.sigma, least) * slope.inflation
    if sigma == 0:
        return False
    steps = (values - begin - max(expected.slope_per_hour, 0.0) * times) / sigma
    sums = cusum(steps, slack=CUSUM_SLACK)
    # One alarm in so many points: the error is spent over this run's windows.
    limit = cusum_limit(slack=_LIMIT_SLACK, run_length=len(values) / error)
    return bool(sums[-1] > limit)
