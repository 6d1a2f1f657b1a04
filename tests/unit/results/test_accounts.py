"""Accounts of tests that were written again: none of what an earlier one said is forgotten."""

from __future__ import annotations

import pytest

from floe_tests.results.accounts import united
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.collate import SuiteResults


def case(name: str, outcome: str, *, seconds: float = 0.0, message: str = "") -> CaseResult:
    return CaseResult(name=name, outcome=CaseOutcome(outcome), seconds=seconds, message=message)


def account(
    *cases: CaseResult,
    collected: int | None = None,
    in_flight: tuple[str, ...] = (),
    adds_up: bool = False,
    file: str | None = None,
) -> SuiteResults:
    return SuiteResults(
        cases=cases,
        source="junit",
        collected=collected,
        deselected=None,
        counts_all_sessions=adds_up,
        reported=sum(not each.is_collection for each in cases),
        in_flight=in_flight,
        session_finished=True,
        exit_status=0,
        notices=(),
        told_by={each.name: frozenset({file}) for each in cases} if file else {},
    )


@pytest.mark.parametrize(
    ("tries", "outcome", "reruns"),
    [
        (["failed", "passed"], "passed", 1),
        (["error", "passed"], "passed", 1),
        (["failed", "failed", "passed"], "passed", 2),
        (["passed", "failed"], "failed", 0),
        (["failed", "passed", "failed"], "failed", 1),
        (["failed", "passed", "passed"], "passed", 1),
        (["failed", "skipped"], "failed", 0),
        (["skipped", "passed"], "passed", 0),
        (["passed", "passed"], "passed", 0),
    ],
)
def test_what_several_tries_of_a_test_come_to(tries: list[str], outcome: str, reruns: int) -> None:
    """The last try that ran decides, and each that failed before it is counted."""
    accounts = [
        account(case("t::a", each, seconds=number, message="no" if each == "failed" else ""))
        for number, each in enumerate(tries)
    ]
    (told,) = united(accounts[:-1], accounts[-1]).cases
    assert (str(told.outcome), told.reruns) == (outcome, reruns)


@pytest.mark.parametrize(
    ("tries", "outcome", "reruns"),
    [
        pytest.param([("failed", "b"), ("passed", "a")], "failed", 0, id="another file"),
        pytest.param([("failed", "a"), ("passed", "a")], "passed", 1, id="the same file"),
        pytest.param(
            [("failed", "a"), ("failed", "b"), ("passed", "a")], "failed", 0, id="one of two files"
        ),
        pytest.param(
            [("failed", "b"), ("passed", "a"), ("passed", "b")], "passed", 1, id="the same, at last"
        ),
    ],
)
def test_a_pass_is_later_than_a_failure_in_the_same_file_alone(
    tries: list[tuple[str, str]], outcome: str, reruns: int
) -> None:
    """b.xml had it passed from the beginning; junit.xml had it failed, and was deleted."""
    accounts = [account(case("t::a", each), file=file) for each, file in tries]
    (told,) = united(accounts[:-1], accounts[-1]).cases
    assert (str(told.outcome), told.reruns) == (outcome, reruns)


def test_results_that_were_written_once_stay_as_they_are() -> None:
    last = account(case("t::a", "failed"), collected=1)
    assert united([], last) is last


def test_a_module_that_could_not_be_collected_at_first_and_was_then_is_no_failure() -> None:
    """Its tests are there. One whose tests are not has failed."""
    broken = [
        CaseResult(name=name, outcome=CaseOutcome.ERROR, seconds=0, is_collection=True)
        for name in ("tests.test_a", "tests.test_b")
    ]
    results = united([account(*broken)], account(case("tests.test_a::test_x", "passed")))
    failing = [each.name for each in results.cases if each.outcome.is_failing]
    assert failing == ["tests.test_b"]
    assert results.reported == 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([(3, 3), (1, 1)], 3),
        ([(3, 1), (3, 3)], 3),
        ([(3, 1), (1, 1)], 3),
        ([(2, 2), (None, 2)], 2),
        ([(None, 2), (None, 2)], None),
    ],
)
def test_the_most_tests_that_were_ever_collected_are_expected(
    counts: list[tuple[int | None, int]], expected: int | None
) -> None:
    """A later account of fewer tests does not make the first one smaller."""
    accounts = [
        account(*(case(f"t::{n}", "passed") for n in range(reported)), collected=collected)
        for collected, reported in counts
    ]
    assert united(accounts[:-1], accounts[-1]).collected == expected


def test_a_test_in_whose_middle_an_earlier_account_ended_is_a_doubt() -> None:
    """Unless a later account reports it."""
    earlier = account(case("t::a", "passed"), in_flight=("t::b", "t::c"))
    results = united([earlier], account(case("t::b", "passed")))
    assert results.doubts == ("t::c was running when an earlier account of the tests ended",)


@pytest.mark.parametrize(("adds_up", "collected"), [(True, 2), (False, 3)])
def test_a_count_of_all_sessions_is_taken_at_its_word(*, adds_up: bool, collected: int) -> None:
    """More tests than it says are more than were collected. Others count one session each."""
    earlier = account(case("t::a", "passed"), collected=1, adds_up=adds_up)
    last = account(case("t::b", "passed"), case("t::c", "passed"), collected=2, adds_up=adds_up)

    results = united([earlier], last)

    assert (results.collected, results.reported) == (collected, 3)


def test_a_count_of_all_sessions_that_shrinks_is_not_believed() -> None:
    earlier = account(collected=60, adds_up=True)
    last = account(case("t::a", "passed"), collected=1, adds_up=True)

    assert united([earlier], last).collected == 60
