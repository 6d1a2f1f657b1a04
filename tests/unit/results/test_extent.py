"""How much of a tier a run reported, beside what was known then, on SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from floe_tests.results.history.analysis import Question, TierAccount, read_accounts
from floe_tests.results.history.extent import extent_of_run
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord
from tests.support import runs

ALL = dict.fromkeys([f"t::{number:02}" for number in range(20)], ".")
FEW = dict(list(ALL.items())[:3])


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History.open(url) as opened:
        yield opened


def _account(history: History, *records: RunRecord) -> TierAccount:
    for record in records:
        history.record(run=record)
    (account,) = read_accounts(history, Question())
    return account


def _with(record: RunRecord, **fields: object) -> RunRecord:
    (suite,) = record.suites
    return replace(record, suites=(replace(suite, **fields),))  # type: ignore[arg-type]


def test_a_run_of_a_few_tests_is_known_as_such_and_those_before_it_as_whole(
    history: History,
) -> None:
    few = _with(runs.run_of(0, FEW), in_flight=("t::03",), collected=20, reported=3)
    account = _account(history, few, runs.run_of(1, ALL), runs.run_of(2, ALL))

    assert [(each.reported, each.known) for each in account.extents] == [
        (3, 20),
        (20, 20),
        (20, 20),
    ]
    assert str(account.extents[0]) == (
        "3 of 20 tests reported, 17 did not run; running at the end: t::03"
    )
    assert not account.extents[1].is_partial


def test_what_a_run_of_its_own_collected_is_known_without_any_past(history: History) -> None:
    cut = _with(runs.run_of(0, FEW), collected=20, reported=3)
    assert [each.known for each in _account(history, cut).extents] == [20]


def test_the_first_run_of_a_group_says_what_it_left_out(history: History) -> None:
    fields = {"collected": 3, "reported": 3, "deselected": 17}
    group = _with(runs.run_of(0, FEW), selection="fast", **fields)
    assert [each.known for each in _account(history, group).extents] == [20]
    # What a suite leaves out in every run is none of its tests.
    always = _with(runs.run_of(0, FEW), selection="", **fields)
    assert [each.known for each in _account(history, always).extents] == [3]


def test_a_test_that_is_gone_is_missed_until_then_and_not_after(history: History) -> None:
    fewer = dict(list(ALL.items())[1:])
    records = [runs.run_of(number, fewer) for number in range(3)]
    account = _account(history, *records, runs.run_of(3, ALL))
    assert [(each.reported, each.known) for each in account.extents] == [
        (19, 19),
        (19, 19),
        (19, 19),
        (20, 20),
    ]
    history.remove_runs(["run-0000", "run-0001"])
    (account,) = read_accounts(history, Question())
    assert [(each.reported, each.known) for each in account.extents] == [(19, 20), (20, 20)]


def test_a_suite_that_was_left_out_did_not_run_and_one_that_was_removed_is_not_missed(
    history: History,
) -> None:
    other = _with(runs.run_of(1, ALL), name="other")
    account = _account(history, runs.run_of(0, FEW), other)
    assert [(each.suite, each.reported, each.known) for each in account.extents[0].suites] == [
        ("other", 0, 20),
        ("tiny", 3, 3),
    ]
    for number in range(-10, 0):
        history.record(run=runs.run_of(number, FEW, run_id=f"later{number}"))
    (account,) = read_accounts(history, Question())
    assert [each.suite for each in account.extents[0].suites] == ["tiny"]


def test_a_pull_requests_run_is_held_against_the_default_branch(history: History) -> None:
    account = _account(history, runs.run_of(1, ALL))
    run = runs.run_of(0, {**FEW, "t::new": "."}, ref="pull/7")
    extent = extent_of_run(run, account.accounts, account.grid)
    assert (extent.reported, extent.known, extent.not_reported) == (4, 21, 17)
