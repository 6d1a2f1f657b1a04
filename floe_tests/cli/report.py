"""`floe-tests report`: the history as a page."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from floe_tests.cli.common import fail, workspace_of
from floe_tests.core.errors import FloeTestsError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def report(
    *,
    tier: Annotated[str | None, typer.Option(help="Only this tier.")] = None,
    ref: Annotated[
        str | None, typer.Option(help="The branch or tag; the default branch without.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How many of the newest runs.")] = 200,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write each tier's history as a page, and a front page of all tiers: HTML without network."""
    from floe_tests.report import grid, overview, status
    from floe_tests.results.history.analysis import Question
    from floe_tests.results.history.store import History

    workspace = workspace_of(os.environ)
    question = Question(tier=tier, runs=runs, ref=ref, default_branch=workspace.default_branch)
    everything = Question(default_branch=workspace.default_branch)
    try:
        with History.open_to_read(workspace.history_url) as opened:
            accounts = grid.read_page(opened, question)
            statuses = status.read_status(
                opened, everything, tiers=status.tier_names(workspace.root)
            )
        names = sorted({account.grid.tier for account in accounts})
        if not names:
            which = f"{f' of {tier}' if tier else ''}{f' on {ref}' if ref else ''}"
            fail(f"the history has no run{which}: nothing to show. `floe-tests run` makes one.")
        path = front = workspace.output / overview.NAME
        for name in names:
            path = workspace.newest(name) / grid.NAME
            of_tier = [account for account in accounts if account.grid.tier == name]
            with _explained(path):
                grid.write(path, of_tier, links=workspace.links)
            typer.echo(path)
        with _explained(front):
            overview.write(workspace.output, statuses)
        typer.echo(front)
    except FloeTestsError as error:
        fail(str(error))
    if open_it:
        typer.launch(str(path if len(names) == 1 else front))


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Say which page cannot be written: not every error of the system knows."""
    try:
        yield
    except OSError as error:
        remedy = "Make room there, or set" if error.errno in _FULL else "Set"
        fail(
            f"{path}: the page cannot be written: {error.strerror or error}. {remedy} "
            "FLOE_TESTS_OUTPUT to a folder that can be."
        )
