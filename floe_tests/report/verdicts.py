"""The table of verdicts as a page: docs/verdicts.md is made here, never written by hand."""

from __future__ import annotations

from collections.abc import Sequence

from floe_tests.execution.verdict.rules import RULES, Rule

_INTRODUCTION = """\
<!-- Made by `make docs` from floe_tests/execution/verdict/rules.py: change the rules there. -->

# Verdicts

Every attempt to run a suite gets one verdict. The rules are read from the top, and the first one
that finds evidence decides, so what is most certain stands first and a test is blamed last. A run
is green on `PASS` alone: passed tests whose results are not proved complete are `RESULT_LOST`.

**Evidence** is object, field, value and time, as Kubernetes gave them; it stands in the run's
metadata, in `verdict.json` and in the history.

**Retries** is how many fresh attempts, each as a new Job in a new pod, a rule allows. Only what no
test and no platform can be blamed for has any; a failed test is never run again. Every attempt is
kept, and a run that needed more than one says so in its verdict, green or not.
"""

_HEADINGS = ("", "Verdict", "Fault", "When", "Evidence from", "What to do", "Retries")


def markdown(rules: Sequence[Rule] = RULES) -> str:
    """Return the page.

    Args:
        rules: The table, in the order in which it is read.
    """
    rows = [
        _row(
            str(number),
            f"`{rule.cause}`",
            rule.fault,
            rule.when,
            rule.looks_at,
            rule.remedy,
            str(rule.retries),
        )
        for number, rule in enumerate(rules, start=1)
    ]
    head = [_row(*_HEADINGS), _row(*("---" for _ in _HEADINGS))]
    return "\n".join([_INTRODUCTION, *head, *rows, ""])


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
