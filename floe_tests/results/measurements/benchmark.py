"""The rules of a benchmark: whether a measurement changed against its baseline, and since when.

Pure functions of what was measured, the suite's settings and earlier runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from floe_tests.config.measured import BenchmarkSettings
from floe_tests.results.measurements.benchmark_file import Benchmark, Measurement
from floe_tests.results.measurements.benchmark_findings import (
    doubts,
    lost,
    notes,
    regression,
)
from floe_tests.results.measurements.compared import (
    Compared,
    Past,
)
from floe_tests.results.measurements.comparison import with_findings
from floe_tests.results.measurements.judgement import Judgement, fingerprint_digest, shown
from floe_tests.results.records import MeasurementRecord

KEPT_VALUES = 200
"""So many values of a measurement are kept; of more, as many quantiles."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A judged benchmark, with what a page draws of it."""

    judgement: Judgement
    compared: tuple[Compared, ...]


def judge(
    benchmark: Benchmark,
    settings: BenchmarkSettings,
    *,
    past: Mapping[str, Sequence[Past]],
    platform: str = "",
    commit: str | None = None,
) -> Judged:
    """Judge a benchmark.

    Args:
        benchmark: What its pod measured.
        settings: The suite's rules.
        past: By measurement, what earlier runs on the same environment measured, newest first.
        platform: What was measured: chart, version, digest of the images.
        commit: The commit of this run.
    """
    fingerprint = fingerprint_digest(benchmark.fingerprint)
    prepared = [
        _prepared(
            each,
            settings,
            past=[old for old in past.get(each.name, ()) if _counts(old, each, fingerprint)],
            fingerprint=fingerprint,
            platform=platform,
        )
        for each in benchmark.measurements
    ]
    compared = with_findings(prepared, settings)
    missing = lost(past, {each.name for each in benchmark.measurements}, fingerprint)
    regressions = [regression(each, commit) for each in compared if _is_worse(each)]
    return Judged(
        judgement=Judgement(
            regressions=shown(regressions),
            doubts=shown([*doubts(benchmark, compared, settings), *missing]),
            notes=shown(list(notes(compared))),
            measurements=tuple(each.record for each in compared),
            notices=benchmark.notices,
        ),
        compared=compared,
    )


def kept(values: Sequence[float]) -> tuple[float, ...]:
    """Return the values as the history keeps them."""
    if len(values) <= KEPT_VALUES:
        return tuple(values)
    return tuple(float(each) for each in np.quantile(values, np.linspace(0, 1, KEPT_VALUES)))


def _counts(old: Past, new: Measurement, fingerprint: str) -> bool:
    """Return whether an earlier measurement is of the same thing in the same unit."""
    record = old.record
    return (
        record.fingerprint == fingerprint
        and bool(record.values)
        and min(record.values) > 0
        and (record.unit, record.better) == (new.unit, new.better)
    )


def _prepared(
    measurement: Measurement,
    settings: BenchmarkSettings,
    *,
    past: Sequence[Past],
    fingerprint: str,
    platform: str,
) -> Compared:
    values = measurement.values
    finding = "recorded"
    if len(values) < settings.min_samples:
        finding = "too few samples"
    elif not fingerprint:
        finding = "incomparable"
    since = settings.accepted_since
    allowed = [
        each
        for each in past
        if each.record.samples >= settings.min_samples
        and (since is None or each.started_at.date() >= since)
    ]
    baseline = [each for each in allowed if each.is_good or (since and each.is_regression)]
    return Compared(
        record=MeasurementRecord(
            name=measurement.name,
            unit=measurement.unit,
            better=measurement.better,
            samples=len(values),
            median=median(values) if values else None,
            values=kept(values),
            fingerprint=fingerprint,
            platform=platform,
            finding=finding,
        ),
        baseline=tuple(baseline[: settings.baseline_runs]),
        past=tuple(reversed(allowed[: settings.history_runs])),
    )


def _is_worse(compared: Compared) -> bool:
    return compared.record.finding == "regressed"
