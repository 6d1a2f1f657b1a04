"""What every environment does for a run."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.environments.lease import Lease


class Environment(Protocol):
    """What a provider gives to a run. A contract test runs against all of them.

    Derive from it: the methods that are not abstract are of use to few environments.
    """

    @abstractmethod
    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        """Make the environment ready and return the lease with what reaches it.

        A process that resumes the run may call it again with the lease of the process before.

        Raises:
            ConfigurationError: It cannot be had as it is set; nothing was created.
            InfrastructureError: It did not come up.
        """
        ...

    @abstractmethod
    def is_live(self, lease: Lease) -> bool:
        """Return whether the environment is still there, and this run's."""
        ...

    @abstractmethod
    def release(self, lease: Lease) -> None:
        """Remove what this run created and nothing else; safe to call twice.

        Raises:
            CleanupError: Something stays; the message says how to remove it.
        """
        ...

    @abstractmethod
    def extend(self, lease: Lease) -> None:
        """Write on what the run has there that it is kept, and the lease's new expiry.

        Raises:
            InfrastructureError: It could not be written.
        """
        ...

    @abstractmethod
    def commands(self, lease: Lease) -> tuple[str, ...]:
        """Return the commands to look into a kept environment, and to remove it."""
        ...

    def why_lost(self, lease: Lease) -> str:
        """Say why the environment is another run's by now; empty where it cannot be."""
        del lease
        return ""

    def leave(self, lease: Lease) -> None:
        """Let go of what this process does for the environment: another resumes the run."""
        del lease
