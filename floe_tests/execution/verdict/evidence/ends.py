"""How the tests ended: what their exit code means, and whether their session was over by itself.

No rule here compares times: the clocks of a node, of the API server and of this machine differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from floe_tests.core.evidence import Evidence
from floe_tests.execution.verdict.evidence.words import SIGNAL_BASE, exit_evidence, exit_words
from floe_tests.execution.verdict.facts import Facts

# pytest's exit codes. Source: https://docs.pytest.org/en/stable/reference/exit-codes.html
TESTS_FAILED = 1
PYTEST_INTERRUPTED = 2
PYTEST_INTERNAL_ERROR = 3
PYTEST_USAGE_ERROR = 4
PYTEST_NO_TESTS = 5
# 128 + SIGKILL and 128 + SIGTERM: what a container's exit code is after a kill.
KILLED = frozenset({137, 143})
# Signals that a program brings upon itself: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV,
# SIGSYS. Source: https://man7.org/linux/man-pages/man7/signal.7.html
CRASHES = frozenset(SIGNAL_BASE + number for number in (4, 5, 6, 7, 8, 11, 31))
# A test program that gives its number of failures as its exit code (Mocha, Robot Framework) stops
# counting where an exit code has no more room.
_MOST_COUNTED = 250


def exit_code(facts: Facts) -> int | None:
    """Return the exit code of the tests; None while they run, or where nobody knows it."""
    container = facts.pod.test if facts.pod else None
    return container.exit_code if container and container.state == "terminated" else None


def counts_failures(facts: Facts) -> bool:
    """Whether the exit code is the number of failed tests of a report that is whole.

    Robot Framework and Mocha end so: 137 failures are no kill.
    """
    results = facts.results
    whole = results.complete and not results.has_events
    return whole and bool(results.failed) and results.failed == exit_code(facts)


def ended_by_itself(facts: Facts) -> bool:
    """Whether the test program chose its own end: it has an exit code that is no kill's."""
    code = exit_code(facts)
    killed = code in KILLED and not counts_failures(facts)
    return code is not None and not killed and facts.passed_deadline is None


def session_is_over(facts: Facts) -> bool:
    """Whether pytest said that its session is over, with every test that it had collected."""
    results = facts.results
    return results.session_finished and results.collected in {None, results.reported}


def is_settled(facts: Facts) -> bool:
    """Whether the tests were over with results that hold, whatever befell their pod then.

    Failures hold as soon as the session is over. Passed tests need the whole proof: a file that did
    not arrive might have held a failure, and an exit code that nobody saw might have been 1.
    """
    if session_is_over(facts):
        is_proved = facts.results.complete and exit_code(facts) is not None
        return is_proved or blamed(facts) > 0
    undisturbed = facts.pod is not None and facts.pod.ended_undisturbed
    return undisturbed and ended_by_itself(facts) and facts.results.complete


def is_settled_red(facts: Facts) -> bool:
    """Whether the tests were over, and some of them had failed."""
    return is_settled(facts) and blamed(facts) > 0


def left_early(facts: Facts) -> bool:
    """Whether the test program left before its session was over, by its own doing.

    All that it wrote has arrived, so nothing was lost on the way (`os._exit` in a test).
    """
    results = facts.results
    # What pytest says of its own trouble is more certain, unless a test was running.
    own_trouble = exit_code(facts) in {PYTEST_INTERNAL_ERROR, PYTEST_USAGE_ERROR}
    is_explained = own_trouble and not results.in_flight
    whole = results.ends_early and results.received
    return whole and ended_by_itself(facts) and not is_explained


def speaks_pytest(facts: Facts) -> bool:
    """Whether the exit code may be read as pytest's: other tools give theirs other meanings."""
    return facts.results.has_events or facts.results.reported == 0


def blamed(facts: Facts) -> int:
    """Return how many tests failed that may not."""
    return facts.results.failed - len(facts.results.quarantined)


def good_exits(facts: Facts) -> frozenset[int]:
    """Return the exit codes of a test program that ended well.

    1, or the number of failures, is one where failures of its own pod explain it, all failures are
    in quarantine, and the test tool names no other reason.
    """
    results = facts.results
    own = results.failed if facts.own_failed is None else facts.own_failed
    if not results.quarantined or not own or results.other_reasons:
        return frozenset({0})
    counted = {own} if not results.has_events and own <= _MOST_COUNTED else set[int]()
    return frozenset({0, TESTS_FAILED, *counted})


def pytest_ended_with(facts: Facts, codes: set[int]) -> Sequence[Evidence]:
    """Return the end of a pytest session with one of these codes: its own, or its container's.

    A pipe or a wrapper may hide pytest's own (`pytest | cat`).
    """
    by_status = facts.results.exit_status in codes
    # 2 is also what a shell with a syntax error and a program with a wrong option end with: only a
    # pytest that began leaves something behind it.
    pytests = codes if _has_left_something(facts) else codes - {PYTEST_INTERRUPTED}
    if not (by_status or (speaks_pytest(facts) and exit_code(facts) in pytests)):
        return ()
    if is_settled_red(facts) and not by_status:
        return ()
    return [*end_evidence(facts), *last_words(facts)]


def _has_left_something(facts: Facts) -> bool:
    results = facts.results
    return results.has_events or results.has_result_file or results.reported > 0


def end_evidence(facts: Facts) -> list[Evidence]:
    """Return how the tests ended, by their container and by themselves where the two differ."""
    status = facts.results.exit_status
    if status is None or status == exit_code(facts):
        return exit_evidence(facts)
    own = Evidence(facts.subject, "pytest's own exit status", exit_words(status))
    return [own, *exit_evidence(facts)] if status else [*exit_evidence(facts), own]


def last_words(facts: Facts) -> list[Evidence]:
    """Return the end of the tests' log, where they reported nothing."""
    return [Evidence(facts.subject, "log", line) for line in facts.results.last_words]
