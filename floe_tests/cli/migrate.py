"""`floe-tests migrate`: the history brought to the schema of this version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from floe_tests.cli.common import fail, workspace_of
from floe_tests.core.errors import FloeTestsError

if TYPE_CHECKING:
    pass


def migrate() -> None:
    """Bring the history to the schema of this version; one that has it is left alone."""
    from floe_tests.results.history.store import History

    try:
        with History.open(workspace_of(os.environ).history_url) as opened:
            typer.echo(f"{opened.name} has the schema of this version")
    except FloeTestsError as error:
        fail(str(error))
