"""`floe-tests import`: runs that were made elsewhere, into the history."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from floe_tests.cli.common import complain, fail, workspace_of
from floe_tests.core.errors import FloeTestsError


def import_runs(  # noqa: PLR0913 - one a flag
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Bundles of runs, JUnit files, folders of them, patterns; `-`: standard input."
        ),
    ],
    *,
    tier: Annotated[str | None, typer.Option(help="The tier of a JUnit file.")] = None,
    suite: Annotated[str | None, typer.Option(help="Its suite; the tier's name without.")] = None,
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="What a JUnit file's run was on.")
    ] = "imported",
    ref: Annotated[str | None, typer.Option(help="Branch or tag of a JUnit file.")] = None,
    commit: Annotated[str | None, typer.Option(help="Commit of a JUnit file.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When it began; without, what the file says.")
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="All files are one run, whatever folders they are in.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Let a file take the place of a run that is there already."),
    ] = False,
) -> None:
    """Add runs that were made elsewhere to the history.

    A run writes `bundle.json.gz` beside its JUnit file, which says all of itself. Importing the
    same file again changes nothing. A file that cannot be used, or not to its end, stops none
    behind it; the exit code is 2 then.
    """
    from floe_tests.cli.views import imports
    from floe_tests.cli.views.history import time_of
    from floe_tests.results.history.importing import Origin
    from floe_tests.results.history.store import History

    account = imports.Account()
    try:
        began = time_of(at, now=datetime.now(UTC)) if at else None
        origin = (
            Origin(
                tier=tier,
                provider=environment,
                suite=suite,
                ref=ref,
                commit=commit,
                started_at=began,
            )
            if tier
            else None
        )
        with History.open(workspace_of(os.environ).history_url) as opened:
            for found in imports.import_files(
                opened, files, origin, as_one=run, replaces=replace, account=account
            ):
                if isinstance(found, imports.NotImported):
                    complain(found.error)
                else:
                    typer.echo(imports.imported_line(found))
    except FloeTestsError as error:
        fail(str(error))
    if account.files + account.unusable > 1:
        typer.echo(account.line())
    if account.unusable:
        raise typer.Exit(2)
