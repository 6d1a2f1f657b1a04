"""Branches: which runs are whose, and a branch beside the default one, on SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from floe_tests.results.history.analysis import Question, read_accounts
from floe_tests.results.history.branches import branch_of
from floe_tests.results.history.comparison import BranchComparison, Difference, read_comparison
from floe_tests.results.history.store import History
from tests.support import runs

MAIN = {
    "t::broke_here": "....",
    "t::broken_there": "xxxx",
    "t::wavers": ".x.x",
    "t::mended": "xxxx",
    "t::well": "....",
    "t::new": "    ",
}
BRANCH = {
    "t::broke_here": "x.",
    "t::broken_there": "xx",
    "t::wavers": "x.",
    "t::mended": "..",
    "t::well": "..",
    "t::new": "x ",
}


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History.open(url) as opened:
        yield opened


def _record(history: History, pasts: dict[str, str], ref: str | None, at: int = 0) -> None:
    (length,) = {len(past) for past in pasts.values()}
    for number in range(length):
        outcomes = {name: past[number] for name, past in pasts.items()}
        history.record(run=runs.run_of(at + number, outcomes, ref=ref, run_id=f"{ref}-{number}"))


def _compared(history: History, **options: object) -> BranchComparison | None:
    question = Question(**options)  # type: ignore[arg-type]
    (account,) = read_accounts(history, question)
    return read_comparison(history, question, account)


def test_a_pull_request_is_told_whose_its_failures_are(history: History) -> None:
    _record(history, MAIN, "refs/heads/main", at=2)
    _record(history, BRANCH, "refs/pull/12/merge")
    compared = _compared(history, ref="12/merge")

    assert compared is not None
    assert compared.there is not None
    assert (compared.here.branch, compared.there.branch) == ("pull/12", "main")
    assert {each.here.test.name: each.difference for each in compared.tests} == {
        "t::broke_here": Difference.NEW,
        "t::new": Difference.NEW,
        "t::broken_there": Difference.THERE_TOO,
        "t::wavers": Difference.FLAKY_THERE,
        "t::mended": Difference.FIXED,
    }


def test_an_outage_on_the_branch_accuses_it_of_nothing(history: History) -> None:
    _record(history, {"t::a": "..", "t::b": "xx"}, "main", at=3)
    _record(history, {"t::a": ".", "t::b": "x"}, "topic", at=2)
    outage = runs.run_of(
        0, {"t::a": "x", "t::b": "x"}, ref="topic", cause="SUSPECT_ENV", run_id="outage"
    )
    history.record(run=outage)
    compared = _compared(history, ref="topic")

    assert compared is not None
    assert [(each.here.test.name, each.difference) for each in compared.tests] == [
        ("t::b", Difference.THERE_TOO)
    ]


def test_the_default_branch_is_compared_with_nothing(history: History) -> None:
    _record(history, {"t::a": "x"}, "origin/main")

    assert _compared(history) is None
    assert _compared(history, ref="refs/heads/main") is None


def test_a_branch_without_a_default_one_beside_it_has_new_failures_alone(history: History) -> None:
    _record(history, {"t::a": "x"}, "topic")
    compared = _compared(history, ref="topic")

    assert compared is not None
    assert compared.there is None
    assert [each.difference for each in compared.tests] == [Difference.NEW]


@pytest.mark.parametrize("ref", ["main", "refs/heads/main", "origin/main", "unknown", "", None])
@pytest.mark.parametrize("default", ["main", "refs/heads/main"])
def test_a_run_of_the_default_branch_is_found_however_it_is_written(
    history: History, ref: str | None, default: str
) -> None:
    _record(history, {"t::a": "x"}, ref)
    _record(history, {"t::a": "."}, "HEAD", at=1)
    _record(history, {"t::a": "."}, "refs/tags/main", at=2)
    (account,) = read_accounts(history, Question(default_branch=default))

    assert (account.branch, account.is_default, account.note) == ("main", True, "")
    assert [run.ref for run in account.grid.runs] == [ref]
    assert [(each.name, each.runs, each.is_default) for each in account.branches] == [
        ("main", 1, True),
        ("HEAD", 1, False),
        ("tags/main", 1, False),
    ]


def test_where_the_default_branch_never_ran_it_is_said_and_the_newest_is_shown(
    history: History,
) -> None:
    _record(history, {"t::a": "xx"}, "master")
    _record(history, {"t::a": "."}, "refs/pull/3/merge", at=2)
    (account,) = read_accounts(history, Question())

    assert (account.branch, account.failing, account.is_default) == ("master", 1, False)
    assert account.note == (
        "No runs on main; the refs with runs are master (2 runs) and pull/3 (1 run). Shown is "
        "master, which ran last."
    )
    assert read_accounts(history, Question(ref="main")) == ()
    assert branch_of(None, default="master").is_default
