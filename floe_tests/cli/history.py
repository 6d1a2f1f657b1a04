"""`floe-tests history`: questions to the history."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from floe_tests.cli.common import fail, workspace_of
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.extras import require_extra


def history(  # noqa: PLR0913 - one a flag
    *,
    test: Annotated[
        str | None, typer.Option(help="What one test did in each run: its name, as in JUnit.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="Only this tier.")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", help="Only runs on it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only runs since: `12h`, `7d`, `2w` or a date.")
    ] = None,
    show: Annotated[
        str,
        typer.Option(
            help="Tests that are `noteworthy`, `failing`, `newly-failing`, `flaky`, `slowest`, "
            "`slower`, `new`, `never-run`, `gone`; or what was measured: `measurements`, `soak`."
        ),
    ] = "noteworthy",
    ref: Annotated[
        str | None,
        typer.Option(
            help="A branch, tag or pull request, compared with the default branch; without, the "
            "default branch."
        ),
    ] = None,
    rename: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Link a test's OLD name to its NEW one: one test, one past."),
    ] = None,
    undo_rename: Annotated[
        str | None, typer.Option(help="Take the link of an old name back.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How many of the newest runs.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Ask the history of all runs: what fails, since when, what is flaky, slow or never runs."""
    from floe_tests.cli.views import history as view_of
    from floe_tests.cli.views import measured
    from floe_tests.results.history.analysis import Question, read_accounts
    from floe_tests.results.history.comparison import read_comparison
    from floe_tests.results.history.store import History

    workspace = workspace_of(os.environ)
    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 200)
    try:
        view = measured.view_named(show) if test is None else None
        choice = view_of.show_named("noteworthy" if view else show)
        if choice == "slower":
            require_extra("measure", purpose="--show slower")
        question = Question(
            tier=tier,
            provider=environment,
            since=view_of.time_of(since, now=datetime.now(UTC)) if since else None,
            runs=runs,
            ref=ref,
            default_branch=workspace.default_branch,
        )
        if rename is not None or undo_rename is not None:
            with History.open(workspace.history_url) as opened:
                for line in view_of.renamed(opened, rename, undo_rename, tier=tier):
                    console.print(line, markup=False, soft_wrap=True)
            return
        with History.open_to_read(workspace.history_url) as opened:
            view_of.require_known(opened, question)
            if test is not None:
                found = view_of.runs_of_test(opened, test, question)
                if as_json:
                    typer.echo(view_of.runs_as_json(found))
                else:
                    view_of.print_runs(test, found, console)
                return
            if view is not None:
                numbers = measured.seen(opened, question, view)
                if as_json:
                    typer.echo(measured.as_text(numbers))
                else:
                    measured.show(numbers, view, console)
                return
            accounts = read_accounts(opened, question)
            compared = [
                read_comparison(opened, question, each) if ref is not None else None
                for each in accounts
            ]
        default = workspace.default_branch
        if as_json:
            typer.echo(view_of.accounts_as_json(accounts, compared, choice, default))
        else:
            view_of.print_accounts(accounts, compared, choice, console, default)
    except FloeTestsError as error:
        fail(str(error))
