"""One suite's results and verdict out of those of its shards, and the proof that they are all.

Each shard says what it collected (all tests, as a digest), what it kept of that, and what each of
these did; its stream proves that all of it arrived. Here the shards are held against each other:
all must have collected the same, and what they kept must be the whole, without a test in two
shards. A shard that is missing is RESULT_LOST and never PASS.

What is written is what a suite of one pod would have sent, so that nothing behind this module has
to know of shards: `results/` with one JUnit file, one account of events and one count. What each
shard sent stays as it is, in `shards/<index>-<attempt>/`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import JUDGED_TOGETHER, Cause, Verdict
from floe_tests.execution.attempt import SHOWN_FAILURES, shown
from floe_tests.execution.sharding.combined_results import Source, write_results
from floe_tests.execution.sharding.part import Part, part_of
from floe_tests.execution.sharding.proof import problems_of
from floe_tests.execution.sharding.record import ShardAttempt
from floe_tests.execution.verdict.facts import DeadlineName, ErrorFacts, Facts, ResultFacts
from floe_tests.execution.verdict.rules import RULES, classify
from floe_tests.exporter.results import EVENTS_FILE

_SHOWN_SHARDS = 10


@dataclass(frozen=True)
class SuiteEnd:
    """All that is known of a sharded suite at its end.

    Attributes:
        subject: Its Job, as evidence names it.
        count: How many shards it has.
        attempts: Every attempt at every shard, by shard and number.
        cancelled: Why it was cancelled.
        error: The error that ended it.
        not_run: The shard for which the rest was not run at all.
        elapsed_seconds: Since it began.
        deadlines: Its deadlines.
    """

    subject: str
    count: int
    attempts: tuple[ShardAttempt, ...]
    cancelled: str | None
    error: ErrorFacts | None
    not_run: str | None
    elapsed_seconds: float
    deadlines: DeadlineSettings


def merged(directory: Path, end: SuiteEnd) -> tuple[Facts, Verdict]:
    """Write the results of the whole, and judge it.

    Args:
        directory: Folder of the suite's attempt; `results/` in it is written anew.
        end: What is known of its shards.

    Returns:
        The facts, with which a quarantine list judges again, and the verdict: that of the worst
        shard by the table's order, or, where all were ended by their own tests, that of all tests
        together.
    """
    last = {attempt.shard: attempt for attempt in end.attempts}
    results = [part_of(directory, last[shard], end.attempts) for shard in sorted(last)]
    write_results(
        directory / "results",
        [Source(part.received, part.results, part.account) for part in results],
    )
    problems = problems_of(results, count=end.count, not_run=end.not_run)
    vanished = (f"{part.name}: {told}" for part in results for told in part.results.vanished)
    facts = _result_facts(results, (*problems, *vanished))
    if end.cancelled is not None or end.error is not None:
        return _ended_from_outside(end, facts)
    broken = [part for part in results if part.attempt.verdict.cause not in JUDGED_TOGETHER]
    if broken:
        return _ended_by_worst(end, facts, results, min(broken, key=_place_in_table))
    return _ended_by_tests(end, facts, results)


def _ended_from_outside(end: SuiteEnd, results: ResultFacts) -> tuple[Facts, Verdict]:
    facts = _whole(end, results, pod=None)
    verdict = classify(replace(facts, cancelled=end.cancelled, error=end.error))
    # What has begun is not begun again: every shard would run twice.
    again = 0 if results.started else verdict.retries
    facts = replace(facts, cancelled=end.cancelled, error=end.error)
    return facts, replace(verdict, retries=again)


def _ended_by_worst(
    end: SuiteEnd, results: ResultFacts, parts: Sequence[Part], worst: Part
) -> tuple[Facts, Verdict]:
    attempt, own_results = worst.attempt, worst.attempt.facts.results
    facts = replace(
        attempt.facts,
        # The shard's own end, with the outcomes of all.
        results=replace(
            results,
            in_flight=own_results.in_flight,
            session_finished=own_results.session_finished,
            exit_status=own_results.exit_status,
            has_events=own_results.has_events,
            ends_early=own_results.ends_early,
            received=own_results.received,
        ),
        own_failed=own_results.failed,
    )
    own = classify(facts) if results.failed_again else attempt.verdict
    node = attempt.facts.pod.node if attempt.facts.pod else ""
    where = f"{attempt.pod}{f' on {node}' if node else ''}" if attempt.pod else "never made"
    again = f", attempt {attempt.number}" if attempt.number > 1 else ""
    said = own.evidence if own.cause is not Cause.RESULT_LOST else classify(facts).evidence
    evidence = (
        *said[:1],
        Evidence(attempt.subject, "pod", f"{where}{again}"),
        Evidence(end.subject, "shards", _counted(parts)),
        *said[1:],
    )
    return facts, replace(own, evidence=evidence, retries=0)


def _ended_by_tests(
    end: SuiteEnd, results: ResultFacts, parts: Sequence[Part]
) -> tuple[Facts, Verdict]:
    """Judge all tests together, by the exit code of a shard that stands for all."""
    order = (Cause.TEST_FAILURE, Cause.SUSPECT_ENV, Cause.PASS)
    representative = min(
        parts,
        key=lambda part: (
            part.explains_its_exit,
            order.index(part.attempt.verdict.cause)
            if part.attempt.verdict.cause in order
            else len(order),
        ),
        default=None,
    )
    facts = _whole(end, results, pod=representative)
    verdict = classify(facts)
    failing = [part for part in parts if part.facts.failed]
    shards = [
        Evidence(
            part.attempt.subject,
            "pod",
            f"{part.attempt.pod}: {part.facts.failed} of {part.facts.reported} tests failed",
        )
        for part in failing[:_SHOWN_SHARDS]
    ]
    evidence = (
        *verdict.evidence[:1],
        *shards,
        Evidence(end.subject, "shards", _counted(parts)),
        *verdict.evidence[1:],
    )
    return facts, replace(verdict, evidence=evidence, retries=0)


def _whole(end: SuiteEnd, results: ResultFacts, *, pod: Part | None) -> Facts:
    limits: tuple[tuple[DeadlineName, float], ...] = (("job", end.deadlines.job_seconds),)
    return Facts(
        subject=end.subject,
        pod=pod.attempt.facts.pod if pod else None,
        results=results,
        own_failed=pod.attempt.facts.results.failed if pod else None,
        elapsed_seconds=end.elapsed_seconds,
        deadlines=limits,
    )


def _place_in_table(part: Part) -> tuple[int, int]:
    """Return where in the table a shard's verdict stands, worst first; then the shard's number."""
    cause = part.attempt.verdict.cause
    return next(row for row, rule in enumerate(RULES) if rule.cause is cause), part.attempt.shard


def _counted(parts: Sequence[Part]) -> str:
    causes = Counter(part.attempt.verdict.cause for part in parts)
    words = ", ".join(f"{number} {cause}" for cause, number in causes.most_common())
    again = sum(part.attempt.number > 1 for part in parts)
    more = f"; {again} needed another attempt" if again else ""
    return f"{len(parts)}: {words}{more}"


def _result_facts(parts: Sequence[Part], problems: tuple[str, ...]) -> ResultFacts:
    facts = [part.facts for part in parts]
    collected = [each.collected for each in facts]
    known = [count for count in collected if count is not None]
    notices = [
        f"{part.name}: {notice}"
        for part, each in zip(parts, facts, strict=True)
        for notice in each.notices
    ]
    is_cut = any(EVENTS_FILE in each.cut for each in facts)
    return ResultFacts(
        complete=not problems,
        problems=shown(problems),
        notices=shown(notices),
        cut=(EVENTS_FILE,) if is_cut else (),
        collected=sum(known) if len(known) == len(collected) else None,
        reported=sum(each.reported for each in facts),
        passed=sum(each.passed for each in facts),
        failed=sum(each.failed for each in facts),
        skipped=sum(each.skipped for each in facts),
        failures=tuple(name for each in facts for name in each.failures)[:SHOWN_FAILURES],
        said=tuple(told for each in facts for told in each.said)[:SHOWN_FAILURES],
        failed_before=tuple(name for part in parts for name in part.results.failed_before),
        failed_again=tuple(name for part in parts for name in part.results.failed_again),
        in_flight=tuple(name for each in facts for name in each.in_flight),
        session_finished=bool(facts) and all(each.session_finished for each in facts),
        has_events=any(each.has_events for each in facts),
        received=bool(facts) and all(each.received for each in facts),
        expected_failures=sum(each.expected_failures for each in facts),
        has_result_file=any(each.has_result_file for each in facts),
        other_reasons=tuple(line for each in facts for line in each.other_reasons),
        started=any(each.started for each in facts),
    )
