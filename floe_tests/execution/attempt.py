"""One attempt to run a suite, judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.core.verdict import Verdict
from floe_tests.execution.sharding.summary import ShardSummary
from floe_tests.execution.verdict.facts import Facts, ResultFacts, run_seconds
from floe_tests.execution.verdict.rules import classify
from floe_tests.exporter.results import COLLECTION_FILE, EVENTS_FILE
from floe_tests.kube.objects import timestamp
from floe_tests.results.cases import legible
from floe_tests.results.reasons import reason_of
from floe_tests.results.received import read as read_received

if TYPE_CHECKING:
    from floe_tests.execution.stream import Completeness, CutResult
    from floe_tests.results.collate import SuiteResults

SHOWN_FAILURES = 50
_SHOWN_NOTICES = 50
POD_LOG = "pod.log"
_LOG_TAIL_BYTES = 64 * 1024
_LINE_CHARACTERS = 300
_SHOWN_LINES = 3
# How test tools say that they end badly although no test failed, or before all tests had run:
# pytest-cov, Jest, nyc; pytest's `-x` and `--maxfail`, `pytest.exit`, errors of pytest itself.
_OTHER_REASON = re.compile(
    r"(?i:(?:FAIL|ERROR:?) .*\bcoverage\b|ERROR: Coverage failure|Jest: .*coverage threshold)"
    r"|INTERNALERROR>|!+ (?:stopping after \d+ failures|\S*outcomes\.Exit: |KeyboardInterrupt)"
    r"|!+ .*[Ii]nterrupted: "
)
# pytest's last line. A traceback behind it, or without it, is of pytest or a plugin, and no test's.
_PYTEST_SUMMARY = re.compile(
    r"=*\s*\d+ (?:failed|passed|skipped|errors?|deselected)\b.* in [\d.]+s"
)
_PYTEST_FRAME = re.compile(r'File ".*[/\\](?:_pytest|pluggy)[/\\]')
_TRACEBACK = "Traceback (most recent call last):"


@dataclass(frozen=True)
class Timings:
    """How long the parts of an attempt took, in seconds.

    Attributes:
        total: From the request to the verdict.
        pod_start: From the pod's creation to its test container running; None when it never ran.
        tests: How long the test container ran; None when it never did.
        to_verdict: From the change that decided to the verdict: the end of the test container,
            the deadline, or what the evidence names. Kubernetes' times are whole seconds, cut off,
            so up to one of them is not ours. None when no time is known.
    """

    total: float
    pod_start: float | None = None
    tests: float | None = None
    to_verdict: float | None = None

    @property
    def overhead(self) -> float | None:
        """What the orchestrator added to the pod's own start and the tests."""
        if self.pod_start is None or self.tests is None:
            return None
        return max(0.0, self.total - self.pod_start - self.tests)


@dataclass(frozen=True)
class Attempt:
    """One attempt to run a suite.

    Attributes:
        suite: Name of the suite.
        number: Number of the attempt, from 1.
        directory: Where its received files are.
        started_at: When it began (UTC).
        facts: What was observed.
        verdict: What it came to.
        timings: How long it took.
        shards: Every attempt at every shard of a suite in shards; empty for any other suite.
    """

    suite: str
    number: int
    directory: Path
    started_at: datetime
    facts: Facts
    verdict: Verdict
    timings: Timings
    shards: tuple[ShardSummary, ...] = ()


def timings_of(
    facts: Facts, verdict: Verdict, *, total: float, passed_at: datetime | None
) -> Timings:
    """Return how long the parts of an attempt took.

    Args:
        facts: What was observed.
        verdict: What it came to.
        total: Seconds from the request to now.
        passed_at: When a deadline ended it, if one did.
    """
    test = facts.pod.test if facts.pod else None
    created = facts.pod.created_at if facts.pod else None
    started = test.started_at if test else None
    named = (timestamp(item.time) for item in verdict.evidence)
    decided_at = (
        (test.finished_at if test else None)
        or passed_at
        or next((time for time in named if time is not None), None)
    )
    return Timings(
        total=total,
        pod_start=(started - created).total_seconds() if started and created else None,
        tests=run_seconds(test),
        to_verdict=(datetime.now(UTC) - decided_at).total_seconds() if decided_at else None,
    )


def judge(facts: Facts, *, directory: Path, completeness: Completeness) -> tuple[Facts, Verdict]:
    """Add the results to the facts, and give the verdict.

    Args:
        facts: What was observed of the pod and the Job.
        directory: Where the received files are.
        completeness: What the result stream says of them.
    """
    cut = tuple(cut.path for cut in completeness.cut)
    results = read_received(directory, cut=cut)
    spare = _cuts_without_loss(completeness.cut, results)
    is_counted = results.collected is not None and results.reported == results.collected
    doubts, settled = ((), completeness.doubts) if is_counted else (completeness.doubts, ())
    lost = tuple(each for each in completeness.problems if each not in spare)
    # What the exporter refuses is the tests' own doing; all that could be sent may have arrived.
    refused = (*completeness.refused, *doubts)
    received = not lost and (completeness.complete or bool(spare or completeness.refused))
    problems = (*lost, *refused, *_count_problems(results))
    log = _tail_of(directory.parent / POD_LOG)
    result_facts = replace(
        _result_facts(results),
        complete=received and not problems,
        received=received,
        free_bytes=completeness.free_bytes,
        last_words=() if results.reported else _last_words(log),
        other_reasons=_other_reasons(log) if results.tally.failing else (),
        problems=problems,
        notices=shown((*spare.values(), *completeness.notices, *settled)),
        cut=cut,
    )
    with_results = replace(facts, results=result_facts)
    return with_results, classify(with_results)


def _tail_of(log: Path) -> tuple[str, ...]:
    """Return the last lines of a log; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            text = legible(file.read(_LOG_TAIL_BYTES).decode(errors="replace"))
    except OSError:
        return ()
    return tuple(line.rstrip()[:_LINE_CHARACTERS] for line in text.splitlines() if line.strip())


def _last_words(log: Sequence[str]) -> tuple[str, ...]:
    """Return the last lines of a log, those that name an error first."""
    lines = [line.strip() for line in log]
    errors = [line for line in lines if "error" in line.lower()]
    return tuple((errors or lines)[-_SHOWN_LINES:])


def _other_reasons(log: Sequence[str]) -> tuple[str, ...]:
    """Return the lines in which the test tool names another reason for a bad end than failures."""
    found = [line for line in log if _OTHER_REASON.match(line)]
    summaries = (number for number, line in enumerate(log) if _PYTEST_SUMMARY.match(line))
    behind = log[max(summaries, default=-1) + 1 :]
    # Other tools print a test's traceback so.
    is_pytests = any(_PYTEST_FRAME.search(line) for line in behind)
    if not found and is_pytests and any(line.endswith(_TRACEBACK) for line in behind):
        found = [_TRACEBACK, behind[-1]]
    return tuple(found[-_SHOWN_LINES:])


def _cuts_without_loss(cuts: Sequence[CutResult], results: SuiteResults) -> Mapping[str, str]:
    """Find cut result files whose end would add nothing.

    JUnit and events say the same twice. Where one of them came whole and holds every test that was
    collected, the other may be cut: 50,000 tests fill more than one file's cap with events, and
    their JUnit file a tenth of it.

    Returns:
        The sentence on each such file, and the notice that it becomes; empty when there is doubt.
    """
    names = [cut.path.rpartition("/")[2] for cut in cuts]
    is_events = [name == EVENTS_FILE for name in names]
    by_junit = all(is_events) and results.collected == results.in_junit
    by_events = (
        not any(is_events)
        and COLLECTION_FILE not in names
        and results.session_finished
        and results.collected == results.in_events
    )
    if results.collected is None or not (by_junit or by_events):
        return {}
    proof = f"all {results.collected} collected tests are in the other results"
    return {str(cut): f"{cut}; {proof}" for cut in cuts}


def shown(notices: Sequence[str]) -> tuple[str, ...]:
    """Keep what people can still read: a thousand links make a thousand notices."""
    more = len(notices) - _SHOWN_NOTICES
    if more <= 0:
        return tuple(notices)
    return (*notices[:_SHOWN_NOTICES], f"{more} more notices are left out")


def with_outcomes(facts: ResultFacts, results: SuiteResults) -> ResultFacts:
    """Return the facts with the tests' outcomes as these results have them."""
    tally = results.tally
    failing = [case for case in results.cases if case.outcome.is_failing][:SHOWN_FAILURES]
    reasons = ((case.name, reason_of(case)) for case in failing)
    return replace(
        facts,
        passed=tally.passed,
        failed=tally.failing,
        skipped=tally.skipped,
        failures=tuple(case.name for case in failing),
        said=tuple((name, reason) for name, reason in reasons if reason),
    )


def _result_facts(results: SuiteResults) -> ResultFacts:
    facts = ResultFacts(
        collected=results.collected,
        reported=results.reported,
        in_flight=results.in_flight,
        session_finished=results.session_finished,
        exit_status=results.exit_status,
        has_events=results.has_events,
        ends_early=results.ends_early,
        expected_failures=results.expected_failures,
        has_result_file=results.has_result_file,
        started=bool(results.cases or results.in_flight),
    )
    return with_outcomes(facts, results)


def _count_problems(results: SuiteResults) -> tuple[str, ...]:
    """Compare what was collected with what was reported, and the two accounts of the end."""
    problems: list[str] = []
    if results.collected is not None and results.reported != results.collected:
        running = f"; {', '.join(results.in_flight)} was running" if results.in_flight else ""
        problems.append(
            f"{results.reported} of {results.collected} collected tests were reported{running}"
        )
    if results.reported != results.collected:
        problems += results.doubts
    problems += results.contradictions
    if results.ends_early and results.in_junit:
        problems.append("a JUnit file is there, and pytest, which writes it last, had not ended")
    elif results.ends_early:
        problems.append("pytest's events end before its session did")
    return tuple(problems)
