"""The rules of a soak: hard limits, slow growth, and whether enough was seen to say either.

Pure functions of a soak's log, the suite's settings and what the last good run did; which verdict
the findings make stands in execution/verdict/rules.py alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from floe_tests.config.measured import SoakSettings
from floe_tests.core.evidence import Evidence
from floe_tests.results.measurements.drift import Drift, Series
from floe_tests.results.measurements.estimates import Array
from floe_tests.results.measurements.judgement import Judgement, fingerprint_digest, shown
from floe_tests.results.measurements.soak_growth import Known, drift_evidence, drifts_of, is_watched
from floe_tests.results.measurements.soak_limits import broken_limits
from floe_tests.results.measurements.soak_log import SoakLog
from floe_tests.results.measurements.soak_series import (
    HOUR_SECONDS,
    METRICS,
    UNITS,
    by_component,
    by_operation,
    component_series,
    hours,
    latency_ceiling,
    latency_series,
)
from floe_tests.results.records import SoakRecord


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
            for component, samples in by_component(log).items()
            for metric in METRICS
            if (found := component_series(samples, metric, log.interval_seconds)) is not None
        },
        **{
            (operation, "latency"): found
            for operation, loads in by_operation(log).items()
            if (found := latency_series(loads, latency_ceiling(settings, operation))) is not None
        },
    }
    watched = [key for key in series if is_watched(key, settings)]
    drifts = drifts_of(log, series, watched, settings=settings, known=known or {})
    broken = broken_limits(log, settings)
    drifting = [drift_evidence(key, each) for key, each in drifts.items() if each.is_drift]
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
    for component in by_component(log):
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
        elif (component, "memory") not in drifts and is_watched((component, "memory"), settings):
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
        elif drift is None and is_watched(key, settings):
            finding = "too few samples"
        elif f"{component}/{metric}" in settings.drift.exempt:
            finding = "exempt"
        yield SoakRecord(
            component=component,
            metric=metric,
            unit=UNITS[metric],
            samples=drift.samples if drift else len(each.values),
            hours=drift.hours if drift else log.elapsed / HOUR_SECONDS,
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
    for operation, loads in by_operation(log).items():
        errors = float(sum(each.errors for each in loads))
        requests = sum(each.requests for each in loads)
        yield SoakRecord(
            component=operation,
            metric="errors",
            unit="1",
            samples=requests,
            hours=log.elapsed / HOUR_SECONDS,
            median=errors,
            largest=errors,
            limit=settings.error_budget * requests,
            fingerprint=fingerprint,
            platform=platform,
            finding="broken" if errors > settings.error_budget * requests else "within",
        )


def _middle(values: Array) -> float:
    return float(np.median(values))
