"""The hard limits of a soak: restarts, shares of a pod's limits, errors and latencies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from floe_tests.config.measured import SoakSettings
from floe_tests.core.evidence import Evidence
from floe_tests.results.measurements.soak_log import Sample, SoakLog
from floe_tests.results.measurements.soak_restarts import too_many_restarts
from floe_tests.results.measurements.soak_series import (
    METRICS,
    Metric,
    amount,
    by_component,
    by_operation,
    hours,
    latency_ceiling,
)

_SLOW_SHARE = 0.05
_FEWEST_SLOW = 2
# A processor's use is judged over so many looks: a second of it at its limit is no finding.
_CPU_WINDOW = 4


def broken_limits(log: SoakLog, settings: SoakSettings) -> list[Evidence]:
    """Return each limit that a soak broke."""
    return [
        *too_many_restarts(log, settings),
        *_ceilings(log, settings),
        *_errors(log, settings),
        *_latencies(log, settings),
    ]


def _ceilings(log: SoakLog, settings: SoakSettings) -> list[Evidence]:
    found: list[Evidence] = []
    for component, samples in by_component(log).items():
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
    for operation, loads in by_operation(log).items():
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
    for operation, loads in by_operation(log).items():
        ceiling = latency_ceiling(settings, operation)
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
