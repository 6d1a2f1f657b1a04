"""`floe-tests tiers`: what there is to run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from floe_tests.cli.common import current_project, known_tiers


def tiers() -> None:
    """List the tiers of this project, where each runs and within which budget."""
    table = Table(box=None, pad_edge=False)
    for title in ("tier", "runs on", "budget", "what it proves"):
        table.add_column(title, overflow="fold")
    for settings in known_tiers(current_project().root):
        budget = f"{settings.budget.memory}, {settings.budget.minutes:g} min"
        table.add_row(settings.name, ", ".join(settings.environments), budget, settings.description)
    Console().print(table)
