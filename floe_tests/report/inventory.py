"""What a reaper found and did, as tables for a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from floe_tests.cleanup.reaper import Reaped
from floe_tests.core.ledger import as_json
from floe_tests.report.words import cell

if TYPE_CHECKING:
    from rich.console import Console

    from floe_tests.cleanup.plan import Leftover, Plan

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def as_text(found: Plan | Reaped) -> str:
    """Return a plan, or what was done, as JSON."""
    return json.dumps(as_json(found), indent=1)


def show(found: Plan | Reaped, console: Console) -> None:
    """Show what may go, or what is gone and what should be and is not."""
    if isinstance(found, Reaped):
        _table(found.removed, console, title="removed")
        for left in found.remaining:
            console.print(
                f"STAYS {left.item.what} {left.item.name} in {left.item.place}: {left.error}\n"
                f"  by hand: {left.item.command}",
                markup=False,
                soft_wrap=True,
            )
        _show_others(found, console)
        return
    _table(found.removable, console, title="may go")
    _show_others(found, console)
    if found.removable:
        console.print("Nothing was changed: `floe-tests reap --yes` removes it.", markup=False)


def age(since: datetime | None, *, now: datetime | None = None) -> str:
    """Return an age in its largest unit; empty when nothing says."""
    if since is None:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - since).total_seconds()))
    for unit, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {letter}"
    return f"{seconds} s"


def _table(items: Iterable[Leftover], console: Console, *, title: str) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for column in ("what", "name", "in", "run", "tier", "why it may go", "age"):
        table.add_column(column, overflow="fold")
    found = tuple(items)
    for item in found:
        cells = (item.what, item.name, item.place, item.run_id[:8], item.tier, item.reason)
        table.add_row(*map(cell, (*cells, age(item.since))))
    if not table.row_count:
        return
    console.print(table)
    for item in found:
        if item.detail:
            # Below the table, in one piece: a column would fold it into bits that nobody can read.
            console.print(cell(f"{item.what} {item.name}: {item.detail}"), soft_wrap=True)


def _show_others(found: Plan | Reaped, console: Console) -> None:
    unproved = [item for item in found.staying if item.word == "unproved"]
    for item in unproved:
        console.print(
            f"NOT PROVED OURS {item.what} {item.name} in {item.place}: {item.reason}\n"
            f"  it stays; by hand: {item.command}",
            markup=False,
            soft_wrap=True,
        )
    for item in found.staying:
        if item.word == "hung" and item.what != "process":
            console.print(
                f"HUNG {item.what} {item.name} of run {item.run_id[:8]}: {item.reason}",
                markup=False,
                soft_wrap=True,
            )
    for problem in found.problems:
        console.print(f"PROBLEM {problem}", markup=False, soft_wrap=True)
    things = (*found.removed, *found.remaining) if isinstance(found, Reaped) else found.removable
    console.print(
        f"{'' if things else 'Nothing to remove. '}Looked at {'; '.join(found.looked_at)}; "
        f"{len(found.staying) - len(unproved)} of live, kept and other machines' runs stay.",
        markup=False,
    )
