"""What the history remembers of a run: plain values, in and out.

No database is imported here, so that whoever makes or reads a record stays independent of one.
Times are aware; the history gives them back in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from floe_tests.core.evidence import Evidence
from floe_tests.core.json_values import is_array, is_object
from floe_tests.results.cases import CaseResult, Tally

UNKNOWN_COUNT = "collected count unknown"
"""Said wherever results are shown that nobody counted: completeness is then not proved."""

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt to run a suite: one Job, or one process.

    Attributes:
        number: From 1. A later attempt was made because an earlier one failed for a cause that is
            retried; all of them are kept.
        shard: Which part of the suite, from 0.
        cause: Cause of the attempt's verdict, such as `PASS` or `INFRA_NODE`.
        fault: Whose fault it was, as the verdict says; None for none.
        evidence: What the verdict rests on, most telling first.
        job: Name of the Job. None where there was none.
        pod: Name of the pod. None when it was never created.
        node: Name of the node. None when the pod was never scheduled.
        exit_code: Exit code of the test container or process. None when it never ended by itself.
        started_at: When the attempt began. None when it never did.
        seconds: How long it took. None when it never began.
        selected: Tests that were the shard's. None for a suite that ran whole, and when unknown.
        reported: Tests of these that reported. None for a suite that ran whole.
    """

    number: int
    cause: str
    shard: int = 0
    fault: str | None = None
    evidence: tuple[Evidence, ...] = ()
    job: str | None = None
    pod: str | None = None
    node: str | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    seconds: float | None = None
    selected: int | None = None
    reported: int | None = None

    def __post_init__(self) -> None:
        """Refuse a naive time."""
        _require_aware(started_at=self.started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord:
    """One measurement of a benchmark, compared with its baseline.

    Attributes:
        name: What was measured.
        unit: Of its values, such as `s`.
        better: Whether `lower` or `higher` values are better.
        samples: Repetitions, the warm-up left out.
        median: Their median; None where nothing was measured.
        values: The repetitions, at most 200: of more, as many quantiles.
        fingerprint: Digest of all that must be equal for two runs to be compared.
        platform: What was measured: chart, version, digest of the images.
        finding: `recorded`, `unchanged`, `regressed`, `improved`, `too few samples`,
            `incomparable`.
        change: Change of the median against the baseline, as a share; None without one.
        change_low: Lower bound of its interval.
        change_high: Upper bound.
    """

    name: str
    unit: str
    better: str
    samples: int
    median: float | None
    values: tuple[float, ...]
    fingerprint: str
    platform: str = ""
    finding: str = "recorded"
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakRecord:
    """What one component or operation did over a soak, in one respect.

    Attributes:
        component: The component; for `latency` and `errors` the operation.
        metric: `memory`, `disk`, `cpu`, `restarts`, `latency` or `errors`.
        unit: `B`, `cores`, `s`, `1` for a share or a number.
        samples: Values that were seen, the warm-up left out.
        hours: Time that they span.
        median: Their median; of `restarts` and `errors` the total.
        largest: The largest of them.
        limit: What it must not reach, in its unit; None without one.
        slope_per_hour: Growth; None where none could be estimated.
        slope_low: Lower bound of its interval.
        slope_high: Upper bound.
        sigma: Spread about that line.
        hours_to_limit: From the soak's end at that growth; None when it does not grow.
        fingerprint: Digest of all that must be equal for two runs to be compared.
        platform: What was soaked: chart, version, digest of the images.
        finding: `within`, `broken`, `drift`, `exempt` or `too few samples`.
    """

    component: str
    metric: str
    unit: str
    samples: int
    hours: float
    median: float | None
    largest: float | None
    fingerprint: str
    limit: float | None = None
    slope_per_hour: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None
    sigma: float | None = None
    hours_to_limit: float | None = None
    platform: str = ""
    finding: str = "within"

    @property
    def is_finding(self) -> bool:
        """Whether it makes a run red."""
        return self.finding in {"broken", "drift"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRecord:
    """One suite of a run.

    Attributes:
        name: Name of the suite.
        outcome: The verdict's outcome.
        cause: The verdict's cause.
        tally: Its cases, counted.
        fault: Whose fault it was; None for none.
        cases: Its cases. Empty in what `History.runs` and `History.run` give: there may be many,
            ask `History.cases` for them.
        attempts: Every attempt, in order.
        source: Where the cases come from, as in `SuiteResults.source`.
        collected: Tests that were about to run. None when unknown.
        deselected: Tests that were left out on request. None when unknown.
        reported: Tests that reported.
        in_flight: Names of the tests that were running when the results ended.
        session_finished: Whether the test tool came to its own end.
        exit_status: The test tool's own exit status. None when unknown.
        notices: What was unreadable, cut or contradictory, and what the gate let pass.
        quarantined: Names of failed tests that the quarantine list let fail.
        seconds: How long the suite took on the wall clock. None when unknown.
        shards: How many shards it was cut into. None when it ran whole.
        selection: Groups of tests that it was narrowed to; empty for all. None when unknown.
        measurements: What it measured, where it is a benchmark.
        soak: What each component did, where it is a soak.
    """

    name: str
    outcome: str
    cause: str
    tally: Tally
    fault: str | None = None
    cases: tuple[CaseResult, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    source: str = "none"
    collected: int | None = None
    deselected: int | None = None
    reported: int = 0
    in_flight: tuple[str, ...] = ()
    session_finished: bool = False
    exit_status: int | None = None
    notices: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    seconds: float | None = None
    shards: int | None = None
    selection: str | None = None
    measurements: tuple[MeasurementRecord, ...] = ()
    soak: tuple[SoakRecord, ...] = ()

    @property
    def is_uncounted(self) -> bool:
        """Whether tests reported, and nobody said how many were collected."""
        return self.collected is None and self.reported > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a tier.

    Attributes:
        run_id: Id of the Dagster run.
        tier: Name of the tier.
        provider: Provider of its environment, such as `kind`. Runs of different providers are
            never compared.
        environment: Name of the cluster or context.
        outcome: The verdict's outcome.
        cause: The verdict's cause, such as `PASS` or `TEST_FAILURE`.
        started_at: When the run began, aware.
        fault: Whose fault a red run is; None for none.
        summary: The verdict in one sentence.
        ref: Branch or tag. None when unknown.
        commit: Commit that was tested. None when unknown.
        trigger: What started the run: a person, a schedule, CI. None when unknown.
        finished_at: When it ended, aware. None while it runs.
        stage_seconds: How long each stage took, by name.
        first_test_seconds: From the trigger to the first test. None when no test began.
        overhead_seconds: What the run took beyond the pod's own time. None when unknown.
        platform: What was installed: chart, version, image digests, and so on.
        retained_lease: Name of the environment that was kept. None when it was given back.
        suites: The suites.
    """

    run_id: str
    tier: str
    provider: str
    environment: str
    outcome: str
    cause: str
    started_at: datetime
    fault: str | None = None
    summary: str = ""
    ref: str | None = None
    commit: str | None = None
    trigger: str | None = None
    finished_at: datetime | None = None
    stage_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    first_test_seconds: float | None = None
    overhead_seconds: float | None = None
    platform: Mapping[str, object] = field(default_factory=dict[str, object])
    retained_lease: str | None = None
    suites: tuple[SuiteRecord, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a naive time."""
        _require_aware(started_at=self.started_at, finished_at=self.finished_at)

    @property
    def tested(self) -> str:
        """What it tested: the commit, or where there is none the versions of the platform."""
        if self.commit and self.commit != _UNKNOWN:
            return self.commit
        return version_of(self.platform)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRun:
    """What one test did in one run.

    Attributes:
        run_id: The run.
        provider: What the run ran on.
        environment: The cluster or context of the run.
        ref: Branch or tag of the run.
        commit: Commit of the run.
        started_at: When the run began, UTC.
        cause: Cause of the run's verdict: a failure in a run that infrastructure broke says little
            about the test.
        suite: The test's suite.
        case: What it did.
    """

    run_id: str
    provider: str
    environment: str
    ref: str | None
    commit: str | None
    started_at: datetime
    cause: str
    suite: str
    case: CaseResult


def version_of(platform: Mapping[str, object]) -> str:
    """Return the versions of what was installed or found, without digests; empty for nothing.

    Args:
        platform: As `RunRecord.platform`.
    """
    found = platform.get("fingerprint")
    if is_object(found):
        chart, version = found.get("chart"), found.get("version")
        return f"{chart} (app {version})" if version not in {None, "", _UNKNOWN} else f"{chart}"
    releases = platform.get("releases")
    named = [each for each in releases if is_object(each)] if is_array(releases) else []
    return ", ".join(f"{each.get('chart')} {each.get('version')}" for each in named)


def _require_aware(**times: datetime | None) -> None:
    for name, time in times.items():
        if time is not None and time.tzinfo is None:
            message = f"{name} {time.isoformat()} has no time zone. Pass an aware time."
            raise ValueError(message)
