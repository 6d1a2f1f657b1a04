"""`floe-tests status`: how every tier stands."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from floe_tests.cli.common import fail, workspace_of
from floe_tests.core.errors import FloeTestsError


def status(
    *,
    tier: Annotated[str | None, typer.Option(help="Only this tier.")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", help="Only runs on it.")
    ] = None,
    ref: Annotated[
        str | None, typer.Option(help="The branch or tag; the default branch without.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Say how every tier stands: its newest verdict, its trend, and what needs somebody."""
    from floe_tests.cli.views import status as view
    from floe_tests.cli.views.history import require_known
    from floe_tests.report.status import read_status, tier_names
    from floe_tests.results.history.analysis import Question
    from floe_tests.results.history.store import History

    workspace = workspace_of(os.environ)
    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 160)
    question = Question(
        tier=tier, provider=environment, ref=ref, default_branch=workspace.default_branch
    )
    known = tier_names(workspace.root)
    try:
        with History.open_to_read(workspace.history_url) as opened:
            if tier not in known or environment is not None:
                require_known(opened, question)
            found = read_status(opened, question, tiers=known)
    except FloeTestsError as error:
        fail(str(error))
    if as_json:
        typer.echo(view.as_text(found))
    else:
        view.show(found, console)
