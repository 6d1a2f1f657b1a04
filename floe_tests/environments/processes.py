"""Processes of this machine, without Docker and Kubernetes.

The environment of every provider that is no cluster; derive from it to add what a run needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import CleanupError
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.environments.environment import Environment
from floe_tests.environments.lease import Lease
from floe_tests.platform import embedded
from floe_tests.platform.embedded import LEDGER_ENTRY, EmbeddedPlatform


@dataclass(frozen=True)
class ProcessEnvironment(Environment):
    """This machine, for one run.

    Attributes:
        ledger: Where the embedded platform's processes are written down.
        log: Receives one line a step.
    """

    ledger: Ledger
    log: Log

    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        """Nothing is created here: the platform stage starts what the tier needs."""
        del settings, workspace
        self.log("runs as processes of this machine")
        return replace(lease, state="held")

    def is_live(self, lease: Lease) -> bool:
        """Return whether the embedded platform, if one was started, still runs."""
        running = self.ledger.read(lease.run_id, LEDGER_ENTRY, EmbeddedPlatform)
        return running is None or embedded.is_alive(running)

    def release(self, lease: Lease) -> None:
        """Stop the embedded platform."""
        running = self.ledger.read(lease.run_id, LEDGER_ENTRY, EmbeddedPlatform)
        if running is None:
            return
        embedded.stop(running, deadline_seconds=lease.release_seconds)
        if embedded.is_alive(running):
            ids = " ".join(str(number) for number in running.process_ids)
            message = f"the embedded platform still runs; `kill -9 {ids}` ends it."
            raise CleanupError(message)
        self.log("embedded platform stopped")

    def extend(self, lease: Lease) -> None:
        """Nothing carries labels here: the ledger alone says how long processes may stay."""
        del lease

    def commands(self, lease: Lease) -> tuple[str, ...]:
        """Return the address of the embedded platform, and the command that ends it."""
        running = self.ledger.read(lease.run_id, LEDGER_ENTRY, EmbeddedPlatform)
        if running is None:
            return ()
        ids = " ".join(str(number) for number in running.process_ids)
        return (f"open http://{running.host}:{running.port}", f"kill {ids}")
