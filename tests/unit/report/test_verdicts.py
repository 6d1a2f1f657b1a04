"""The page of verdicts says what the rules say."""

from __future__ import annotations

from pathlib import Path

from floe_tests.core.verdict import Cause, Fault
from floe_tests.execution.verdict.rules import RULES, Rule
from floe_tests.report.verdicts import markdown

PAGE = Path(__file__).parents[3] / "docs" / "verdicts.md"


def test_the_page_in_docs_is_the_one_that_the_rules_give():
    assert PAGE.read_text() == markdown(), "docs/verdicts.md is stale: run `make docs`"


def test_every_rule_has_one_row_in_the_order_of_the_table():
    rows = [line for line in markdown().splitlines() if line.startswith("| ")][2:]

    assert [row.split(" | ")[1] for row in rows] == [f"`{rule.cause}`" for rule in RULES]


def test_a_bar_in_a_rule_does_not_break_its_row():
    rule = Rule(Cause.CONFIG, Fault.CONFIGURATION, "a | b", "do c", lambda _facts: (), "pod", 2)

    assert markdown([rule]).splitlines()[-1] == (
        r"| 1 | `CONFIG` | configuration | a \| b | pod | do c | 2 |"
    )
