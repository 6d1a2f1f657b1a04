"""The grid and what is said of its tests, on SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from floe_tests.results.history.analysis import Question, TestAccount, read_accounts
from floe_tests.results.history.flakiness import Standing
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord
from tests.support import runs

PASTS = {
    "t::steady": "............",
    "t::broken": "xxxxxxxxxxxx",
    "t::flaky": ".x.x..x.....",
    "t::regressed": "xx..........",
    "t::young": "..          ",
    "t::skipped": "ssssssssssss",
    "t::gone": "           .",
}


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History.open(url) as opened:
        yield opened


def _record(history: History, records: list[RunRecord]) -> None:
    for record in records:
        history.record(run=record)


def _accounts(history: History, **options: object) -> dict[str, TestAccount]:
    (account,) = read_accounts(history, Question(**options))  # type: ignore[arg-type]
    return {each.test.name: each for each in account.accounts}


def test_each_test_is_called_what_it_is(history: History) -> None:
    _record(history, runs.runs_of(PASTS, commit="one"))
    found = _accounts(history)
    assert {name: each.diagnosis.standing for name, each in found.items()} == {
        "t::steady": Standing.STABLE,
        "t::broken": Standing.BROKEN,
        "t::flaky": Standing.FLAKY,
        "t::regressed": Standing.FLAKY,
        "t::young": Standing.STABLE,
        "t::skipped": Standing.NEVER_RUN,
        "t::gone": Standing.STABLE,
    }
    assert [name for name, each in found.items() if each.is_new] == ["t::young"]
    assert [name for name, each in found.items() if each.is_newly_failing] == ["t::regressed"]
    assert [name for name, each in found.items() if each.never_ran] == ["t::skipped"]


def test_the_first_bad_commit_is_that_of_the_first_failure(history: History) -> None:
    _record(history, runs.runs_of(PASTS))
    since = _accounts(history)["t::regressed"].diagnosis.failing_since
    assert since is not None
    assert since.commit == "c1"


def test_what_infrastructure_ended_makes_no_test_flaky(history: History) -> None:
    """A node that goes away in the middle leaves failures that no test is to blame for."""
    records = runs.runs_of({"t::a": ".." + "." * 4}, commit="one")
    records.append(
        runs.run_of(9, {"t::a": "x"}, commit="one", cause="INFRA_NODE", fault="infrastructure")
    )
    records.append(runs.run_of(10, {"t::a": "x"}, commit="one", cause="SUSPECT_ENV", fault="test"))
    _record(history, records)
    found = _accounts(history)["t::a"]
    assert found.diagnosis.standing is Standing.STABLE
    assert (found.passed, found.failed) == (6, 0)


@pytest.mark.parametrize(
    ("past", "standing", "is_failing"),
    [
        ("sx.", Standing.FAILING, True),
        ("ssxxx", Standing.BROKEN, True),
        ("s.x", Standing.STABLE, False),
        ("sss", Standing.NEVER_RUN, False),
    ],
)
def test_a_skip_mends_nothing_and_breaks_nothing(
    history: History, past: str, standing: Standing, *, is_failing: bool
) -> None:
    """Who skips a test that fails has not shown that it passes."""
    _record(history, runs.runs_of({"t::a": past, "t::b": "." * len(past)}))
    found = _accounts(history)["t::a"]
    assert (found.diagnosis.standing, found.is_failing) == (standing, is_failing)
    assert found.newest == "skipped"


def test_a_failure_that_does_not_count_makes_no_test_failing(history: History) -> None:
    records = runs.runs_of({"t::a": "..."}, commit="one")
    records.append(runs.run_of(-1, {"t::a": "x"}, cause="SUSPECT_ENV", fault="test"))
    _record(history, records)
    found = _accounts(history)["t::a"]
    assert (found.is_failing, found.failed) == (False, 0)


def test_a_failure_in_quarantine_is_one_and_says_so(history: History) -> None:
    _record(
        history,
        [runs.run_of(0, {"t::a": "x", "t::b": "."}, cause="PASS", quarantined=("t::a",))],
    )
    found = _accounts(history)
    assert (found["t::a"].is_quarantined, found["t::a"].is_failing) == (True, True)
    assert not found["t::b"].is_quarantined


def test_a_grid_has_its_runs_newest_first_and_as_many_as_asked_for(history: History) -> None:
    _record(history, runs.runs_of(PASTS))
    grid = history.grid(tier="demo", provider="local", limit=3, with_texts=True)
    assert [run.run_id for run in grid.runs] == ["run-0000", "run-0001", "run-0002"]
    assert grid.total_runs == 12
    cells = {test.name: test for test in grid.tests}
    assert [cell.outcome for cell in cells["t::regressed"].cells] == ["failed", "failed", "passed"]
    assert cells["t::regressed"].texts[1] == ("t::regressed said no in 1", "Traceback\n  it broke")
    assert cells["t::gone"].cells == ()
    # A skip's reason is shown for the newest run alone: it is the same for all of them.
    assert list(cells["t::skipped"].texts) == [0]


def test_a_grid_begins_where_it_is_asked_to(history: History) -> None:
    _record(history, runs.runs_of(PASTS))
    since = runs.NEWEST - timedelta(hours=4)
    assert len(history.grid(tier="demo", provider="local", since=since).runs) == 5


def test_providers_are_never_mixed(history: History) -> None:
    _record(history, runs.runs_of({"t::a": "..."}, commit="one"))
    history.record(
        run=runs.run_of(7, {"t::a": "x"}, commit="one", provider="kind", run_id="on-kind")
    )
    found = read_accounts(history, Question())
    assert [(each.grid.provider, each.flaky, each.failing) for each in found] == [
        ("kind", 0, 1),
        ("local", 0, 0),
    ]
    assert [each.grid.provider for each in read_accounts(history, Question(provider="kind"))] == [
        "kind"
    ]


def test_the_slow_tests_are_the_few_that_take_half_of_the_time(history: History) -> None:
    fast = runs.run_of(0, {f"t::{number}": "." for number in range(10)}, seconds=0.1)
    slow = runs.run_of(1, {"t::slow": "."}, seconds=5)
    _record(history, [fast, slow])
    assert [name for name, each in _accounts(history).items() if each.is_slow] == ["t::slow"]


def test_the_end_of_a_long_text_is_what_is_kept(history: History) -> None:
    record = runs.run_of(0, {"t::a": "x"})
    (suite,) = record.suites
    (case,) = suite.cases
    from dataclasses import replace

    long = replace(case, message="m" * 900, text="a" * 5_000 + "THE END")
    history.record(run=replace(record, suites=(replace(suite, cases=(long,)),)))
    grid = history.grid(tier="demo", provider="local", with_texts=True)
    text = grid.tests[0].texts[0]
    assert (len(text.message), len(text.text)) == (400, 1_500)
    assert text.text.endswith("THE END")
