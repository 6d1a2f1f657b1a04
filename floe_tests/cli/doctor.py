"""`floe-tests doctor`: what a tier needs, and what is missing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from floe_tests.cli.common import (
    current_project,
    fail,
    known_tiers,
    mention_broken_tiers,
    tier_named,
    workspace_of,
)
from floe_tests.config.providers import environments_text
from floe_tests.core.errors import FloeTestsError

if TYPE_CHECKING:
    pass


def doctor(
    tier: Annotated[str | None, typer.Argument(help="Name of the tier; all, without one.")] = None,
    *,
    environment: Annotated[
        str | None,
        typer.Option("--environment", "-e", help=f"{environments_text()}."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Look at all that a tier needs, and say what to do about what is missing.

    Exit code 1 when a run would fail, 0 with warnings alone.
    """
    from floe_tests.config.project import environment_named
    from floe_tests.doctor import page
    from floe_tests.doctor.examination import examine

    try:
        wanted = environment_named(environment or "", source="--environment")
    except FloeTestsError as error:
        fail(str(error))
    root = current_project().root
    tiers = [tier_named(tier, root)] if tier is not None else [*known_tiers(root)]
    if tier is None and wanted is not None:
        tiers = [one for one in tiers if wanted in one.environments]
    if tier is not None:
        mention_broken_tiers()
    if not tiers:
        fail("no tier can run" + (f" on {wanted}." if wanted else ". See `floe-tests tiers`."))
    checks = examine(
        tiers, environment=wanted, workspace=workspace_of(os.environ), environ=os.environ
    )
    if as_json:
        typer.echo(page.as_json(checks))
    else:
        page.show(checks, Console(highlight=False, width=None if sys.stdout.isatty() else 160))
    raise typer.Exit(1 if page.has_failed(checks) else 0)
