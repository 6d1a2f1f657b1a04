"""`floe-tests prune`: old runs, by age and number."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from floe_tests.cli.common import complain, fail, project_tiers, workspace_of
from floe_tests.cli.panel import show_broken
from floe_tests.config.wording import meant
from floe_tests.core.errors import FloeTestsError

if TYPE_CHECKING:
    from floe_tests.cleanup.retention import OldRun

_MIB = 1024**2


def prune(
    *,
    tier: Annotated[str | None, typer.Option(help="Only runs of this tier.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without, only list.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List runs that are kept no longer; `--yes` removes what they left.

    A tier's `retention` says how long: received files and ledger, the history, Dagster's own
    record, each by age and number, red runs longer than green ones. Runs that hold an environment,
    and each tier's newest, stay. The exit code is 1 if anything stays that should have gone.
    """
    from floe_tests.cleanup.prune import plan
    from floe_tests.orchestration.cancellation import open_instance
    from floe_tests.orchestration.prune import all_runs, remove_all

    workspace = workspace_of(os.environ)
    tiers = project_tiers(workspace.root)
    left = ()
    try:
        with open_instance(workspace.home) as instance:
            runs = tuple(run for run in all_runs(workspace, instance) if tier in {None, run.tier})
            if tier is not None and not runs and tier not in tiers.names:
                close = meant(tier, tiers.names)
                fail(f"there is no tier {tier}, and no run of it.{close} See `floe-tests tiers`.")
            old = plan(runs, tiers.good, leaves_others=bool(tiers.broken))
            if yes:
                left = remove_all(workspace, instance, old)
    except FloeTestsError as error:
        fail(str(error))
    show_broken(tiers.broken, workspace.root)
    if as_json:
        typer.echo(_as_json(old, removed=yes))
    else:
        _show(old, total=len(runs), removed=yes)
    for each in left:
        complain(f"STAYS {each.old.run.place} of run {each.old.run.run_id}: {each.error}")
    raise typer.Exit(1 if left else 0)


def _show(old: Sequence[OldRun], *, total: int, removed: bool) -> None:
    console = Console(highlight=False)
    groups: dict[tuple[str, str, str], list[OldRun]] = defaultdict(list)
    for each in old:
        groups[each.run.place, each.run.tier, each.reason].append(each)
    table = Table(box=None, pad_edge=False)
    for title in ("in", "tier", "why", "runs", "MiB", "oldest"):
        table.add_column(title, overflow="fold")
    for (place, tier, reason), members in sorted(groups.items()):
        sizes = [each.run.size_bytes for each in members if each.run.size_bytes is not None]
        table.add_row(
            place,
            tier or "unknown",
            reason,
            str(len(members)),
            f"{sum(sizes) / _MIB:.1f}" if sizes else "",
            f"{min(each.run.began for each in members):%Y-%m-%d}",
        )
    if not old:
        console.print(f"Nothing is too old. Looked at {total} records of runs.", markup=False)
        return
    console.print(table)
    if not removed:
        console.print("Nothing was changed: `floe-tests prune --yes` removes it.", markup=False)


def _as_json(old: Sequence[OldRun], *, removed: bool) -> str:
    return json.dumps(
        {
            "removed": removed,
            "runs": [
                {
                    "place": each.run.place,
                    "run": each.run.run_id,
                    "tier": each.run.tier,
                    "began": each.run.began.isoformat(),
                    "passed": each.run.passed,
                    "bytes": each.run.size_bytes,
                    "reason": each.reason,
                }
                for each in old
            ],
        },
        indent=1,
    )
