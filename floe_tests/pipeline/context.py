"""A run as its stages have it: its tier, its folders, and whoever started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core.log import Log
from floe_tests.core.signals import no_reason
from floe_tests.environments.environment import Environment
from floe_tests.environments.lease import Lease
from floe_tests.environments.leasing import environment_of_lease, live_lease
from floe_tests.execution.resume import never
from floe_tests.pipeline.entries import RunEntries, entries_of
from floe_tests.pipeline.state import RunState, read_state


@dataclass(frozen=True)
class RunContext:
    """A run of a tier, and how it hears from whoever started it.

    Attributes:
        settings: The tier.
        workspace: Folders and choices of the environment.
        run_id: The Dagster run.
        log: Receives progress.
        parent_run_id: The run that this one re-executes, if it does.
        why_cancelled: Returns the reason that whoever cancelled the run left; asked once the run
            is interrupted. None when nobody left one.
        is_resumable: Whether another process resumes the run when this one dies.
        will_resume: Tells, once the run is interrupted, whether another process resumes it.
    """

    settings: TierSettings
    workspace: Workspace
    run_id: str
    log: Log
    parent_run_id: str | None = None
    why_cancelled: Callable[[], str | None] = no_reason
    is_resumable: bool = False
    will_resume: Callable[[], bool] = never

    @property
    def entries(self) -> RunEntries:
        """What this run has written down."""
        return entries_of(self.workspace, self.run_id)

    def state(self) -> RunState:
        """Read what is known of the run now."""
        return read_state(
            self.settings,
            self.workspace,
            run_id=self.run_id,
            parent_run_id=self.parent_run_id,
        )

    def lease(self) -> Lease:
        """Return the live lease of this run.

        Raises:
            LeaseError: There is none, or its environment is gone.
        """
        ledger = self.entries.ledger
        return live_lease(ledger, self.run_id, parent_run_id=self.parent_run_id, log=self.log)

    def environment(self, lease: Lease) -> Environment:
        """Return the environment that a lease is on."""
        return environment_of_lease(lease, ledger=self.entries.ledger, log=self.log)

    def mark_failed(self) -> None:
        """Write on the lease that something went wrong, for `keep: on_failure`."""
        lease = self.entries.lease()
        if lease is not None:
            self.entries.write_lease(replace(lease, failed=True))
