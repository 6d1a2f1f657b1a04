"""When a test is gone: deleted or renamed, and not merely left out of some runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from floe_tests.results.history.analysis import Question, read_accounts
from floe_tests.results.history.gone import SuiteRun, gone_since
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord
from tests.support import runs

NEWEST = datetime(2026, 11, 20, tzinfo=UTC)


def suite_runs(*runs: tuple[str | None, int]) -> list[SuiteRun]:
    return [SuiteRun(NEWEST, commit, tests) for commit, tests in runs]


@pytest.mark.parametrize(
    ("without", "is_gone"),
    [
        ((), False),
        ((("b", 10),), False),
        ((("c", 10), ("b", 10)), True),
        ((("b", 10), ("b", 10), ("b", 10)), False),
        ((("c", 3), ("b", 3)), False),
        ((("d", 10), ("c", 3), ("b", 10)), True),
        (((None, 10), (None, 10)), True),
        ((("unknown", 10), ("unknown", 10)), True),
    ],
    ids=[
        "seen in the newest run",
        "one commit may be there in part",
        "two commits without it",
        "one commit in many files",
        "runs of a part of the tests",
        "a part between whole ones",
        "no commit is known",
        "git was not there",
    ],
)
def test_a_test_is_gone_once_two_commits_ran_without_it(
    without: tuple[tuple[str | None, int], ...], *, is_gone: bool
) -> None:
    (last,) = suite_runs(("a", 10))
    found = gone_since(suite_runs(*without), last)
    assert (found is not None) is is_gone
    if found is not None:
        assert found.commit == without[-1][0]


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History.open(url) as opened:
        yield opened


def _gone(history: History, records: list[RunRecord]) -> dict[str, str | None]:
    """Return the tests that are gone, with the first commit without them."""
    for record in records:
        history.record(run=record)
    (account,) = read_accounts(history, Question())
    return {
        each.test.name: each.diagnosis.gone_since and each.diagnosis.gone_since.commit
        for each in account.accounts
        if each.is_gone
    }


ALL = [f"t::{number}" for number in range(10)]


def _past(*present: list[str], **fields: object) -> list[RunRecord]:
    """Return runs of these tests, newest first; each its own commit."""
    return [
        runs.run_of(number, dict.fromkeys(tests, "."), **fields)  # type: ignore[arg-type]
        for number, tests in enumerate(present)
    ]


def _with(record: RunRecord, **fields: object) -> RunRecord:
    (suite,) = record.suites
    return replace(record, suites=(replace(suite, **fields),))  # type: ignore[arg-type]


def test_a_deleted_test_is_gone_since_the_first_commit_without_it(history: History) -> None:
    assert _gone(history, _past(ALL[1:], ALL[1:], ALL[1:], ALL, ALL)) == {"t::0": "c2"}


@pytest.mark.parametrize(
    "fields",
    [
        {"deselected": 1},
        {"selection": "fast"},
        {"collected": 10, "reported": 9},
        {"in_flight": ("t::0",)},
        {"cause": "SUSPECT_ENV"},
        {"cause": "TESTS_MISSING"},
    ],
    ids=["deselected", "a group", "ended early", "cut short", "an outage", "missed"],
)
def test_a_run_of_a_part_makes_no_test_gone(history: History, fields: dict[str, object]) -> None:
    """Whoever runs one test at his desk has not deleted the others."""
    newest = [_with(record, **fields) for record in _past(ALL[1:], ALL[1:], ALL[1:])]
    before = runs.run_of(3, dict.fromkeys(ALL, "."))
    assert _gone(history, [*newest, before]) == {}


def test_what_every_run_deselects_hides_no_deletion(history: History) -> None:
    records = [_with(each, deselected=4) for each in _past(ALL[1:], ALL[1:], ALL)]
    assert _gone(history, records) == {"t::0": "c1"}


def test_shards_that_are_imported_one_by_one_delete_nothing(history: History) -> None:
    """Four files a night, each with a part of the tests, in whatever order they come."""
    shards = [[f"t::{shard}{number}" for number in range(5)] for shard in "abcd"]
    order = [0, 1, 2, 3, 2, 0, 3, 1, 3, 1, 0, 2]
    records = _past(*(shards[shard] for shard in order))
    assert _gone(history, records) == {}


def test_the_shards_of_a_new_commit_make_those_that_are_to_come_not_gone(history: History) -> None:
    shards = [[f"t::{shard}{number}" for number in range(5)] for shard in "abcd"]
    records = [
        replace(record, commit=f"night-{(number + 2) // 4}")
        for number, record in enumerate(_past(*(shards[n % 4] for n in range(6))))
    ]
    assert _gone(history, records) == {}


def test_a_suite_whose_tests_were_all_renamed_loses_the_old_names(history: History) -> None:
    old, new = ALL, [f"moved::{number}" for number in range(10)]
    assert _gone(history, _past(*[new] * 4, old, old)) == {}
    fifth = runs.run_of(-1, dict.fromkeys(new, "."))
    assert _gone(history, [fifth]) == dict.fromkeys(old, "c3")


def test_a_suite_that_did_not_run_is_something_else(history: History) -> None:
    """Its tests are as they were: nobody has looked."""
    records = _past(ALL, ALL, ALL)
    others = [_with(each, name="other") for each in records]
    kept = runs.run_of(9, {"t::kept": "x"})
    assert _gone(history, [*others, kept]) == {}
    (account,) = read_accounts(history, Question())
    assert [each.test.name for each in account.accounts if each.is_failing] == ["t::kept"]
