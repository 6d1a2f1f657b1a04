"""Settings of suites that measure: how a soak and a benchmark are judged."""

from __future__ import annotations

import re
from datetime import date
from typing import Self

from pydantic import Field, model_validator

from floe_tests.config.base import Settings

_SERIES = re.compile(r"[^/\s]+/(memory|disk|latency)")


class SoakCeilings(Settings):
    """What a component may use of its limit in a soak, as a share; `null` looks at no ceiling."""

    memory: float | None = Field(
        default=0.9, gt=0, le=1, description="Working set, of the memory limit."
    )
    disk: float | None = Field(
        default=0.85, gt=0, le=1, description="Bytes used, of the volume's size."
    )
    cpu: float | None = Field(
        default=None, gt=0, le=1, description="Cores used, of the limit, as the median of a window."
    )


class DriftSettings(Settings):
    """When a slow growth in a soak is a finding: it is proved, and it matters."""

    hours_to_limit: float = Field(
        default=72, gt=0, description="Growth matters that reaches the limit within these hours."
    )
    look_ahead: float = Field(
        default=12,
        gt=0,
        description="How many times its own length a soak may look ahead: one of ten minutes says "
        "nothing of next week, whatever its slope. The shorter of the two horizons holds.",
    )
    warmup_share: float = Field(
        default=0.2,
        ge=0,
        le=0.5,
        description="Share of the soak, from its begin, in which growth is not yet looked at.",
    )
    false_alarms: float = Field(
        default=0.01,
        gt=0,
        le=0.2,
        description="How many of a hundred healthy soaks may be called drifting, as a share; all "
        "components together.",
    )
    exempt: tuple[str, ...] = Field(
        default=(),
        description="What may grow by design, as `component/metric`, such as `postgres/disk`.",
    )


class SoakSettings(Settings):
    """How a suite that leaves soak.jsonl is judged."""

    ceilings: SoakCeilings = Field(
        default_factory=SoakCeilings, description="Shares of the limits."
    )
    max_restarts: int = Field(
        default=0, ge=0, description="Restarts and replacements of pods, all components together."
    )
    transient: tuple[str, ...] = Field(
        default=(),
        description="Components whose pods come and go by design, such as a run's own pods: they "
        "have no restarts and no drift.",
    )
    error_budget: float = Field(
        default=0.001, ge=0, lt=1, description="Share of an operation's requests that may fail."
    )
    latency_seconds: dict[str, float] = Field(
        default_factory=dict,
        description="By operation, the p95 that at most one interval in twenty may exceed; `*` is "
        "every other operation.",
    )
    drift: DriftSettings = Field(default_factory=DriftSettings, description="Slow growth.")
    min_minutes: float = Field(
        default=5, gt=0, description="A soak shorter than this is INCONCLUSIVE."
    )
    min_coverage: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Share of the planned time, and of each component's intervals, that must have "
        "been seen; less is INCONCLUSIVE.",
    )

    @model_validator(mode="after")
    def _names_what_there_is(self) -> Self:
        wrong = [name for name in self.drift.exempt if not _SERIES.fullmatch(name)]
        if wrong:
            message = (
                f"drift.exempt: {wrong[0]!r} is no `component/metric`. Metrics are memory, disk "
                "and latency, such as postgres/disk."
            )
            raise ValueError(message)
        if any(seconds <= 0 for seconds in self.latency_seconds.values()):
            message = "latency_seconds: a ceiling must be more than 0 s."
            raise ValueError(message)
        return self


class BenchmarkSettings(Settings):
    """How a suite that leaves benchmark.json is judged."""

    min_effect: float = Field(
        default=0.1,
        gt=0,
        description="Smallest change that counts, as a share. A machine that others share drifts "
        "by 6 or 7 % for a quarter of an hour, with nothing changed on it.",
    )
    min_seconds: float = Field(
        default=0.005,
        ge=0,
        description="Smallest change that counts, of a measurement of time (unit s, "
        "ms, us or ns). A busy node takes milliseconds from a call that takes five.",
    )
    alpha: float = Field(
        default=0.002,
        gt=0,
        lt=0.5,
        description="Largest p of the Mann–Whitney test, after Holm's correction.",
    )
    run_alpha: float = Field(
        default=0.01,
        gt=0,
        lt=0.5,
        description="How often a run without a change may lie above what the baseline's runs "
        "predict, all measurements together.",
    )
    min_samples: int = Field(
        default=10, ge=5, description="Fewest repetitions of a measurement; fewer: INCONCLUSIVE."
    )
    baseline_runs: int = Field(
        default=8, ge=1, le=50, description="How many of the last good runs are the baseline."
    )
    run_spread: float = Field(
        default=0.03,
        gt=0,
        lt=1,
        description="Spread of run medians on this environment while few runs are known, as a "
        "share; it counts like four runs.",
    )
    change_alpha: float = Field(
        default=0.005,
        gt=0,
        lt=0.5,
        description="Largest p of a change point in the history.",
    )
    history_runs: int = Field(
        default=100, ge=10, le=500, description="How many runs change points are looked for in."
    )
    accepted_since: date | None = Field(
        default=None,
        description="From this day on (UTC) what was measured is accepted: baseline and history "
        "begin there, runs that were called a regression included.",
    )
