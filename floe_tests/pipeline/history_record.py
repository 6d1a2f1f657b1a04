"""A run as the history takes it, whether it ended by itself or was found orphaned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from floe_tests.core.ledger import as_json
from floe_tests.core.verdict import Verdict
from floe_tests.execution.attempt import Attempt
from floe_tests.pipeline.published import PublishedSuite
from floe_tests.pipeline.state import RecordedRun
from floe_tests.results.records import AttemptRecord, RunRecord, SuiteRecord


@dataclass(frozen=True)
class Origin:
    """What a run tested, and why it was started.

    Attributes:
        tier: Name of the tier.
        ref: The git ref under test.
        commit: Its commit.
        trigger: What started the run; None when it is not known.
    """

    tier: str
    ref: str
    commit: str
    trigger: str | None = None


def run_record(
    run: RecordedRun,
    origin: Origin,
    verdict: Verdict,
    suites: Sequence[PublishedSuite],
    *,
    is_kept: bool = False,
) -> RunRecord:
    """Return a run that is over as the history takes it.

    Args:
        run: What the ledger says of it.
        origin: What it tested.
        verdict: What it came to.
        suites: Its suites.
        is_kept: Whether its environment stays.
    """
    return RunRecord(
        run_id=run.run_id,
        tier=origin.tier,
        provider=run.provider,
        environment=run.environment,
        outcome=verdict.outcome,
        cause=verdict.cause,
        fault=verdict.fault,
        summary=str(verdict),
        ref=origin.ref,
        commit=origin.commit,
        trigger=origin.trigger,
        started_at=run.began_at,
        finished_at=datetime.now(UTC),
        stage_seconds={name: record.seconds for name, record in run.stages.items()},
        first_test_seconds=run.first_test_seconds,
        overhead_seconds=run.overhead_seconds,
        platform=as_json(run.platform) if run.platform else {},
        retained_lease=run.run_id if is_kept else None,
        suites=tuple(_suite_record(suite) for suite in suites),
    )


def _suite_record(suite: PublishedSuite) -> SuiteRecord:
    """Return a suite as the history takes it."""
    results = suite.results
    seconds = sum(attempt.timings.total for attempt in suite.attempts)
    return SuiteRecord(
        name=suite.name,
        outcome=suite.verdict.outcome,
        cause=suite.verdict.cause,
        fault=suite.verdict.fault,
        tally=results.tally,
        cases=results.cases,
        attempts=tuple(_attempt_records(suite.attempts)),
        source=results.source,
        collected=results.collected,
        deselected=results.deselected,
        reported=results.reported,
        in_flight=results.in_flight,
        session_finished=results.session_finished,
        exit_status=results.exit_status,
        notices=suite.notices,
        quarantined=tuple(suite.quarantined),
        seconds=seconds if suite.attempts else None,
        shards=_shards_of(suite.attempts),
        selection=suite.selection,
        measurements=suite.measured.judgement.measurements if suite.measured else (),
        soak=suite.measured.judgement.soak if suite.measured else (),
    )


def _shards_of(attempts: Sequence[Attempt]) -> int | None:
    """Return how many shards a suite was cut into; None when it ran whole."""
    shards = {shard.shard for attempt in attempts for shard in attempt.shards}
    return max(shards) + 1 if shards else None


def _attempt_records(attempts: Sequence[Attempt]) -> Iterator[AttemptRecord]:
    """Return every attempt, of a suite in shards every attempt at each shard.

    Where such a suite was begun anew as a whole, its shards' attempts are counted on.
    """
    made: Counter[int] = Counter()
    for attempt in attempts:
        if not attempt.shards:
            yield _attempt_record(attempt)
        for shard in attempt.shards:
            made[shard.shard] += 1
            yield AttemptRecord(
                number=made[shard.shard],
                shard=shard.shard,
                cause=shard.cause,
                fault=shard.fault,
                evidence=shard.evidence,
                job=shard.job,
                pod=shard.pod,
                node=shard.node,
                exit_code=shard.exit_code,
                started_at=shard.started_at,
                seconds=shard.seconds,
                selected=shard.selected,
                reported=shard.reported,
            )


def _attempt_record(attempt: Attempt) -> AttemptRecord:
    pod = attempt.facts.pod
    return AttemptRecord(
        number=attempt.number,
        cause=attempt.verdict.cause,
        fault=attempt.verdict.fault,
        evidence=attempt.verdict.evidence,
        job=attempt.facts.subject,
        pod=pod.name if pod else None,
        node=pod.node if pod else None,
        exit_code=pod.test.exit_code if pod and pod.test else None,
        started_at=attempt.started_at,
        seconds=attempt.timings.total,
    )
