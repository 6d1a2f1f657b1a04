"""What speaks for the verdicts on results, and on errors that came before there were any."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.ends import (
    PYTEST_INTERRUPTED,
    PYTEST_NO_TESTS,
    blamed,
    end_evidence,
    ended_by_itself,
    exit_code,
    good_exits,
    is_settled_red,
    last_words,
    pytest_ended_with,
)
from floe_tests.execution.verdict.evidence.program import beside
from floe_tests.execution.verdict.evidence.words import (
    exit_evidence,
    failures,
    finished_at,
    in_flight,
    outcome,
    pod_name,
    progress,
)
from floe_tests.execution.verdict.facts import Facts
from floe_tests.results.records import UNKNOWN_COUNT

# From this share of failed tests on, and this many tests, the environment is suspected: the tests
# hardly broke all at once. Red all the same, but left out of flakiness.
_SUSPECT_SHARE = 0.8
_SUSPECT_TESTS = 10
_SHOWN_FAILURES = 10
_EXCUSED = "is explained by quarantined failures alone"


def cancelled(facts: Facts) -> Sequence[Evidence]:
    """The run was cancelled."""
    if facts.cancelled is None:
        return ()
    return [Evidence(facts.subject, "cancelled", facts.cancelled), *progress(facts)]


def error_of(party: str) -> Callable[[Facts], Sequence[Evidence]]:
    """An error of this package at the door of one party."""

    def find(facts: Facts) -> Sequence[Evidence]:
        if facts.error is None or facts.error.party != party:
            return ()
        return [Evidence(facts.subject, "error", facts.error.message), *facts.error.evidence]

    return find


def interrupted(facts: Facts) -> Sequence[Evidence]:
    """The test program was interrupted, could not collect, or ended inside of a test."""
    found = pytest_ended_with(facts, {PYTEST_INTERRUPTED})
    if found or not facts.results.session_finished:
        return found
    # `pytest.exit(returncode=0)`: the session is over, and a test of it is not.
    running = in_flight(facts)
    return [*running, *end_evidence(facts)] if running and not is_settled_red(facts) else ()


def no_tests(facts: Facts) -> Sequence[Evidence]:
    """There was nothing to run."""
    results = facts.results
    if found := pytest_ended_with(facts, {PYTEST_NO_TESTS}):
        return found
    # Nothing said and nothing written is not "no tests": that is a result that never came.
    said = results.reported > 0 or results.collected == 0 or results.has_result_file
    # A failure in quarantine says no more of the software than a test that was skipped.
    none_ran = said and results.passed + blamed(facts) + results.expected_failures == 0
    if exit_code(facts) not in good_exits(facts) or not results.complete or not none_ran:
        return ()
    excused = len(results.quarantined)
    why = f"{results.skipped} skipped, {excused} failed in quarantine, none passed"
    why = why if excused else f"{results.skipped} skipped, none ran"
    return [*exit_evidence(facts), Evidence(facts.subject, "results", why)]


def never_written(facts: Facts) -> Sequence[Evidence]:
    """Everything that the tests wrote has arrived, but results are missing."""
    return _lost(facts) if facts.results.received else ()


def lost(facts: Facts) -> Sequence[Evidence]:
    """The results are not proved complete."""
    return _lost(facts)


def suspect(facts: Facts) -> Sequence[Evidence]:
    """Nearly everything failed at once."""
    results = facts.results
    # A quarantined failure was expected, and so tells nothing about the platform.
    bad = blamed(facts)
    ran = results.reported - results.skipped - len(results.quarantined)
    enough = bad > 0 and results.reported >= _SUSPECT_TESTS
    if not enough or bad < _SUSPECT_SHARE * ran:
        return ()
    share = f"{bad} of {ran} tests failed"
    return [Evidence(facts.subject, "results", share), *failures(facts)]


def failed(facts: Facts) -> Sequence[Evidence]:
    """Tests failed, in this attempt or in one before it, or the tests' own end says so."""
    if blamed(facts) > 0:
        problems = (Evidence(facts.subject, "results", each) for each in facts.results.problems)
        return [*failures(facts), *exit_evidence(facts), *problems, *facts.results.missing[:1]]
    bad_exit = exit_code(facts) not in {None, *good_exits(facts)}
    bad_status = facts.results.exit_status not in {None, *good_exits(facts)}
    if not (bad_exit or bad_status):
        return ()
    reasons = (Evidence(facts.subject, "log", line) for line in facts.results.other_reasons)
    return [*end_evidence(facts), *reasons]


def failed_again(facts: Facts) -> Sequence[Evidence]:
    """A test failed in more than one attempt: no single mishap explains that."""
    excused = set(facts.results.quarantined)
    again = [name for name in facts.results.failed_again if name not in excused]
    found = [outcome(facts, name, "failed in more than one attempt") for name in again]
    return [*found[:_SHOWN_FAILURES], *in_flight(facts), *progress(facts)] if found else ()


def missing(facts: Facts) -> Sequence[Evidence]:
    """Tests of the last good run are not there any more."""
    return facts.results.missing


def expired(facts: Facts) -> Sequence[Evidence]:
    """A quarantine has outlived its last day."""
    return [Evidence(facts.subject, "quarantine", line) for line in facts.results.expired]


def broken(facts: Facts) -> Sequence[Evidence]:
    """A soak passed a hard limit."""
    return facts.judged.broken if facts.judged else ()


def drifting(facts: Facts) -> Sequence[Evidence]:
    """Something grew in a soak, and would reach its limit."""
    return facts.judged.drifts if facts.judged else ()


def regressed(facts: Facts) -> Sequence[Evidence]:
    """A measurement became worse."""
    return facts.judged.regressions if facts.judged else ()


def inconclusive(facts: Facts) -> Sequence[Evidence]:
    """There is less than a judgement needs."""
    return facts.judged.doubts if facts.judged else ()


def besides(facts: Facts) -> Sequence[Evidence]:
    """Return what every verdict says besides its own evidence; no reason for any.

    Failures that were reported, containers beside the tests that failed, and how far a soak came.
    """
    judged = facts.judged
    measured = (
        (*judged.achieved, *judged.broken, *judged.drifts, *judged.regressions) if judged else ()
    )
    reported = failures(facts)[:_SHOWN_FAILURES] if blamed(facts) > 0 else ()
    return (*reported, *beside(facts), *measured)


def passed(facts: Facts) -> Sequence[Evidence]:
    """The test program ended well."""
    results = facts.results
    if exit_code(facts) not in good_exits(facts):
        return ()
    excused = len(results.quarantined)
    words = f", {excused} failed in quarantine" if excused else ""
    words += f", {UNKNOWN_COUNT}" if results.collected is None else ""
    return [
        *exit_evidence(facts),
        Evidence(
            facts.subject,
            "results",
            f"{results.reported} reported, checksums match: {results.passed} passed, "
            f"{results.skipped} skipped{words}",
        ),
        *unproved_exit(facts),
        *([results.compared] if results.compared else ()),
        *(Evidence(name, "outcome", "failed, quarantined") for name in results.quarantined),
        *(facts.judged.notes if facts.judged else ()),
    ]


def unproved_exit(facts: Facts) -> list[Evidence]:
    """Say that failures in quarantine stand for a bad exit code, which may have other reasons."""
    code = exit_code(facts)
    if not code:
        return []
    why = "what else ends so (coverage below its limit, an error in a hook) would not be seen"
    return [Evidence(facts.subject, "exit code", f"{code} {_EXCUSED}: {why}")]


def is_excuse(evidence: Evidence) -> bool:
    """Whether evidence says that failures in quarantine stand for a bad exit code."""
    return evidence.field == "exit code" and _EXCUSED in evidence.value


def _lost(facts: Facts) -> Sequence[Evidence]:
    results = facts.results
    if (results.complete and results.reported > 0) or is_settled_red(facts):
        return ()
    everything = results.received and results.reported >= (results.collected or 0)
    if blamed(facts) > 0 and everything and results.collected is not None:
        return ()  # more than was collected: nothing is lost, and a failure is a failure
    if blamed(facts) > 0 and results.received and ended_by_itself(facts):
        return ()  # all that it wrote is here; what it did not write is said with the failure
    problems = results.problems or ("no test result arrived",)
    return [
        *(Evidence(facts.subject, "results", problem) for problem in problems),
        *_exporter_end(facts),
        *exit_evidence(facts),
        *last_words(facts),
        *in_flight(facts),
        *progress(facts),
    ]


def _exporter_end(facts: Facts) -> list[Evidence]:
    """Return how the exporter ended, where it did not end well."""
    exporter = facts.pod.exporter if facts.pod else None
    ends = [] if exporter is None else [exporter, exporter.previous]
    return [
        Evidence(
            pod_name(facts.pod),
            f"container {end.name} terminated",
            f"{end.reason}, exit code {end.exit_code}",
            finished_at(end),
        )
        for end in ends
        if end is not None and end.state == "terminated" and end.exit_code
    ]
