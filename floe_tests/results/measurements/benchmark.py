"""The rules of a benchmark: whether a measurement changed against its baseline, and since when.

Repetitions within a run are not independent of each other: a neighbour on the machine makes all of
a run slow. A test that takes them for independent calls every second run a regression
(docs/detection.md has the share). So a regression needs three things: the repetitions differ
(Mann–Whitney), the run's centre lies outside of where those of the baseline's runs put a new one,
as it is or without what all measurements of the run did together, and the change is large enough to
matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import exp, expm1, log
from statistics import mean, median

import numpy as np

from floe_tests.config.measured import BenchmarkSettings
from floe_tests.core.evidence import Evidence
from floe_tests.results.measurements.benchmark_file import Benchmark, Measurement
from floe_tests.results.measurements.change_points import ChangePoint, change_points
from floe_tests.results.measurements.estimates import (
    Prediction,
    cliffs_delta,
    holm,
    log_centre,
    mann_whitney,
    median_ratio,
    prediction,
)
from floe_tests.results.measurements.judgement import Judgement, fingerprint_digest, shown
from floe_tests.results.measurements.movement import Movement, movement
from floe_tests.results.records import MeasurementRecord

KEPT_VALUES = 200
"""So many values of a measurement are kept; of more, as many quantiles."""
_GUESS_COUNTS_LIKE = 4
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


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
    compared = _with_findings(prepared, settings)
    missing = _missing(past, {each.name for each in benchmark.measurements}, fingerprint)
    regressions = [_regression(each, commit) for each in compared if _is_worse(each)]
    return Judged(
        judgement=Judgement(
            regressions=shown(regressions),
            doubts=shown([*_doubts(benchmark, compared, settings), *missing]),
            notes=shown(list(_notes(compared))),
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


def _with_findings(
    prepared: Sequence[Compared], settings: BenchmarkSettings
) -> tuple[Compared, ...]:
    """Compare each that can be compared, with one account of chance for all of them."""
    tested = [
        place
        for place, each in enumerate(prepared)
        if each.baseline and each.record.finding == "recorded"
    ]
    found = list(prepared)
    centres = _worse_centres([prepared[place] for place in tested])
    sides = {place: _side(prepared[place], settings, centres) for place in tested}
    by_values = holm([sides[place].p_values for place in tested])
    by_run = holm([sides[place].p_run for place in tested])
    for rank, place in enumerate(tested):
        side = sides[place]
        record = prepared[place].record
        certain = by_values[rank] < settings.alpha and by_run[rank] < settings.run_alpha
        base = _baseline_middle(prepared[place].baseline)
        large = _is_large(base, base * exp(side.change), record, settings)
        finding = "unchanged"
        if certain and large:
            finding = "regressed" if side.worse > 0 else "improved"
        changes = change_points(
            [*(log_centre(each.record.values) for each in prepared[place].past), side.centre],
            alpha=settings.change_alpha / len(tested),
        )
        change = Compared(
            record=replace(
                record,
                finding=finding,
                change=expm1(side.change),
                change_low=expm1(side.change - side.half_width),
                change_high=expm1(side.change + side.half_width),
            ),
            baseline=prepared[place].baseline,
            past=prepared[place].past,
            changes=changes,
            p_values=(by_values[rank], by_run[rank]),
            delta=side.delta,
            own=side.own,
        )
        if finding == "unchanged" and _has_worsened(change, settings):
            worse = replace(change.record, finding="regressed")
            change = replace(change, record=worse, is_creep=True)
        found[place] = change
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Side:
    """How a measurement compares; `centre` and `change` are logarithms, `worse` has its sign.

    `own` is there where the run without what the others did proves more than the run as it is.
    """

    change: float
    worse: float
    half_width: float
    p_values: float
    p_run: float
    delta: float
    centre: float
    own: Own | None


# By run, the centres of its measurements, larger where worse; "" is the run that is judged.
_Centres = Mapping[str, Mapping[str, float]]


def _worse_centres(tested: Sequence[Compared]) -> _Centres:
    found: dict[str, dict[str, float]] = {"": {}}
    for each in tested:
        name, sign = each.record.name, _sign(each.record)
        found[""][name] = sign * log_centre(each.record.values)
        for old in each.baseline:
            found.setdefault(old.run_id, {})[name] = sign * log_centre(old.record.values)
    return found


def _side(compared: Compared, settings: BenchmarkSettings, of_runs: _Centres) -> _Side:
    record = compared.record
    pool = [value for each in compared.baseline for value in each.record.values]
    change = log(median_ratio(record.values, pool))
    sign, direction = _sign(record), 1 if change > 0 else -1
    known = [of_runs[each.run_id] for each in compared.baseline]
    centre = of_runs[""][record.name]
    centres = [run[record.name] for run in known]

    def predicted(value: float, others: Sequence[float]) -> Prediction:
        # One side: the error is that of calling a run worse, and, apart from it, better.
        return prediction(
            sign * direction * value,
            [sign * direction * each for each in others],
            guessed_spread=settings.run_spread,
            weight=_GUESS_COUNTS_LIKE,
        )

    as_it_is = predicted(centre, centres)
    p_run, p_values, own = as_it_is.p, mann_whitney(record.values, pool), None
    together = movement(record.name, of_runs[""], known)
    if together is not None:
        without = predicted(
            centre - together.now,
            [each - moved for each, moved in zip(centres, together.known, strict=True)],
        )
        own_change = change - sign * (together.now - mean(together.known))
        if direction * own_change >= log(1 + settings.min_effect) and without.p < as_it_is.p:
            p_run, own = without.p, _own(own_change, without, together)
            p_values = mann_whitney(
                _without(record, sign * together.now),
                [
                    value
                    for each, moved in zip(compared.baseline, together.known, strict=True)
                    for value in _without(each.record, sign * moved)
                ],
            )
        # Two looks, one account of chance.
        p_run, p_values = min(1.0, 2 * p_run), min(1.0, 2 * p_values)
    return _Side(
        change=change,
        worse=sign * change,
        half_width=as_it_is.half_width,
        p_values=p_values,
        p_run=p_run,
        delta=cliffs_delta(record.values, pool),
        centre=sign * centre,
        own=own,
    )


def _without(record: MeasurementRecord, moved: float) -> list[float]:
    return [value * exp(-moved) for value in record.values]


def _own(change: float, predicted: Prediction, together: Movement) -> Own:
    low, high = change - predicted.half_width, change + predicted.half_width
    return Own(expm1(change), expm1(low), expm1(high), together.others)


def _middle(record: MeasurementRecord) -> float:
    return record.median if record.median is not None else median(record.values)


def _baseline_middle(baseline: Sequence[Past]) -> float:
    return median(_middle(each.record) for each in baseline)


def _sign(record: MeasurementRecord) -> int:
    return 1 if record.better == "lower" else -1


def _has_worsened(compared: Compared, settings: BenchmarkSettings) -> bool:
    """Return whether the newest change of the history is for the worse, and large enough.

    A creep of 2 % a run is within every run's noise and carries its own baseline along.
    """
    if not compared.changes:
        return False
    newest, record = compared.changes[-1], compared.record
    is_worse = _sign(record) * (newest.after - newest.before) > 0
    return is_worse and _is_large(exp(newest.before), exp(newest.after), record, settings)


def _is_large(
    before: float, after: float, record: MeasurementRecord, settings: BenchmarkSettings
) -> bool:
    """Return whether a change matters: as a share, and in time, of which a scheduler takes some."""
    seconds = _SECONDS.get(record.unit)
    is_long = seconds is None or abs(after - before) * seconds >= settings.min_seconds
    return is_long and abs(log(after / before)) >= log(1 + settings.min_effect)


def _is_worse(compared: Compared) -> bool:
    return compared.record.finding == "regressed"


def _regression(compared: Compared, commit: str | None) -> Evidence:
    record, since = compared.record, _since(compared)
    if since is not None:
        before = compared.past[since.place - 1]
        after = compared.past[since.place] if since.place < len(compared.past) else None
    else:
        before, after = compared.baseline[0], None
    if compared.is_creep and since is not None:
        size = (
            f"{expm1(since.after - since.before):+.1%} since a change point in the history "
            f"(p = {since.p:.4f}): {_value(exp(since.before), record)} before, "
            f"{_value(exp(since.after), record)} after"
        )
    else:
        base = _baseline_middle(compared.baseline)
        low, high = record.change_low or 0, record.change_high or 0
        runs = len(compared.baseline)
        own = ""
        if compared.own is not None:
            each = compared.own
            own = (
                f"{each.change:+.1%} ({each.low:+.1%} to {each.high:+.1%}) without what the "
                f"{each.others} other measurements of the run did, "
            )
        size = (
            f"{record.change or 0:+.1%} ({low:+.1%} to {high:+.1%}), {own}"
            f"median {_value(_middle(record), record)} against {_value(base, record)} of the last "
            f"{f'{runs} good runs' if runs > 1 else 'good run'}, "
            f"Cliff's delta {compared.delta or 0:+.2f}"
        )
    return Evidence(record.name, "regression", f"{size}; {_range(before, after, record, commit)}")


def _since(compared: Compared) -> ChangePoint | None:
    """Return the change of the history that a regression began with; None for this run itself.

    A run that is worse than the last good one became so after it: an older step is another matter.
    """
    newest = compared.changes[-1] if compared.changes else None
    if newest is None or compared.is_creep or newest.place >= len(compared.past):
        return newest if compared.is_creep else None
    worse = _sign(compared.record) * (newest.after - newest.before) > 0
    is_after = compared.past[newest.place].started_at > compared.baseline[0].started_at
    return newest if worse and is_after else None


def _range(before: Past, after: Past | None, record: MeasurementRecord, commit: str | None) -> str:
    """Name the commits and platforms between which it changed."""
    first, last = before.commit or "unknown", (after.commit if after else commit) or "unknown"
    words = f"commits {first[:12]}..{last[:12]}"
    if first == last:
        words = f"commit {first[:12]}, as the run before it"
    old, new = before.record.platform, after.record.platform if after else record.platform
    if old and new:
        same = f"the same platform, {new}" if old == new else f"platform {old} → {new}"
        words = f"{words}, {same}"
    return words


def _value(value: float, record: MeasurementRecord) -> str:
    return f"{value:.4g} {record.unit}".rstrip()


def _missing(past: Mapping[str, Sequence[Past]], now: set[str], fingerprint: str) -> list[Evidence]:
    """Name what the newest good run measured and this one did not: a lost one hides a slow one."""
    good = [
        each
        for known in past.values()
        for each in known
        if each.is_good and each.record.fingerprint == fingerprint
    ]
    newest = max(good, key=lambda each: each.started_at, default=None)
    if newest is None:
        return []
    names = sorted({each.record.name for each in good if each.run_id == newest.run_id} - now)
    return [
        Evidence(name, "values", "measured by the last good run, and not by this one")
        for name in names
    ]


def _doubts(
    benchmark: Benchmark, compared: Sequence[Compared], settings: BenchmarkSettings
) -> Iterator[Evidence]:
    if not compared:
        yield Evidence("benchmark", "measurements", "none arrived")
        return
    if not benchmark.fingerprint:
        yield Evidence(
            "benchmark",
            "fingerprint",
            "missing: nobody can say which runs these may be compared with",
        )
    for each in compared:
        if each.record.finding == "too few samples":
            yield Evidence(
                each.record.name,
                "values",
                f"{each.record.samples}, at least {settings.min_samples} are needed",
            )


def _notes(compared: Sequence[Compared]) -> Iterator[Evidence]:
    for each in compared:
        record = each.record
        if record.finding == "recorded":
            yield Evidence(
                record.name,
                "baseline",
                f"recorded: {_value(_middle(record), record)} of {record.samples} repetitions; "
                "no earlier run here to compare it with",
            )
        elif record.finding == "improved":
            yield Evidence(
                record.name,
                "improvement",
                f"{record.change or 0:+.1%}, median {_value(_middle(record), record)}",
            )
