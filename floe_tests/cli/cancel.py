"""`floe-tests cancel`: runs ended for a person or a CI, with what was done to each in words."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from floe_tests.cli.common import fail, workspace_of
from floe_tests.config.project import Workspace
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.log import Log
from floe_tests.pipeline.cancellation import ActiveRun, chosen


def cancel(
    *,
    ref: Annotated[
        str | None, typer.Option(help="Cancel the runs on this ref, such as `main`.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="Only the runs of this tier.")] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="The run, or how its id begins.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the verdict.")] = None,
    deadline: Annotated[float, typer.Option(help="How long to wait for their end, in s.")] = 60,
) -> None:
    """Cancel runs in progress, and wait until they have given their environments back.

    Exit code 0 when all are over, or when there are none; 1 when one is not.
    """
    if ref is None and tier is None and run_id is None:
        fail("cancel which runs? Give --ref, --tier or --run.")
    ended = cancel_runs(
        workspace_of(os.environ),
        ref=ref,
        tier=tier,
        run_id=run_id,
        reason=reason,
        deadline_seconds=deadline,
        log=partial(Console(highlight=False, soft_wrap=True).print, markup=False),
    )
    raise typer.Exit(0 if ended else 1)


def cancel_runs(  # noqa: PLR0913 - a command, its options
    workspace: Workspace,
    *,
    ref: str | None,
    tier: str | None,
    run_id: str | None,
    reason: str | None,
    deadline_seconds: float,
    log: Log,
) -> bool:
    """Cancel the runs that are chosen, wait for their end, and say what became of each.

    Args:
        workspace: The project: its instance, its leases, its history.
        ref: Only runs on this ref.
        tier: Only runs of this tier.
        run_id: Only the run whose id begins so.
        reason: Why, for the verdict; None names who asked.
        deadline_seconds: How long to wait.
        log: Receives what is done.

    Returns:
        Whether all of them are over, with nothing left behind.
    """
    from floe_tests.orchestration.cancellation import (
        Canceller,
        active_runs,
        cancel_and_wait,
        open_instance,
    )

    with open_instance(workspace.home) as instance:
        active = [run for _, run in active_runs(instance, with_canceling=True)]
        runs = chosen(active, ref=ref, tier=tier, run_id=run_id)
        if not runs:
            log(_nothing_found(active))
            return True
        canceller = Canceller.of(workspace, instance)
        not_over = cancel_and_wait(
            canceller,
            runs,
            reason=reason or f"cancelled with `floe-tests cancel` by {_who()}",
            deadline=Deadline(deadline_seconds),
            log=log,
        )
        for run in not_over:
            log(f"{run}: NOT over after {deadline_seconds:g} s: {canceller.hindrance(run.run_id)}")
        unclean = [
            run for run in runs if run not in not_over and canceller.has_left_something(run.run_id)
        ]
        for run in unclean:
            log(f"{run}: its environment is NOT removed. `floe-tests reap` removes it.")
    _say_verdicts(workspace, [run for run in runs if run not in not_over], log=log)
    return not not_over and not unclean


def _say_verdicts(workspace: Workspace, runs: Sequence[ActiveRun], *, log: Log) -> None:
    from floe_tests.results.history.store import History

    try:
        with History.open(workspace.history_url) as history:
            for run in runs:
                found = history.run(run_id=run.run_id)
                log(f"{run}: {found.summary if found else 'no verdict: it had not begun'}")
    except FloeTestsError as error:
        log(f"their verdicts cannot be shown: {error}")


def _nothing_found(active: Sequence[ActiveRun]) -> str:
    if not active:
        return "nothing to cancel: no run is in progress."
    return f"nothing to cancel: in progress is only {'; '.join(str(run) for run in active)}."


def _who() -> str:
    return f"{getpass.getuser()} on {socket.gethostname()}"
