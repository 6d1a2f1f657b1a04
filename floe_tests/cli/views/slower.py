"""What `floe-tests history` says of tests that became slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_tests.report.words import cell
from floe_tests.results.history.analysis import TierAccount

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_BY = frozenset({"noteworthy", "slower"})
"""The choices of tests that these are shown with."""
_SHOWN_TESTS = 20


def as_json(account: TierAccount) -> list[dict[str, object]]:
    """Return the tests that became slower for JSON."""
    return [
        {
            "suite": each.suite,
            "test": each.test.test.name if each.test else None,
            "kind": each.kind,
            "before_seconds": round(each.before, 3),
            "after_seconds": round(each.after, 3),
            "since_run": each.since.run_id,
            "since_commit": each.since.commit,
        }
        for each in account.slower()
    ]


def show(account: TierAccount, console: Console, *, is_asked: bool) -> None:
    """Print the tests that became slower, those that lost most time first.

    Args:
        account: The tier's account.
        console: Where to.
        is_asked: Whether they were asked for, so that none is said as well.
    """
    from rich.table import Table

    found = account.slower()
    if not found:
        if is_asked:
            console.print("No test became slower.", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("slower", "suite", "before s", "after s", "", "by a", "since", "began"):
        table.add_column(title, overflow="fold")
    for each in found[:_SHOWN_TESTS]:
        words = (
            each.name,
            each.suite,
            f"{each.before:.2f}",
            f"{each.after:.2f}",
            f"{each.ratio:.1f}x",
            each.kind,
            (each.since.commit or each.since.run_id)[:10],
            f"{each.since.started_at:%Y-%m-%d %H:%M}",
        )
        table.add_row(*map(cell, words))
    console.print(table)
    if found[_SHOWN_TESTS:]:
        console.print(f"and {len(found) - _SHOWN_TESTS} more; `--json` has all.", markup=False)
