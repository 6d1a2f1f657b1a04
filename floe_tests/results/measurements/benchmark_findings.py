"""What is said of a benchmark: its regressions, and what was not measured well enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp, expm1

from floe_tests.config.measured import BenchmarkSettings
from floe_tests.core.evidence import Evidence
from floe_tests.results.measurements.benchmark_file import Benchmark
from floe_tests.results.measurements.change_points import ChangePoint
from floe_tests.results.measurements.compared import (
    Compared,
    Past,
    baseline_middle,
    middle,
    worse_sign,
)
from floe_tests.results.records import MeasurementRecord


def regression(compared: Compared, commit: str | None) -> Evidence:
    """Say how large a regression is, and between which commits it came."""
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
        base = baseline_middle(compared.baseline)
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
            f"median {_value(middle(record), record)} against {_value(base, record)} of the last "
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
    worse = worse_sign(compared.record) * (newest.after - newest.before) > 0
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


def lost(past: Mapping[str, Sequence[Past]], now: set[str], fingerprint: str) -> list[Evidence]:
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


def doubts(
    benchmark: Benchmark, compared: Sequence[Compared], settings: BenchmarkSettings
) -> Iterator[Evidence]:
    """Say what keeps a benchmark from proving anything."""
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


def notes(compared: Sequence[Compared]) -> Iterator[Evidence]:
    """Say which measurements are new here, and which became better."""
    for each in compared:
        record = each.record
        if record.finding == "recorded":
            yield Evidence(
                record.name,
                "baseline",
                f"recorded: {_value(middle(record), record)} of {record.samples} repetitions; "
                "no earlier run here to compare it with",
            )
        elif record.finding == "improved":
            yield Evidence(
                record.name,
                "improvement",
                f"{record.change or 0:+.1%}, median {_value(middle(record), record)}",
            )
