"""Names of tests that pytest's `--junit-prefix` has changed in one of two places."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.junit_prefix import without_prefix

EVENTS = ("tests.test_a::test_one", "tests.test_a.TestX::test_two[a.b]", "test_b::test_one")


def named(names: Iterable[str]) -> dict[str, CaseResult]:
    return {name: CaseResult(name=name, outcome=CaseOutcome.PASSED, seconds=0) for name in names}


@pytest.mark.parametrize("prefix", ["py311.", "build.linux-x64.", "mein präfix."])
def test_one_prefix_of_all_is_taken_off(prefix: str) -> None:
    """Every test would count twice, and be gone from its own history."""
    found = without_prefix(named(prefix + name for name in EVENTS), EVENTS)

    assert set(found) == set(EVENTS)
    assert {case.name for case in found.values()} == set(EVENTS)


def test_it_is_taken_off_tests_that_the_events_have_lost() -> None:
    found = without_prefix(named(f"py311.{name}" for name in EVENTS), EVENTS[:1])

    assert set(found) == set(EVENTS)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(EVENTS, id="no prefix"),
        pytest.param(("other.test_c::test_one",), id="other tests"),
        pytest.param(("a.test_b::test_one", "b.test_b::test_one"), id="two prefixes"),
        pytest.param(("a.test_b::test_one", "test_b::test_one"), id="one of two"),
        pytest.param((), id="none"),
    ],
)
def test_names_that_tell_tests_apart_stay(names: tuple[str, ...]) -> None:
    assert set(without_prefix(named(names), EVENTS)) == set(names)


def test_without_events_names_stay() -> None:
    """No other tool has both."""
    assert set(without_prefix(named(["a.b::c"]), ())) == {"a.b::c"}
