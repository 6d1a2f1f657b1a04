"""Restarts in a soak: containers that began again, and pods that took the place of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from floe_tests.config.measured import SoakSettings
from floe_tests.core.evidence import Evidence
from floe_tests.results.measurements.soak_log import Sample, SoakLog
from floe_tests.results.measurements.soak_series import (
    by_component,
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
    for component, samples in by_component(log).items():
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


def last_restarts(log: SoakLog) -> dict[str, float]:
    """Return when a component's pods last began again."""
    last: dict[str, float] = {}
    for sample, _ in _increments(log, "restarts"):
        last[sample.component] = sample.elapsed
    for samples in by_component(log).values():
        firsts: dict[str, Sample] = {}
        for sample in samples:
            firsts.setdefault(sample.pod, sample)
        newest = max(firsts.values(), key=lambda each: each.elapsed)
        if len(firsts) > 1:
            last[newest.component] = max(last.get(newest.component, 0.0), newest.elapsed)
    return last


def too_many_restarts(log: SoakLog, settings: SoakSettings) -> list[Evidence]:
    """Return the OOM kills, and the restarts where there were more than are allowed."""
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
