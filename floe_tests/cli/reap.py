"""`floe-tests reap`: what killed and expired runs have left."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from floe_tests.cli.common import fail, known_tiers, workspace_of

if TYPE_CHECKING:
    pass


def reap(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without, only list it.")] = False,
    kubeconfig: Annotated[str | None, typer.Option(help="Look into its cluster too.")] = None,
    context: Annotated[str | None, typer.Option(help="Look into this context too.")] = None,
    in_cluster: Annotated[
        bool, typer.Option("--in-cluster", help="Look into the cluster around this pod too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what killed and expired runs have left, here and in clusters; `--yes` removes it.

    Only what a run is proved to have created is removed. Labels alone prove nothing: anything with
    labels and no proof is listed, with the command that removes it by hand. The exit code is 1 if
    anything stays that should have gone.
    """
    from floe_tests.cleanup.plan import Scope
    from floe_tests.cleanup.reaper import plan
    from floe_tests.cleanup.reaper import reap as remove
    from floe_tests.config.loader import platforms_of
    from floe_tests.environments.ownership import platform_namespaces
    from floe_tests.kube.access import ClusterAccess
    from floe_tests.pipeline.entries import ledger_of
    from floe_tests.pipeline.orphaned_run import remember_orphaned_run
    from floe_tests.report import inventory

    workspace = workspace_of(os.environ)
    named = [ClusterAccess(kubeconfig, context)] if kubeconfig or context else []
    if in_cluster and "KUBERNETES_SERVICE_HOST" not in os.environ:
        fail("--in-cluster: this is no pod. Name a context with --context.")
    clusters = (*named, *([ClusterAccess()] if in_cluster else []))
    tiers = known_tiers(workspace.root)
    platforms = platforms_of(tiers, clusters) if clusters else ()
    scope = Scope(ledger_of(workspace), clusters, platforms, protected=platform_namespaces(tiers))
    console, progress = Console(highlight=False), Console(stderr=True, highlight=False)
    if yes:
        found = remove(
            scope,
            log=lambda line: progress.print(line, markup=False),
            on_killed=partial(remember_orphaned_run, workspace),
        )
        failed = bool(found.remaining or found.problems)
    else:
        found = plan(scope)
        failed = bool(found.problems)
    if as_json:
        typer.echo(inventory.as_text(found))
    else:
        inventory.show(found, console)
    raise typer.Exit(int(failed))
