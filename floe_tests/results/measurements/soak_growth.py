"""Slow growth in a soak: which series are looked at, and what is said of one that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from floe_tests.config.measured import SoakSettings
from floe_tests.core.evidence import Evidence
from floe_tests.results.measurements.drift import Drift, Expectation, Series, drift_of
from floe_tests.results.measurements.soak_log import SoakLog
from floe_tests.results.measurements.soak_restarts import last_restarts
from floe_tests.results.measurements.soak_series import (
    HOUR_SECONDS,
    Metric,
    amount,
    latency_ceiling,
)
from floe_tests.results.records import SoakRecord

Known = Mapping[tuple[str, str], SoakRecord]
_GROWING: tuple[Metric, ...] = ("memory", "disk")


def is_watched(key: tuple[str, str], settings: SoakSettings) -> bool:
    """Return whether a series' growth is looked at."""
    component, metric = key
    if f"{component}/{metric}" in settings.drift.exempt:
        return False
    if metric == "latency":
        return latency_ceiling(settings, component) is not None
    return metric in _GROWING and component not in settings.transient


def drifts_of(
    log: SoakLog,
    series: Mapping[tuple[str, str], Series],
    watched: Sequence[tuple[str, str]],
    *,
    settings: SoakSettings,
    known: Known,
) -> dict[tuple[str, str], Drift]:
    """Return how each of the series grows of which enough was seen to say so."""
    rules = settings.drift
    begin = rules.warmup_share * (log.planned_seconds or log.elapsed)
    horizon = min(rules.hours_to_limit, rules.look_ahead * log.elapsed / HOUR_SECONDS)
    restarted = last_restarts(log)
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


def drift_evidence(key: tuple[str, str], drift: Drift) -> Evidence:
    """Say how a series grows, and when it would reach its limit."""
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
