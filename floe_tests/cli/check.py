"""`floe-tests check`: all that is wrong with a project, before anything runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from floe_tests.cli.common import current_project, fail, project_tiers, workspace_of
from floe_tests.config.wording import meant


def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[TIER]...", help="Tiers; all, without one.")
    ] = None,
    *,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Ask the tiers' cluster too, by a dry run.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Check tiers without running them: settings, files, Jobs, rendered charts.

    Needs no cluster; `floe-tests doctor` looks at machine and cluster. Creates nothing.

    Exit code 0 where all tiers can run (warnings allowed), 1 where one would fail, 2 for a tier
    that there is not.
    """
    from floe_tests.doctor import page
    from floe_tests.doctor.project_check import as_json as to_json
    from floe_tests.doctor.project_check import of_broken, of_tier, shown

    tiers = project_tiers(current_project().root)
    wanted = [name.replace("_", "-") for name in names or tiers.names]
    for name in wanted:
        if name not in tiers.names:
            there = ", ".join(tiers.names) or "none"
            fail(f"there is no tier {name}.{meant(name, tiers.names)} There are: {there}.")
    workspace = workspace_of(os.environ)
    found = [
        *(of_broken(each) for each in tiers.broken if each.name in wanted),
        *(
            of_tier(each, workspace, with_cluster=cluster)
            for each in tiers.good
            if each.name in wanted
        ),
    ]
    found.sort(key=lambda each: each.tier)
    if not found:
        fail("the project has no tier. `floe-tests init` makes one.")
    if as_json:
        typer.echo(to_json(found))
    else:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
        page.show(shown(found), console)
    raise typer.Exit(int(any(each.fails for each in found)))
