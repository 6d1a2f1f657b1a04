"""What a soak's log says over time: what each component used, how long each operation took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from floe_tests.config.measured import SoakSettings
from floe_tests.results.measurements.drift import Series
from floe_tests.results.measurements.soak_log import Load, Sample, SoakLog

Metric = Literal["memory", "disk", "cpu"]
METRICS: tuple[Metric, ...] = ("memory", "disk", "cpu")
UNITS: Mapping[str, str] = {
    "memory": "B",
    "disk": "B",
    "cpu": "cores",
    "latency": "s",
    "errors": "1",
    "restarts": "1",
}
_LOOK_SHARE = 0.8
HOUR_SECONDS = 3600.0


def hours(seconds: float) -> str:
    """Return a time as people say it: minutes below two hours."""
    if seconds < 2 * HOUR_SECONDS:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / HOUR_SECONDS:.1f} h"


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


def by_component(log: SoakLog) -> Mapping[str, Sequence[Sample]]:
    """Return the samples of each component."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in log.samples:
        found[sample.component].append(sample)
    return found


def by_operation(log: SoakLog) -> Mapping[str, Sequence[Load]]:
    """Return the load of each operation."""
    found: dict[str, list[Load]] = defaultdict(list)
    for load in log.loads:
        found[load.operation].append(load)
    return found


def latency_series(loads: Sequence[Load], limit: float | None) -> Series | None:
    """Return the latency of an operation over time; None where no request was answered."""
    seen = [(each.elapsed, each.p95) for each in loads if each.p95 is not None]
    if not seen:
        return None
    seconds, values = zip(*seen, strict=True)
    return Series(seconds=np.asarray(seconds), values=np.asarray(values), limit=limit)


def latency_ceiling(settings: SoakSettings, operation: str) -> float | None:
    """Return how long an operation may take; None where nothing limits it."""
    ceilings = settings.latency_seconds
    return ceilings.get(operation, ceilings.get("*"))
