"""What `floe-tests history --ref` says of a branch beside the default branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_tests.report.words import cell
from floe_tests.results.history.comparison import BranchComparison, Difference

if TYPE_CHECKING:
    from rich.console import Console


def as_json(compared: BranchComparison, default_branch: str) -> dict[str, object]:
    """Return a comparison for JSON: the tests by how they stand."""
    return {
        "branch": compared.there.branch if compared.there else default_branch,
        "runs": len(compared.there.grid.runs) if compared.there else 0,
        **{
            str(difference).replace(" ", "_"): [
                {"suite": each.here.test.suite, "test": each.here.test.name}
                for each in compared.of(difference)
            ]
            for difference in Difference
        },
    }


def show(compared: BranchComparison, default_branch: str, console: Console) -> None:
    """Print a comparison: how many stand how, then each test."""
    from rich.table import Table

    if compared.there is None:
        console.print(
            f"Not compared: no runs on {default_branch}, the default branch.", markup=False
        )
        return
    counts = ", ".join(f"{len(compared.of(each))} {each}" for each in Difference)
    console.print(f"Compared with {compared.there.branch}: {counts}", markup=False)
    table = Table(box=None, pad_edge=False)
    for title in (f"compared with {compared.there.branch}", "test", "suite", "here", "there"):
        table.add_column(title, overflow="fold")
    for each in compared.tests:
        there = each.there.newest if each.there else None
        words = (
            str(each.difference),
            each.here.test.name,
            each.here.test.suite,
            each.here.newest or "not reported",
            there or "not reported",
        )
        table.add_row(*map(cell, words))
    if table.row_count:
        console.print(table)
