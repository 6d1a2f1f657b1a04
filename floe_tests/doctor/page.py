"""What was found, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from floe_tests.doctor.check import Check, State

# Words, so that it can be read without colours.
_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "failed": ("FAILED", "bold red"),
    "unknown": ("?", "cyan"),
}


def as_json(checks: Sequence[Check]) -> str:
    """Return checks as JSON: a list of objects, in the order of the table."""
    return json.dumps([dataclasses.asdict(check) for check in checks], indent=1)


def show(checks: Sequence[Check], console: Console) -> None:
    """Print a table, then what is to be done about each thing, in commands to paste.

    Args:
        checks: What was found.
        console: Where to.
    """
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for check in checks:
        mark, style = _MARKS[check.state]
        table.add_row(Text(mark, style), Text(check.name), Text(check.found))
    console.print(table)
    remedies = [check for check in checks if check.state != "ok" and check.remedy]
    if remedies:
        console.print("\nWhat to do:")
    for check in remedies:
        # Not in the table: what is folded cannot be pasted.
        console.print(f"  {check.name}:\n    {check.remedy}", markup=False, soft_wrap=True)
    console.print(f"\n{_counted(checks)}", markup=False)


def has_failed(checks: Sequence[Check]) -> bool:
    """Return whether a run would fail on what was found."""
    return any(check.state == "failed" for check in checks)


def _counted(checks: Sequence[Check]) -> str:
    counts = [
        f"{number} {mark if mark != '?' else 'cannot be told'}"
        for state, (mark, _) in _MARKS.items()
        if (number := sum(check.state == state for check in checks))
    ]
    return ", ".join(counts)
