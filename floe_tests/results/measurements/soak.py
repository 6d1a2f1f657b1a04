"""The rules of a soak: hard limits, slow growth, and whether enough was seen to say either.

Pure functions of a soak's log, the suite's settings and what the last good run did; which verdict
the findings make stands in execution/verdict/rules.py alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from floe_tests.config.measured import SoakSettings
from floe_tests.core.evidence import Evidence
from floe_tests.results.measurements.drift import Drift, Expectation, Series, drift_of
from floe_tests.results.measurements.estimates import Array
from floe_tests.results.measurements.judgement import Judgement, fingerprint_digest, shown
from floe_tests.results.measurements.soak_log import Load, Sample, SoakLog
from floe_tests.results.records import SoakRecord

Metric = Literal["memory", "disk", "cpu"]
Known = Mapping[tuple[str, str], SoakRecord]

METRICS: tuple[Metric, ...] = ("memory", "disk", "cpu")
UNITS: Mapping[str, str] = {
    "memory": "B",
    "disk": "B",
    "cpu": "cores",
    "latency": "s",
    "errors": "1",
    "restarts": "1",
}
_GROWING: tuple[Metric, ...] = ("memory", "disk")
_SLOW_SHARE = 0.05
_FEWEST_SLOW = 2
# A processor's use is judged over so many looks: a second of it at its limit is no finding.
_CPU_WINDOW = 4
_LOOK_SHARE = 0.8
_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A judged soak, with what a page draws of it.

    Attributes:
        judgement: The findings.
        log: What was read.
        series: What each component used, by component and metric.
        drifts: Growth of each series that was looked at.
    """

    judgement: Judgement
    log: SoakLog
    series: Mapping[tuple[str, str], Series]
    drifts: Mapping[tuple[str, str], Drift]


def judge(
    log: SoakLog, settings: SoakSettings, *, known: Known | None = None, platform: str = ""
) -> Judged:
    """Judge a soak.

    Args:
        log: What its pod saw.
        settings: The suite's rules.
        known: What the last good run on the same environment did, by component and metric.
        platform: What was soaked.
    """
    series = {
        **{
            (component, metric): found
            for component, samples in _by_component(log).items()
            for metric in METRICS
            if (found := component_series(samples, metric, log.interval_seconds)) is not None
        },
        **{
            (operation, "latency"): found
            for operation, loads in _by_operation(log).items()
            if (found := _latency_series(loads, _ceiling(settings, operation))) is not None
        },
    }
    watched = [key for key in series if _is_watched(key, settings)]
    drifts = _drifts(log, series, watched, settings=settings, known=known or {})
    broken = [
        *_restarts(log, settings),
        *_ceilings(log, settings),
        *_errors(log, settings),
        *_latencies(log, settings),
    ]
    drifting = [_drift_evidence(key, each) for key, each in drifts.items() if each.is_drift]
    records = tuple(
        _records(
            log,
            series,
            drifts=drifts,
            settings=settings,
            broken={each.subject for each in broken},
            platform=platform,
        )
    )
    return Judged(
        judgement=Judgement(
            achieved=(achieved(log),),
            broken=shown(broken),
            drifts=shown(drifting),
            doubts=shown(list(_doubts(log, series, drifts, settings))),
            notes=_notes(drifts, known),
            soak=records,
            notices=log.notices,
        ),
        log=log,
        series=series,
        drifts=drifts,
    )


def achieved(log: SoakLog) -> Evidence:
    """Return how far a soak came."""
    of = f" of {hours(log.planned_seconds)}" if log.planned_seconds else ""
    ended = {None: "it was killed", "completed": "completed", "terminated": "terminated"}
    words = ended.get(log.end, log.end or "")
    return Evidence("soak", "achieved", f"{hours(log.elapsed)}{of}, {words}")


def hours(seconds: float) -> str:
    """Return a time as people say it: minutes below two hours."""
    return f"{seconds / 60:.1f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"


def amount(value: float, metric: str) -> str:
    """Return a value with its unit, as people read it."""
    if metric in {"memory", "disk"}:
        return f"{value / 2**20:,.1f} MiB"
    return f"{value:.3g} {UNITS[metric]}" if UNITS[metric] != "1" else f"{value:g}"


def component_series(
    samples: Sequence[Sample], metric: Metric, interval_seconds: float
) -> Series | None:
    """Add up a component's pods, interval by interval.

    An interval in which one of the pods that lived was not seen is left out: a sum without it would
    be a dip that never was.

    Args:
        samples: All samples of the component.
        metric: What is added up.
        interval_seconds: Time between two looks.

    Returns:
        None where no interval is whole.
    """
    looks = list(_looks(samples, interval_seconds))
    lives: dict[str, tuple[int, int]] = {}
    for place, look in enumerate(looks):
        for pod in look:
            lives[pod] = lives.get(pod, (place, place))[0], place
    seconds: list[float] = []
    values: list[float] = []
    for place, look in enumerate(looks):
        found = [getattr(each, metric) for each in look.values()]
        alive = sum(first <= place <= last for first, last in lives.values())
        if len(look) == alive and None not in found:
            seconds.append(sum(each.elapsed for each in look.values()) / len(look))
            values.append(float(sum(found)))
    if not values:
        return None
    limits = [getattr(each, f"{metric}_limit") for each in looks[-1].values()]
    limit = None if None in limits else float(sum(limits))
    return Series(seconds=np.asarray(seconds), values=np.asarray(values), limit=limit)


def _looks(samples: Sequence[Sample], interval_seconds: float) -> Iterator[Mapping[str, Sample]]:
    """Return what belongs to one interval: its pods are sampled one after the other, some late.

    A new look begins with a pod that this one has already, or most of an interval after it began.
    """
    look: dict[str, Sample] = {}
    began = 0.0
    for sample in samples:
        if look and (sample.pod in look or sample.elapsed - began > _LOOK_SHARE * interval_seconds):
            yield look
            look = {}
        began = sample.elapsed if not look else began
        look[sample.pod] = sample
    if look:
        yield look


def _by_component(log: SoakLog) -> Mapping[str, Sequence[Sample]]:
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in log.samples:
        found[sample.component].append(sample)
    return found


def _by_operation(log: SoakLog) -> Mapping[str, Sequence[Load]]:
    found: dict[str, list[Load]] = defaultdict(list)
    for load in log.loads:
        found[load.operation].append(load)
    return found


def _latency_series(loads: Sequence[Load], limit: float | None) -> Series | None:
    seen = [(each.elapsed, each.p95) for each in loads if each.p95 is not None]
    if not seen:
        return None
    seconds, values = zip(*seen, strict=True)
    return Series(seconds=np.asarray(seconds), values=np.asarray(values), limit=limit)


def _ceiling(settings: SoakSettings, operation: str) -> float | None:
    ceilings = settings.latency_seconds
    return ceilings.get(operation, ceilings.get("*"))


def _is_watched(key: tuple[str, str], settings: SoakSettings) -> bool:
    """Return whether a series' growth is looked at."""
    component, metric = key
    if f"{component}/{metric}" in settings.drift.exempt:
        return False
    if metric == "latency":
        return _ceiling(settings, component) is not None
    return metric in _GROWING and component not in settings.transient


def _drifts(
    log: SoakLog,
    series: Mapping[tuple[str, str], Series],
    watched: Sequence[tuple[str, str]],
    *,
    settings: SoakSettings,
    known: Known,
) -> dict[tuple[str, str], Drift]:
    rules = settings.drift
    begin = rules.warmup_share * (log.planned_seconds or log.elapsed)
    horizon = min(rules.hours_to_limit, rules.look_ahead * log.elapsed / _HOUR)
    restarted = _last_restarts(log)
    found: dict[tuple[str, str], Drift] = {}
    for key in watched:
        whole = series[key]
        # What a pod used before it was replaced says nothing of how the new one grows.
        since = max(begin, restarted.get(key[0], 0.0)) if key[1] != "latency" else begin
        kept = whole.seconds >= since
        before = known.get(key)
        expected = (
            Expectation(slope_per_hour=before.slope_per_hour, sigma=before.sigma)
            if before and before.slope_per_hour is not None and before.sigma is not None
            else None
        )
        drift = drift_of(
            Series(seconds=whole.seconds[kept], values=whole.values[kept], limit=whole.limit),
            error=rules.false_alarms / len(watched),
            horizon_hours=horizon,
            expected=expected,
            use_floor=key[1] != "latency",
        )
        if drift is not None:
            found[key] = drift
    return found


def _drift_evidence(key: tuple[str, str], drift: Drift) -> Evidence:
    component, metric = key
    slope = drift.slope
    limit = amount(drift.limit, metric) if drift.has_limit else "twice its level"
    by = {"slope": "Theil–Sen", "cusum": "CUSUM against the last good run"}
    proofs = " and ".join(by[each] for each in drift.proved)
    return Evidence(
        component,
        f"{metric} growth",
        f"{amount(slope.per_unit, metric)}/h "
        f"({amount(slope.low, metric)} to {amount(slope.high, metric)}) by {proofs}, from "
        f"{amount(drift.level, metric)} to the limit of {limit} in "
        f"{drift.hours_to_limit or 0:.1f} h (judged up to {drift.horizon_hours:.1f} h ahead)",
    )


def _increments(
    log: SoakLog, name: Literal["restarts", "oom_kills"]
) -> Iterator[tuple[Sample, int]]:
    """Return each sample in which a pod's count had grown, and by how much.

    A count that falls is a counter that began again: what it says then has happened since.
    """
    counts: dict[str, int] = {}
    first = min((each.elapsed for each in log.samples), default=0.0)
    for sample in log.samples:
        now = int(getattr(sample, name))
        # What had happened before the soak began is no finding of it.
        began_with = now if sample.elapsed <= first + log.interval_seconds else 0
        before = counts.get(sample.pod, began_with)
        counts[sample.pod] = now
        if now != before:
            yield sample, now - before if now > before else now


def _replacements(log: SoakLog, settings: SoakSettings) -> Iterator[Sample]:
    """Return the first sample of each pod that took the place of another, also one beside it.

    One that goes where none comes is a component that became smaller, and the other way round.
    """
    for component, samples in _by_component(log).items():
        if component in settings.transient:
            continue
        firsts = {each.pod: each for each in reversed(samples)}
        lasts = {each.pod: each for each in samples}
        begin = samples[0].elapsed + 1.5 * log.interval_seconds
        end = samples[-1].elapsed - 1.5 * log.interval_seconds
        came = sorted(
            (each for each in firsts.values() if each.elapsed > begin),
            key=lambda each: each.elapsed,
        )
        went = sum(each.elapsed < end for each in lasts.values())
        yield from came[:went]


def _last_restarts(log: SoakLog) -> dict[str, float]:
    """Return when a component's pods last began again."""
    last: dict[str, float] = {}
    for sample, _ in _increments(log, "restarts"):
        last[sample.component] = sample.elapsed
    for samples in _by_component(log).values():
        firsts: dict[str, Sample] = {}
        for sample in samples:
            firsts.setdefault(sample.pod, sample)
        newest = max(firsts.values(), key=lambda each: each.elapsed)
        if len(firsts) > 1:
            last[newest.component] = max(last.get(newest.component, 0.0), newest.elapsed)
    return last


def _restarts(log: SoakLog, settings: SoakSettings) -> list[Evidence]:
    ooms = [
        Evidence(
            f"pod/{sample.pod}",
            f"{sample.component} OOM kills",
            f"{count}, none is allowed",
            sample.at or None,
        )
        for sample, count in _increments(log, "oom_kills")
    ]
    restarts = [
        (sample, count)
        for sample, count in _increments(log, "restarts")
        if sample.component not in settings.transient
    ]
    replaced = list(_replacements(log, settings))
    total = sum(count for _, count in restarts) + len(replaced)
    if total <= settings.max_restarts:
        return ooms
    allowed = f"{settings.max_restarts} allowed in all, {total} seen"
    return [
        *ooms,
        *(
            Evidence(
                f"pod/{sample.pod}",
                f"{sample.component} restarts",
                f"{count}, {allowed}",
                sample.at or None,
            )
            for sample, count in restarts
        ),
        *(
            Evidence(
                f"pod/{sample.pod}",
                f"{sample.component} replaced",
                f"a new pod in the place of another, {allowed}",
                sample.at or None,
            )
            for sample in replaced
        ),
    ]


def _ceilings(log: SoakLog, settings: SoakSettings) -> list[Evidence]:
    found: list[Evidence] = []
    for component, samples in _by_component(log).items():
        for metric in METRICS:
            share = getattr(settings.ceilings, metric)
            if share is None:
                continue
            over = list(_over(samples, metric, share))
            if over:
                worst, value, limit = max(over, key=lambda each: each[1] / each[2])
                found.append(
                    Evidence(
                        component,
                        f"{metric} of pod/{worst.pod}",
                        f"{amount(value, metric)}, {value / limit:.0%} of its limit of "
                        f"{amount(limit, metric)}; at most {share:.0%} is allowed; "
                        f"first after {hours(over[0][0].elapsed)}",
                        worst.at or None,
                    )
                )
    return found


def _over(
    samples: Sequence[Sample], metric: Metric, share: float
) -> Iterator[tuple[Sample, float, float]]:
    """Return each look at a pod that was above the ceiling, with value and limit."""
    recent: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        value, limit = getattr(sample, metric), getattr(sample, f"{metric}_limit")
        if value is None or limit is None:
            continue
        if metric == "cpu":
            window = recent[sample.pod]
            window.append(value)
            del window[:-_CPU_WINDOW]
            if len(window) < _CPU_WINDOW:
                continue
            value = float(np.median(window))
        if value > share * limit:
            yield sample, float(value), float(limit)


def _errors(log: SoakLog, settings: SoakSettings) -> list[Evidence]:
    found: list[Evidence] = []
    for operation, loads in _by_operation(log).items():
        requests = sum(each.requests for each in loads)
        errors = sum(each.errors for each in loads)
        if errors > settings.error_budget * requests:
            first = next(each for each in loads if each.errors)
            words = f"; first: {first.first_error}" if first.first_error else ""
            found.append(
                Evidence(
                    operation,
                    "errors",
                    f"{errors} of {requests} requests ({errors / requests:.2%}); the budget is "
                    f"{settings.error_budget:.2%}{words}",
                    first.at or None,
                )
            )
    return found


def _latencies(log: SoakLog, settings: SoakSettings) -> list[Evidence]:
    found: list[Evidence] = []
    for operation, loads in _by_operation(log).items():
        ceiling = _ceiling(settings, operation)
        seen = [(each, each.p95) for each in loads if each.p95 is not None]
        if ceiling is None or not seen:
            continue
        slow = [(each, p95) for each, p95 in seen if p95 > ceiling]
        if len(slow) >= max(_FEWEST_SLOW, _SLOW_SHARE * len(seen)):
            worst, p95 = max(slow, key=lambda each: each[1])
            found.append(
                Evidence(
                    operation,
                    "p95 latency",
                    f"above {ceiling:g} s in {len(slow)} of {len(seen)} intervals, at worst "
                    f"{p95:.3g} s",
                    worst.at or None,
                )
            )
    return found


def _doubts(
    log: SoakLog,
    series: Mapping[tuple[str, str], Series],
    drifts: Mapping[tuple[str, str], Drift],
    settings: SoakSettings,
) -> Iterator[Evidence]:
    came = achieved(log)
    if log.planned_seconds is None:
        yield Evidence("soak", "start", "no line says how long it was to be")
    elif log.elapsed < settings.min_coverage * log.planned_seconds:
        yield came
    if log.elapsed < settings.min_minutes * 60:
        yield Evidence(
            "soak",
            "length",
            f"{hours(log.elapsed)}, at least {settings.min_minutes:g} min are needed",
        )
    if not log.samples:
        yield Evidence("soak", "samples", "none arrived")
        return
    if not any(each.requests for each in log.loads):
        yield Evidence("soak", "load", "no request was made: an idle platform proves nothing")
    # The first and the last look may fall a moment outside.
    expected = max(1.0, log.elapsed / log.interval_seconds - 1)
    for component in _by_component(log):
        if component in settings.transient:
            continue
        memory = series.get((component, "memory"))
        seen = len(memory.values) if memory is not None else 0
        if seen < settings.min_coverage * expected:
            reasons = Counter(reason for _, reason in log.gaps).most_common(1)
            why = f"; most often: {reasons[0][0]}" if reasons and reasons[0][0] else ""
            yield Evidence(
                component,
                "intervals seen",
                f"{seen} of {expected:.0f}, at least {settings.min_coverage:.0%} are needed{why}",
            )
        elif (component, "memory") not in drifts and _is_watched((component, "memory"), settings):
            yield Evidence(
                component, "samples", "too few after the warm-up to say whether its memory grows"
            )


def _notes(drifts: Mapping[tuple[str, str], Drift], known: Known | None) -> tuple[Evidence, ...]:
    against = "the last good run" if known else "none yet: this is the first good run here"
    nearest = min(
        (
            (drift.hours_to_limit, key)
            for key, drift in drifts.items()
            if drift.hours_to_limit is not None and drift.proved and not drift.is_drift
        ),
        default=None,
    )
    notes = [Evidence("soak", "compared with", against)]
    if nearest is not None:
        reached, (component, metric) = nearest
        words = f"grows, and would reach its limit in {reached:.1f} h: no drift by the rules"
        notes.append(Evidence(component, metric, words))
    return tuple(notes)


def _records(
    log: SoakLog,
    series: Mapping[tuple[str, str], Series],
    *,
    drifts: Mapping[tuple[str, str], Drift],
    settings: SoakSettings,
    broken: set[str],
    platform: str,
) -> Iterator[SoakRecord]:
    fingerprint = fingerprint_digest(log.fingerprint)
    for key, each in series.items():
        component, metric = key
        drift = drifts.get(key)
        finding = "drift" if drift and drift.is_drift else "within"
        if component in broken:
            finding = "broken"
        elif drift is None and _is_watched(key, settings):
            finding = "too few samples"
        elif f"{component}/{metric}" in settings.drift.exempt:
            finding = "exempt"
        yield SoakRecord(
            component=component,
            metric=metric,
            unit=UNITS[metric],
            samples=drift.samples if drift else len(each.values),
            hours=drift.hours if drift else log.elapsed / _HOUR,
            median=drift.median if drift else _middle(each.values),
            largest=float(np.max(each.values)),
            limit=each.limit,
            slope_per_hour=drift.slope.per_unit if drift else None,
            slope_low=drift.slope.low if drift else None,
            slope_high=drift.slope.high if drift else None,
            sigma=drift.slope.sigma if drift else None,
            hours_to_limit=drift.hours_to_limit if drift else None,
            fingerprint=fingerprint,
            platform=platform,
            finding=finding,
        )
    for operation, loads in _by_operation(log).items():
        errors = float(sum(each.errors for each in loads))
        requests = sum(each.requests for each in loads)
        yield SoakRecord(
            component=operation,
            metric="errors",
            unit="1",
            samples=requests,
            hours=log.elapsed / _HOUR,
            median=errors,
            largest=errors,
            limit=settings.error_budget * requests,
            fingerprint=fingerprint,
            platform=platform,
            finding="broken" if errors > settings.error_budget * requests else "within",
        )


def _middle(values: Array) -> float:
    return float(np.median(values))
