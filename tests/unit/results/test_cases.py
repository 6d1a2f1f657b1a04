"""Cases: names that are the same from every source, and strings that every store takes."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floe_tests.results.cases import (
    MESSAGE_BYTES,
    NAME_BYTES,
    TEXT_BYTES,
    CaseOutcome,
    CaseResult,
    Tally,
    TextBudget,
    case_name_of_node,
    cut,
    legible,
)


def _case(name: str = "a::b", **fields: object) -> CaseResult:
    return CaseResult(
        **{"name": name, "outcome": CaseOutcome.FAILED, "seconds": 1.0, **fields}  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("node_id", "name"),
    [
        ("tests/unit/test_a.py::test_b", "tests.unit.test_a::test_b"),
        ("test_a.py::TestC::test_b[x/y.py::z]", "test_a.TestC::test_b[x/y.py::z]"),
        ("tests/test_a.py", "tests.test_a"),
        ("test_a.py::TestC", "test_a::TestC"),
    ],
)
def test_a_node_id_becomes_the_name_that_junit_has(node_id: str, name: str) -> None:
    assert case_name_of_node(node_id) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("nul\x00", "nul\\x00"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("invoice\u202efdp.exe", "invoice\ufffdfdp.exe"),
        ("tab\tand ünïcödé 🎉", "tab\tand ünïcödé 🎉"),
    ],
    ids=[
        *("colours", "line ends", "nul", "surrogate"),
        *("command", "command of one character", "reversed order", "untouched"),
    ],
)
def test_illegible_characters_are_spelled_out(text: str, expected: str) -> None:
    assert legible(text) == expected


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_legible_text_survives_xml_json_and_utf_8(text: str) -> None:
    shown = legible(text)
    element = ET.Element("a", {"b": shown})
    element.text = shown
    parsed = ET.fromstring(ET.tostring(element))  # noqa: S314 - written above
    assert (parsed.get("b"), parsed.text or "") == (shown, shown)
    assert json.loads(json.dumps(shown)) == shown


@given(st.text(), st.integers(min_value=128, max_value=400))
def test_a_cut_text_fits_and_keeps_its_beginning(text: str, limit_bytes: int) -> None:
    text = legible(text) * 20
    shortened = cut(text, limit_bytes)
    assert len(shortened.encode()) <= limit_bytes
    if len(text.encode()) <= limit_bytes:
        assert shortened == text
    else:
        assert shortened[:10] == text[:10]
        assert shortened[-5:] == text[-5:]
        assert "bytes and more cut" in shortened


def test_a_case_is_bounded_whatever_it_is_made_of() -> None:
    case = _case("n" * 5000, message="m" * 10_000, text="first\n" + "t" * 100_000 + "\nlast")
    assert len(case.name) <= NAME_BYTES
    assert len(case.message) <= MESSAGE_BYTES
    assert len(case.text) <= TEXT_BYTES
    assert case.text.startswith("first")
    assert case.text.endswith("last")


def test_two_long_names_with_one_beginning_stay_two_tests() -> None:
    assert _case("n" * 5000 + "a").name != _case("n" * 5000 + "b").name


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_a_duration_that_is_none_counts_as_zero(seconds: float) -> None:
    assert _case(seconds=seconds).seconds == 0.0


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ("passed", "error", "error"),
        ("failed", "error", "failed"),
        ("failed", "passed", "failed"),
        ("skipped", "error", "error"),
        ("skipped", "passed", "passed"),
    ],
)
def test_the_worse_outcome_of_two_reports_wins(first: str, second: str, merged: str) -> None:
    cases = _case(outcome=CaseOutcome(first)), _case(outcome=CaseOutcome(second))
    assert cases[0].merged_with(cases[1]).outcome == merged
    assert cases[1].merged_with(cases[0]).outcome == merged
    assert cases[0].merged_with(cases[1]).seconds == 2.0


def test_a_tally_counts_each_outcome_once() -> None:
    outcomes = ["passed", "passed", "failed", "error", "skipped"]
    tally = Tally.of(_case(outcome=CaseOutcome(outcome)) for outcome in outcomes)
    assert tally == Tally(tests=5, passed=2, failed=1, errors=1, skipped=1, seconds=5.0)
    assert tally.failing == 2


def test_a_used_up_budget_keeps_the_beginning_of_messages_alone() -> None:
    budget = TextBudget(1000)
    assert budget.keep(_case(text="t" * 900)).text == "t" * 900
    assert not budget.is_used_up
    late = budget.keep(_case(message="m" * 500, text="t" * 900))
    assert budget.is_used_up
    assert late.message.startswith("mmm")
    assert len(late.message) <= 256
    assert "left out" in late.text


def test_a_budget_counts_memory_and_not_characters() -> None:
    """One emoji makes each character of its text take four bytes."""
    budget = TextBudget(1000)
    assert budget.keep(_case(text="\U0001f600" + "t" * 300)).text.startswith("[text left out")
    assert TextBudget(1000).keep(_case(text="t" * 300)).text == "t" * 300
