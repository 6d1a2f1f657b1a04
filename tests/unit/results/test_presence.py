"""The rules of missing tests, on a few words a run."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from floe_tests.config import removals
from floe_tests.core.errors import ConfigurationError
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.presence.compare import Change, GoodRun, Presence, Rules, compare
from floe_tests.results.presence.losses import Loss
from tests.support.losing import baseline_of

TODAY = date(2026, 12, 1)


def of(words: str) -> list[CaseResult]:
    """Return cases by their names; one that is skipped ends in `!`, one that is a module in `/`."""
    return [
        CaseResult(
            name=word.rstrip("!/"),
            outcome=CaseOutcome.SKIPPED if word.endswith(("!", "/")) else CaseOutcome.PASSED,
            seconds=0,
            is_collection=word.endswith("/"),
        )
        for word in words.split()
    ]


def found(now: str, *past: str, rules: Rules | None = None, **more: object) -> Presence:
    baseline = baseline_of(*(of(words) for words in past))
    return compare(of(now), baseline, suite="s", rules=rules or Rules(fail_above=0), **more)  # type: ignore[arg-type]


def said(presence: Presence) -> str:
    return "\n".join(map(str, (*presence.missing, *presence.notes)))


def test_nothing_is_missing():
    presence = found("m::a m::b[1] m::c!", "m::a m::b[1] m::c!")

    assert (presence.missing, presence.notes) == ((), ())
    assert "none of the 3 tests" in str(presence.compared)


def test_parameters_that_come_from_data_may_change_and_not_become_fewer():
    """A team whose parameters are dates must not be red every day."""
    same = found("m::a[mon] m::a[tue]", "m::a[sat] m::a[sun]")
    less = found("m::a[mon]", "m::a[sat] m::a[sun]")

    assert same.missing == same.notes == ()
    assert "m::a presence: 1 of its tests gone" in said(less)


def test_fewer_counts_from_the_least_that_a_good_run_had():
    assert found("m::a[x] m::b", "m::a[x] m::a[y] m::b", "m::a[x] m::b").missing == ()


def test_a_test_that_is_skipped_now_and_then_is_no_loss():
    assert found("m::a! m::b", "m::a m::b", "m::a! m::b").missing == ()
    assert "m::a presence: skipped, and ran before" in said(found("m::a! m::b", "m::a m::b"))


def test_a_test_that_fails_as_expected_now_did_run():
    expected = CaseResult(
        name="m::a", outcome=CaseOutcome.SKIPPED, seconds=0, is_expected_failure=True
    )
    presence = compare([expected], baseline_of(of("m::a")), suite="s", rules=Rules(fail_above=0))

    assert presence.missing == ()


def test_tests_of_a_module_that_is_skipped_are_skipped():
    assert "skipped, and ran before" in said(found("m/ n::b", "m::a n::b"))


def test_one_that_moved_is_told_by_its_name_and_used_once():
    presence = found("x.m::a", "m::a n::a")

    assert "m::a presence: gone: now it is x.m::a" in said(presence)
    assert [each.subject for each in presence.missing[1:]] == ["n::a"]


def test_where_nobody_can_tell_one_gone_and_one_new_of_a_class_are_a_rename():
    renamed = found("m.A::new m.B::c", "m.A::old m.B::c")
    other = found("m.A::new m.B::d", "m.A::old m.C::c")

    assert renamed.missing == ()
    assert "m.A::old presence: gone: probably renamed to m.A::new" in said(renamed)
    assert [each.subject for each in other.missing[1:]] == ["m.C::c"]


def test_what_a_good_run_lacked_already_is_missing_still():
    """Losses below the share must not add up in silence."""
    one = found("m::a m::b", "m::a m::b", "m::a m::b m::c", rules=Rules(fail_above=0.5))
    two = found("m::a", "m::a m::b", "m::a m::b m::c", rules=Rules(fail_above=0.5))

    assert one.missing == ()
    assert "m::c presence: gone" in said(one)
    assert "2 of the 3 tests" in str(two.missing[0])


def test_the_removal_of_an_earlier_run_is_accepted_and_said_once():
    def removed(_loss: Loss, run: GoodRun) -> Change:
        assert run.run_id == "good-1", "the last run that had it"
        return Change("removed", "it was taken out")

    presence = found("m::a", "m::a", "m::a m::b", change_of=removed)

    assert (presence.missing, presence.notes) == ((), ())


def test_no_more_than_fifty_are_listed():
    names = " ".join(f"m{n}::t{n}" for n in range(80))
    presence = found("k::k", f"k::k {names}")

    assert len(presence.missing) == 52
    assert "30 are left out" in str(presence.missing[-1])


def test_a_pattern_stands_for_itself_but_for_the_star():
    fits = [
        ("m::a", "m::a"),
        ("m::*", "m::a[1]"),
        ("m::a[*]", "m::a[x y]"),
        ("m::a[1]", "m::a[1]"),
        ("*::a", "tests.m::a"),
    ]
    others = [("m::a", "m::ab"), ("m.*", "mm::a"), ("m::a[1]", "m::a1")]

    assert all(removals.matches(pattern, name) for pattern, name in fits)
    assert not any(removals.matches(pattern, name) for pattern, name in others)


def test_a_line_holds_from_its_first_to_its_last_day(tmp_path: Path):
    path = tmp_path / "removed.yaml"
    path.write_text(
        "- test: m::a\n  owner: o\n  reason: r\n  since: 2026-12-01\n  expires: 2026-12-02\n"
        "- {test: 'n::*', suite: other, owner: o, reason: r}\n"
    )

    def covers(suite: str, test: str, day: int) -> bool:
        listed = removals.read(path, today=TODAY.replace(day=day))
        return listed.entry(suite=suite, test=test) is not None

    assert [covers("s", "m::a", day) for day in (1, 2, 3)] == [True, True, False]
    assert not removals.read(path, today=date(2026, 11, 30)).entry(suite="s", test="m::a")
    assert covers("other", "n::x", 1)
    assert not covers("s", "n::x", 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {test: '*', owner: o, reason: r}", "entry 0.test: .*every test"),
        ("- {test: '*::*', owner: o, reason: r}", "every test"),
        ("- {test: m::a, owner: o}", "entry 0.reason"),
        ("- {test: m::a, owner: o, reason: r, until: 2026-01-01}", "entry 0.until"),
        ("test: m::a", "has test, owner, reason"),
        ("[", "is no YAML"),
    ],
)
def test_a_wrong_list_is_refused_by_file_entry_and_field(tmp_path: Path, text: str, words: str):
    path = tmp_path / "removed.yaml"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=rf"removed.yaml: .*{words}"):
        removals.read(path, today=TODAY)
