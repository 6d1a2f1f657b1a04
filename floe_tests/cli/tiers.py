"""`floe-tests tiers`: what there is to run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from floe_tests.cli.common import current_project, project_tiers
from floe_tests.cli.panel import show_broken

if TYPE_CHECKING:
    from pathlib import Path

    from floe_tests.config.broken import Tiers


def tiers(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """List the tiers of this project, where each runs and within which budget.

    A tier that cannot run is listed as such; `floe-tests check` says all that is wrong.
    """
    root = current_project().root
    found = project_tiers(root)
    if as_json:
        typer.echo(_as_json(found, root))
        return
    _show(found)
    show_broken(found.broken, root)


def _show(found: Tiers) -> None:
    """Print a line a tier: all of them on one screen."""
    rows = {
        each.name: (
            ", ".join(each.environments),
            each.budget.memory,
            f"{each.budget.minutes:g}",
            # Its first sentence.
            " ".join(each.description.split()).partition(". ")[0].rstrip("."),
        )
        for each in found.good
    }
    rows |= {each.name: ("CANNOT RUN", "", "", str(each.problems[0])) for each in found.broken}
    table = Table(box=None, pad_edge=False, expand=True)
    titles = ("tier", "runs on", "memory", "min")
    for index, title in enumerate(titles):
        widest = max(len((name, *row)[index]) for name, row in rows.items()) if rows else 0
        table.add_column(title, no_wrap=True, min_width=max(widest, len(title)))
    table.add_column("what it proves", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in sorted(rows):
        style = "red" if found.broken_named(name) else ""
        table.add_row(*(Text(text, style) for text in (name, *rows[name])))
    width = None if sys.stdout.isatty() else 200
    Console(highlight=False, emoji=False, width=width).print(table)


def _as_json(found: Tiers, root: Path) -> str:
    good = [
        {
            "name": each.name,
            "runs": True,
            "environments": list(each.environments),
            "suites": [suite.name for suite in each.suites],
            "memory": each.budget.memory,
            "minutes": each.budget.minutes,
            "description": each.description,
        }
        for each in found.good
    ]
    broken = [
        {
            "name": each.name,
            "runs": False,
            "file": str(each.file.relative_to(root)),
            "problems": [
                {"field": one.field, "line": one.line, "message": one.message}
                for one in each.problems
            ],
        }
        for each in found.broken
    ]
    return json.dumps(sorted([*good, *broken], key=lambda each: str(each["name"])), indent=1)
