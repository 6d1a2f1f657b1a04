"""What needs somebody: in which order, and which failures are one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from floe_tests.report.triage import Section, needs_of, signature_of
from floe_tests.results.cases import CaseResult
from floe_tests.results.history.analysis import Question, read_accounts
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord
from tests.support import runs

Needs = Callable[[list[RunRecord]], dict[str, Section]]


@pytest.fixture
def needs(tmp_path: Path) -> Needs:
    def of(records: list[RunRecord]) -> dict[str, Section]:
        with History.open(f"sqlite:///{tmp_path}/history.db") as history:
            for record in records:
                history.record(run=record)
            (account,) = read_accounts(history, Question(), with_texts=True)
        return {section.name: section for section in needs_of(account)}

    return of


def names(section: Section) -> list[list[str]]:
    return [[each.test.name for each in group.tests] for group in section.groups]


def saying(record: RunRecord, messages: dict[str, str]) -> RunRecord:
    """Return a run in which each test said something of its own."""
    (suite,) = record.suites
    cases: tuple[CaseResult, ...] = tuple(
        replace(case, message=messages.get(case.name, case.message)) for case in suite.cases
    )
    return replace(record, suites=(replace(suite, cases=cases),))


def test_new_failures_come_first_and_those_that_say_the_same_are_one(needs: Needs) -> None:
    pasts = {"t::a": "xx....", "t::b": "xx....", "t::old": "xxxxxx", "t::well": "......"}
    records = [
        saying(run, {"t::a": f"port 81{n} refused", "t::b": f"port 92{n} refused"})
        for n, run in enumerate(runs.runs_of(pasts))
    ]

    found = needs(records)

    assert list(found) == ["new", "failing"]
    assert names(found["new"]) == [["t::a", "t::b"]]
    (group,) = found["new"].groups
    assert (group.label, group.runs) == ("port 810 refused", 2)
    assert group.since is not None
    assert group.since.commit == "c1"
    assert names(found["failing"]) == [["t::old"]]


def test_what_hits_most_tests_stands_first(needs: Needs) -> None:
    pasts = {"t::lone": "x...", "t::p": "x...", "t::q": "x..."}
    messages = {"t::lone": "a", "t::p": "b", "t::q": "b"}

    found = needs([saying(run, messages) for run in runs.runs_of(pasts)])

    assert names(found["new"]) == [["t::p", "t::q"], ["t::lone"]]


def test_a_flaky_test_that_fails_just_now_is_no_new_failure(needs: Needs) -> None:
    found = needs(runs.runs_of({"t::flaky": "x.x..x....", "t::well": ".........."}, commit="one"))

    assert list(found) == ["flaky"]


def test_a_first_failure_on_a_commit_that_passed_is_new_all_the_same(needs: Needs) -> None:
    found = needs(runs.runs_of({"t::a": "x.....", "t::well": "......"}, commit="one"))

    assert list(found) == ["new"]


def test_what_wavers_since_lately_stands_apart_and_what_is_gone_is_told(needs: Needs) -> None:
    pasts = {
        "t::lately": ".x.x..x" + "." * 23,
        "t::ever": ".x.x..x" + "." * 20 + "x.x",
        "t::gone": " " * 5 + "." * 25,
        "t::long gone": " " * 25 + "." * 5,
        **{f"t::well {number}": "." * 30 for number in range(5)},
    }

    found = needs(runs.runs_of(pasts))

    assert {name: names(section) for name, section in found.items()} == {
        "newly flaky": [["t::lately"]],
        "flaky": [["t::ever"]],
        "gone": [["t::gone"]],
    }


def test_a_test_that_takes_longer_than_it_did_is_told_with_both_times_and_since_when(
    needs: Needs,
) -> None:
    def took(run: RunRecord, number: int) -> RunRecord:
        (suite,) = run.suites
        wobble = 0.01 * (number * 7 % 11)
        cases = tuple(
            replace(case, seconds=(2.0 if number < 20 and case.name == "t::slow" else 0.5) + wobble)
            for case in suite.cases
        )
        return replace(run, suites=(replace(suite, cases=cases),))

    pasts = dict.fromkeys(("t::slow", *(f"t::{n}" for n in range(8))), "." * 60)
    found = needs([took(run, number) for number, run in enumerate(runs.runs_of(pasts))])

    assert names(found["slower"]) == [["t::slow"]]
    (group,) = found["slower"].groups
    assert re.fullmatch(r"0\.5\d s, now 2\.0\d s, by a jump", group.label)
    assert group.since is not None
    assert group.since.commit == "c19"


def test_where_nothing_is_wrong_nothing_is_said(needs: Needs) -> None:
    assert needs(runs.runs_of({"t::a": "....", "t::b": "ssss"})) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("waited 30 s", "waited 31 s"),
        ("object at 0x7f3a2b1c", "object at 0x55aa0099"),
        ("no file /tmp/a/b.txt", "no file /tmp/c/d.txt"),
        (
            "pod 3f2c1aab-1b2c-4d5e-8f00-aabbccddeeff gone",
            "pod 00000000-1b2c-4d5e-8f00-000000000000 gone",
        ),
        ("same\nother text", "same\nmore text"),
    ],
)
def test_messages_that_differ_in_numbers_alone_are_one_kind(one: str, other: str) -> None:
    assert signature_of(one) == signature_of(other)


def test_messages_of_other_words_are_of_another_kind() -> None:
    assert signature_of("cannot connect to catalog") != signature_of("cannot connect to broker")
