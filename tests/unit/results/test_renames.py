"""A renamed test has one past, by the user's word, on SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from floe_tests.core.errors import ConfigurationError
from floe_tests.results.history.analysis import Question, TestAccount, read_accounts
from floe_tests.results.history.flakiness import Standing
from floe_tests.results.history.store import History
from tests.support import runs

PASTS = {"t::old": "    xx.", "t::new": "  x.   ", "t::newest": "x.     ", "t::other": "......."}


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History.open(url) as opened:
        for record in runs.runs_of(PASTS):
            opened.record(run=record)
        yield opened


def _accounts(history: History) -> dict[str, TestAccount]:
    (account,) = read_accounts(history, Question())
    return {each.test.name: each for each in account.accounts}


def test_a_renamed_test_is_one_with_all_its_past_and_can_be_two_again(history: History) -> None:
    history.rename("t::old", "t::new")
    history.rename("t::new", "t::newest")
    history.rename("t::new", "t::newest")
    found = _accounts(history)

    assert set(found) == {"t::newest", "t::other"}
    assert found["t::newest"].test.names == ("t::newest", "t::new", "t::old")
    assert [cell.column for cell in found["t::newest"].test.cells] == list(range(6 + 1))
    assert found["t::newest"].diagnosis.standing is Standing.SUSPECTED
    for name in ("t::old", "t::newest"):
        past = history.test_history(name=name, tier="demo", provider="local")
        assert len(past) == 7

    (undone,) = history.undo_rename("t::new")
    assert (undone.old, undone.new) == ("t::new", "t::newest")
    assert _accounts(history)["t::new"].test.names == ("t::new", "t::old")
    assert "t::newest" in _accounts(history)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("t::nosuch", "t::new", "OLD 't::nosuch' is no test of the history"),
        ("t::old", "t::newst", "NEW 't::newst' is no test of the history. Did you mean t::newest"),
        ("t::old", "t::other", "both ran in run run-0004 and 2 others"),
        ("t::old", "t::old", "both the old name and the new one"),
        ("t::newest", "t::new", "would be a circle"),
        ("t::new", "t::other", "t::new is linked to t::newest already"),
    ],
)
def test_what_cannot_be_one_test_is_refused(
    history: History, old: str, new: str, said: str
) -> None:
    history.rename("t::new", "t::newest")
    with pytest.raises(ConfigurationError, match=said):
        history.rename(old, new)


def test_a_whole_chain_is_looked_at_for_runs_of_both(history: History) -> None:
    history.rename("t::old", "t::new")
    history.record(run=runs.run_of(-1, {"t::old": ".", "t::newest": "."}))
    with pytest.raises(ConfigurationError, match="both ran in run run--001"):
        history.rename("t::new", "t::newest")


def test_names_that_come_together_later_are_two_tests_again(history: History) -> None:
    history.rename("t::new", "t::newest")
    history.record(run=runs.run_of(-1, {"t::new": "x", "t::newest": "."}))
    found = _accounts(history)
    assert (found["t::new"].is_failing, found["t::newest"].is_failing) == (True, False)


def test_another_tier_and_another_suite_are_left_alone(history: History) -> None:
    with pytest.raises(ConfigurationError, match="is no test of the history"):
        history.rename("t::old", "t::new", tier="elsewhere")
    with pytest.raises(ConfigurationError, match="t::old is linked to no other name"):
        history.undo_rename("t::old")


def test_removing_the_old_runs_removes_the_link(history: History) -> None:
    history.rename("t::old", "t::new")
    history.remove_runs(["run-0004", "run-0005", "run-0006"])
    assert _accounts(history)["t::new"].test.names == ("t::new",)
