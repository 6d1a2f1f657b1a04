"""Cancelling runs through Dagster: the reason on the run first, then its end.

A run that Dagster launched is ended by Dagster, wherever it runs. One that `dagster job execute`
started has nobody but the process that holds its lease, so that one gets a SIGTERM, on the machine
where it is.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from time import sleep

import dagster as dg

from floe_tests.config.project import Workspace
from floe_tests.core.deadline import Deadline
from floe_tests.core.labels import REF, TIER
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.environments.lease import Lease
from floe_tests.pipeline.cancellation import CANCELLED_TAG, ActiveRun
from floe_tests.pipeline.entries import RunEntries, ledger_of

_POLL_SECONDS = 0.5

_STARTING = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED)
_ACTIVE = (*_STARTING, dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED)


def why_cancelled(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Return the reason why a run was interrupted; None when Dagster knows of none.

    Args:
        instance: The run's instance.
        run_id: The run.
    """
    try:
        run = instance.get_run_by_id(run_id)
    except Exception:  # noqa: BLE001 - the run still has to clean up when its database is away
        return None
    if run is None:
        return None
    reason = run.tags.get(CANCELLED_TAG)
    if reason is None and run.status in {
        dg.DagsterRunStatus.CANCELING,
        dg.DagsterRunStatus.CANCELED,  # terminated by force: marked before it is interrupted
    }:
        return "terminated from Dagster (UI or API)"
    if reason is None and run.status is dg.DagsterRunStatus.FAILURE:
        # Only its run monitoring says so of a run that still goes on.
        return "ended by Dagster, which marked it as failed: it ran past its maximum runtime"
    return reason


def active_runs(
    instance: dg.DagsterInstance, *, with_canceling: bool = False
) -> tuple[tuple[dg.DagsterRun, ActiveRun], ...]:
    """Return the runs of tiers that are not over, as Dagster has them and as plain values.

    Args:
        instance: Where to look.
        with_canceling: Whether those count that are being cancelled already.
    """
    statuses = [*_ACTIVE, *([dg.DagsterRunStatus.CANCELING] if with_canceling else [])]
    records = instance.get_run_records(dg.RunsFilter(statuses=statuses))
    return tuple(
        (
            record.dagster_run,
            ActiveRun(
                run_id=record.dagster_run.run_id,
                tier=tier,
                ref=record.dagster_run.tags.get(REF),
                created_at=record.create_timestamp.replace(
                    tzinfo=record.create_timestamp.tzinfo or UTC
                ),
                is_starting=record.dagster_run.status in _STARTING,
            ),
        )
        for record in records
        if (tier := record.dagster_run.tags.get(TIER)) is not None
    )


@dataclass(frozen=True)
class Canceller:
    """Ends runs, by whichever way there is to each.

    Attributes:
        instance: The runs' instance.
        ledger: The ledger of this machine, where the processes of `dagster job execute` are found.
    """

    instance: dg.DagsterInstance
    ledger: Ledger

    @classmethod
    def of(cls, workspace: Workspace, instance: dg.DagsterInstance | None = None) -> Canceller:
        """Make one for a project.

        Args:
            workspace: The project; its home has the ledger.
            instance: Its instance; None opens the one at home.
        """
        return cls(instance or open_instance(workspace.home), ledger_of(workspace))

    def stamp(self, run_id: str, reason: str) -> None:
        """Write the reason on the run; the first one stays."""
        run = self.instance.get_run_by_id(run_id)
        if run is not None and CANCELLED_TAG not in run.tags:
            self.instance.add_run_tags(run_id, {CANCELLED_TAG: reason})

    def end(self, run_id: str) -> str | None:
        """Ask the run to end; it then gives its environment back.

        Returns:
            What was done; None when nothing could be, yet or from here (see `hindrance`).
        """
        run = self.instance.get_run_by_id(run_id)
        if run is None or run.is_finished or run.status in _STARTING:
            return None
        if run.remote_job_origin is None:
            return self._end_process(run)
        queued = run.status is dg.DagsterRunStatus.QUEUED
        if not self.instance.run_coordinator.cancel_run(run_id):
            return None
        return "taken out of the queue" if queued else "Dagster terminates it"

    def is_over(self, run_id: str) -> bool:
        """Return whether the run has ended and works on nothing any more."""
        run = self.instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            return False
        lease = RunEntries(self.ledger, run_id).lease()
        return lease is None or not _is_held(lease) or lease.holder.liveness == "dead"

    def has_left_something(self, run_id: str) -> bool:
        """Return whether a run that is over has not given its environment back."""
        lease = RunEntries(self.ledger, run_id).lease()
        return lease is not None and _is_held(lease)

    def hindrance(self, run_id: str) -> str:
        """Say why a run has not ended, and what to do."""
        run = self.instance.get_run_by_id(run_id)
        lease = RunEntries(self.ledger, run_id).lease()
        status = run.status.value if run else "gone"
        if lease is not None and lease.holder.liveness == "dead":
            return (
                f"its process {lease.holder.process_id} is dead, and Dagster still has it as "
                f"{status}. `floe-tests reap` removes what it left."
            )
        if lease is None and run is not None and run.remote_job_origin is None:
            return (
                "`dagster job execute` runs it, and not on this machine (no lease in "
                f"{self.ledger.directory}). Run `floe-tests cancel` on the machine where it runs; "
                "the reason is on the run already."
            )
        return f"Dagster has it as {status}. Its log in the UI says what it is doing."

    def _end_process(self, run: dg.DagsterRun) -> str | None:
        """End a run of `dagster job execute`, if it is on this machine."""
        lease = RunEntries(self.ledger, run.run_id).lease()
        if lease is None or lease.holder.liveness != "alive":
            return None
        # Before the signal: a run that ends by one alone is a failed run to Dagster.
        if run.status is not dg.DagsterRunStatus.CANCELING:
            self.instance.report_run_canceling(run)
        if not lease.holder.signal(signal.SIGTERM):
            return None
        return f"SIGTERM to its process {lease.holder.process_id}"


def cancel_and_wait(
    canceller: Canceller,
    runs: Sequence[ActiveRun],
    *,
    reason: str,
    deadline: Deadline,
    log: Log,
) -> tuple[ActiveRun, ...]:
    """Cancel runs and wait until they are over.

    Args:
        canceller: What ends them.
        runs: The runs.
        reason: Why, for their verdicts.
        deadline: When to give up; the runs still end when they can.
        log: Receives what is done to each.

    Returns:
        Those that are not over.
    """
    for run in runs:
        canceller.stamp(run.run_id, reason)
    asked: set[str] = set()
    left = list(runs)
    while True:
        for run in left:
            # Asked until it works: a run may be starting, or not have its lease yet.
            if run.run_id not in asked and (how := canceller.end(run.run_id)):
                asked.add(run.run_id)
                log(f"{run}: {how}")
        over = [run for run in left if canceller.is_over(run.run_id)]
        left = [run for run in left if run not in over]
        for run in over:
            log(f"{run}: over after {deadline.elapsed_seconds:.0f} s")
        if not left or deadline.passed:
            return tuple(left)
        sleep(min(_POLL_SECONDS, deadline.remaining_seconds))


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open the instance of a DAGSTER_HOME, which is made where it is missing."""
    home.mkdir(parents=True, exist_ok=True)
    return dg.DagsterInstance.from_config(str(home))


def _is_held(lease: Lease) -> bool:
    return lease.state in {"acquiring", "held"}
