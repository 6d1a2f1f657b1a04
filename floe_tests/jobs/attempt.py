"""One attempt to run a suite, judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.jobs.facts import Facts, ResultFacts
from floe_tests.jobs.verdict import Verdict, classify
from floe_tests.results.collate import collate

if TYPE_CHECKING:
    from floe_tests.jobs.stream import Completeness
    from floe_tests.results.collate import SuiteResults

_SHOWN_FAILURES = 50


@dataclass(frozen=True)
class Timings:
    """How long the parts of an attempt took, in seconds.

    Attributes:
        total: From the request to the verdict.
        pod_start: From the pod's creation to its test container running; None when it never ran.
        tests: How long the test container ran; None when it never did.
        to_verdict: From the end of the test container to the verdict.
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
    """

    suite: str
    number: int
    directory: Path
    started_at: datetime
    facts: Facts
    verdict: Verdict
    timings: Timings


def judge(facts: Facts, *, directory: Path, completeness: Completeness) -> tuple[Facts, Verdict]:
    """Add the results to the facts, and give the verdict.

    Args:
        facts: What was observed of the pod and the Job.
        directory: Where the received files are.
        completeness: What the result stream says of them.
    """
    results = collate(directory)
    problems = (*completeness.problems, *_count_problems(results))
    with_results = replace(
        facts,
        results=_result_facts(
            results, complete=completeness.complete and not problems, problems=problems
        ),
    )
    return with_results, classify(with_results)


def _result_facts(
    results: SuiteResults, *, complete: bool, problems: tuple[str, ...]
) -> ResultFacts:
    tally = results.tally
    failures = tuple(case.name for case in results.cases if case.outcome.is_failing)
    return ResultFacts(
        complete=complete,
        problems=problems,
        collected=results.collected,
        reported=results.reported,
        passed=tally.passed,
        failed=tally.failing,
        skipped=tally.skipped,
        failures=failures[:_SHOWN_FAILURES],
        in_flight=results.in_flight,
        session_finished=results.session_finished,
        started=bool(results.cases or results.in_flight),
    )


def _count_problems(results: SuiteResults) -> tuple[str, ...]:
    """Compare what was collected with what was reported."""
    if results.collected is None or results.reported == results.collected:
        return ()
    running = f"; {', '.join(results.in_flight)} was running" if results.in_flight else ""
    return (f"{results.reported} of {results.collected} collected tests were reported{running}",)
