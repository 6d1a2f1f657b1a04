"""A measurement of a benchmark beside those of earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from floe_tests.results.measurements.change_points import ChangePoint
from floe_tests.results.records import MeasurementRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A measurement in an earlier run on the same environment.

    Attributes:
        record: What was measured.
        run_id: The run.
        started_at: When it began, UTC.
        commit: Its commit; None when unknown.
        is_good: Whether its suite passed.
        is_regression: Whether it was called one.
    """

    record: MeasurementRecord
    run_id: str
    started_at: datetime
    commit: str | None
    is_good: bool
    is_regression: bool = False


@dataclass(frozen=True, slots=True)
class Own:
    """A change without what the other measurements of the run did.

    Attributes:
        change: As a share.
        low: Lower bound of its interval.
        high: Upper bound.
        others: How many others there were.
    """

    change: float
    low: float
    high: float
    others: int


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A measurement, and what it was compared with.

    Attributes:
        record: What was measured and found.
        baseline: The runs that it was compared with, newest first.
        past: All runs that are known, oldest first.
        changes: Where its history changed; `place` counts in `past`, and its length is this run.
        p_values: Of the repetitions and of the run, corrected; None without a baseline.
        delta: Cliff's delta against the baseline.
        own: Its change without that of the others, where that is what proves it.
        is_creep: Whether the history alone, and not this run's baseline, says that it is worse.
    """

    record: MeasurementRecord
    baseline: tuple[Past, ...] = ()
    past: tuple[Past, ...] = ()
    changes: tuple[ChangePoint, ...] = ()
    p_values: tuple[float, float] | None = None
    delta: float | None = None
    own: Own | None = None
    is_creep: bool = False


def worse_sign(record: MeasurementRecord) -> int:
    """Return the sign that makes a larger value a worse one."""
    return 1 if record.better == "lower" else -1


def middle(record: MeasurementRecord) -> float:
    """Return the median of a measurement."""
    return record.median if record.median is not None else median(record.values)


def baseline_middle(baseline: Sequence[Past]) -> float:
    """Return the median of the medians of a baseline."""
    return median(middle(each.record) for each in baseline)
