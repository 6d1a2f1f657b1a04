"""The results of several attempts: a fresh attempt has all that one before it had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from floe_tests.results.attempts import with_earlier
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.collate import SuiteResults


def attempt(
    *passed: str,
    skipped: tuple[str, ...] = (),
    collected: int | None = None,
    in_flight: tuple[str, ...] = (),
) -> SuiteResults:
    outcomes = {
        **dict.fromkeys(passed, CaseOutcome.PASSED),
        **dict.fromkeys(skipped, CaseOutcome.SKIPPED),
    }
    return SuiteResults(
        cases=tuple(CaseResult(name=n, outcome=each, seconds=0) for n, each in outcomes.items()),
        source="junit",
        collected=collected,
        deselected=None,
        reported=len(outcomes),
        in_flight=in_flight,
        session_finished=True,
        exit_status=0,
        notices=(),
    )


@pytest.mark.parametrize(
    ("earlier", "last", "said"),
    [
        pytest.param(
            attempt("x", "y", collected=3),
            attempt("x", collected=1),
            "attempt 1 collected 3 tests, attempt 2 reported 1: y",
            id="collected fewer",
        ),
        pytest.param(
            attempt("x", "y", "z"),
            attempt("x"),
            "attempt 1 reported 3 tests, attempt 2 reported 1: y, z",
            id="nobody counted",
        ),
        pytest.param(
            attempt(collected=2, in_flight=("y",)),
            attempt("x", collected=1),
            "attempt 1 collected 2 tests, attempt 2 reported 1: y",
            id="was running when the attempt was killed",
        ),
    ],
)
def test_a_fresh_attempt_with_fewer_tests_is_not_complete(
    earlier: SuiteResults, last: SuiteResults, said: str
) -> None:
    """The second attempt passed with 1 of 3 tests, and the run was green."""
    assert with_earlier(last, [earlier]).vanished == (said,)


def test_what_failed_in_more_than_one_attempt_is_known() -> None:
    def failing(*names: str) -> SuiteResults:
        cases = (CaseResult(name=n, outcome=CaseOutcome.FAILED, seconds=0) for n in names)
        return replace(attempt(), cases=tuple(cases))

    assert with_earlier(failing("x", "y"), [failing("x"), failing("z")]).failed_again == ("x",)
    assert with_earlier(attempt("x"), [failing("x"), failing("x")]).failed_again == ("x",)


def test_other_tests_of_the_same_number_are_named_and_no_loss() -> None:
    """Names with a date in them are others in each attempt."""
    results = with_earlier(attempt("x", "t2", "z", collected=3), [attempt("x", "t1", collected=3)])
    assert results.vanished == ()
    assert results.notices == ("attempt 1 had tests that attempt 2 lacks: t1.",)


def test_a_fresh_attempt_with_all_tests_has_nothing_to_say() -> None:
    earlier = attempt("x", skipped=("y",), collected=3, in_flight=("z",))
    results = with_earlier(attempt("x", "z", skipped=("y",), collected=3), [earlier])
    assert (results.vanished, results.notices) == ((), ())
