"""What `floe-tests history` says of tests that became slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_tests.core.errors import ConfigurationError
from floe_tests.core.extras import require_extra
from floe_tests.report.words import cell
from floe_tests.results.history.analysis import TierAccount

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_BY = frozenset({"noteworthy", "slower"})
"""The choices of tests that these are shown with."""
_SHOWN_TESTS = 20


def as_json(account: TierAccount, *, is_asked: bool) -> list[dict[str, object]] | None:
    """Return the tests that became slower for JSON; None where they cannot be looked for.

    Raises:
        ConfigurationError: They were asked for, and what looks for them is not installed.
    """
    if _missing(is_asked=is_asked):
        return None
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

    Raises:
        ConfigurationError: They were asked for, and what looks for them is not installed.
    """
    from rich.table import Table

    if missing := _missing(is_asked=is_asked):
        console.print(missing, markup=False)
        return
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


def _missing(*, is_asked: bool) -> str:
    """Return what is to be said where the extra that looks for them is not installed."""
    try:
        require_extra("measure", purpose="looking for tests that became slower")
    except ConfigurationError as error:
        if is_asked:
            raise
        return str(error)
    return ""
