"""`floe-tests report`: the history as a page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from floe_tests.cli.common import fail, workspace_of
from floe_tests.core.errors import FloeTestsError

if TYPE_CHECKING:
    pass


def report(
    *,
    tier: Annotated[str | None, typer.Option(help="Only this tier.")] = None,
    ref: Annotated[
        str | None, typer.Option(help="The branch or tag; the default branch without.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How many of the newest runs.")] = 200,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write each tier's history as a page: tests by runs, one HTML file without network."""
    from floe_tests.report import grid
    from floe_tests.results.history.analysis import Question, read_accounts
    from floe_tests.results.history.store import History

    workspace = workspace_of(os.environ)
    question = Question(tier=tier, runs=runs, ref=ref, default_branch=workspace.default_branch)
    try:
        with History.open_to_read(workspace.history_url) as opened:
            accounts = read_accounts(opened, question, with_texts=True)
        names = sorted({account.grid.tier for account in accounts})
        if not names:
            which = f"{f' of {tier}' if tier else ''}{f' on {ref}' if ref else ''}"
            fail(f"the history has no run{which}: nothing to show.")
        for name in names:
            path = workspace.newest(name) / grid.NAME
            of_tier = [account for account in accounts if account.grid.tier == name]
            grid.write(path, of_tier, links=workspace.links)
            typer.echo(path)
            if open_it:
                typer.launch(str(path))
    except FloeTestsError as error:
        fail(str(error))
    except OSError as error:
        fail(
            f"{error.filename}: the page cannot be written: {error.strerror}. Set "
            "FLOE_TESTS_OUTPUT to a folder that can be."
        )
