"""How an environment is provided: derive from `Provider` in one folder, and register the class.

A folder of `providers/` is registered in `config/providers.py`, a package of its own by an entry
point of the group `floe_tests.environments`. The class is loaded with the settings of every tier:
import what is heavy inside its methods.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from floe_tests.config.providers import ProviderDescription, description_of
from floe_tests.core.errors import ConfigurationError, FloeTestsError, first_line

if TYPE_CHECKING:
    from floe_tests.config.project import Workspace
    from floe_tests.config.tier import TierSettings
    from floe_tests.core.deadline import Deadline
    from floe_tests.core.ledger import Ledger
    from floe_tests.core.log import Log
    from floe_tests.environments.environment import Environment
    from floe_tests.environments.lease import Lease
    from floe_tests.kube.client import Kube


@dataclass(frozen=True)
class Sighting:
    """What can be seen of a tier's cluster while no run has it.

    Attributes:
        kube: A connection to it, which may not answer; None when there is none.
        version: The version of Kubernetes that it will have, where there is none yet.
        state: Whether a run can do without a connection.
        found: What was found; with a connection, what to say before the error of one that does not
            answer.
        remedy: What to do then, with the command to paste.
    """

    kube: Kube | None = None
    version: str | None = None
    state: Literal["ok", "failed", "unknown"] = "ok"
    found: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class FoundCluster:
    """A cluster on this machine that may be a run's.

    Attributes:
        name: Its name.
        created_at: When its first part was created (UTC).
        labels: The labels of this project that it was created with, empty for somebody else's;
            None when they cannot be read yet.
    """

    name: str
    created_at: datetime
    labels: Mapping[str, str] | None = None


Cluster = TypeVar("Cluster", bound=FoundCluster)


class CreatedClusters(Protocol[Cluster]):
    """The clusters that an environment's runs create, as a reaper goes about them.

    Attributes:
        place: Where they are, in words.
    """

    place: str

    def why_unseen(self) -> str:
        """Say why they cannot be looked for on this machine; empty when they can."""
        ...

    def find(self, *, deadline: Deadline) -> tuple[Cluster, ...]:
        """Find the clusters of this machine, also stopped and half-made ones.

        Raises:
            InfrastructureError: They cannot be listed.
        """
        ...

    def connect(self, cluster: Cluster, *, deadline: Deadline) -> Kube:
        """Connect to one of them, whoever created it.

        Raises:
            InfrastructureError: It has no API yet.
        """
        ...

    def creator_of(
        self,
        cluster: Cluster,
        *,
        leases: Mapping[str, Lease],
        marked: Collection[str],
        problem: Callable[[str], None],
    ) -> tuple[str | None, str]:
        """Return the run that created a cluster, and why that is not proved.

        Args:
            cluster: The cluster.
            leases: The ledger's leases, by the label of their run.
            marked: Runs that its nodes name, with their creator's mark.
            problem: Receives what could not be read.

        Returns:
            The run, None when it is somebody else's; and the reason, empty where it is proved.
        """
        ...

    def locked(self, name: str, *, timeout_seconds: float) -> AbstractContextManager[None]:
        """Hold the lock under which runs begin to use a cluster."""
        ...

    def delete(self, name: str, *, deadline: Deadline, log: Log) -> None:
        """Delete a cluster. The caller holds its lock.

        Raises:
            CleanupError: It stays.
        """
        ...

    def deletion(self, name: str) -> str:
        """Return the command that deletes a cluster by hand."""
        ...

    def forget_absent(self, there: Collection[str], *, begun: Collection[str]) -> None:
        """Forget clusters that are gone, but not those of runs that had only begun.

        Args:
            there: Names of the clusters that are there.
            begun: Runs that may still be creating one.
        """
        ...


class Provider(ProviderDescription):
    """A kind of environment: what it can do, and the environment for a run."""

    @abstractmethod
    def environment(self, *, ledger: Ledger, log: Log) -> Environment:
        """Return the environment for runs.

        Args:
            ledger: Where leases are written down.
            log: Receives one line a step.
        """

    def kube_version(self, tier: TierSettings) -> str | None:
        """Return the version of Kubernetes that charts will meet; None leaves it to helm.

        Raises:
            InfrastructureError: The cluster does not say.
        """
        del tier
        return None

    def look(self, tier: TierSettings) -> Sighting:
        """Look for a tier's cluster, for doctor; create nothing, and raise nothing."""
        from floe_tests.kube.client import Kube

        try:
            access = self.access(tier)
            remedy = f"{access.kubectl('cluster-info')}; kubectl config get-contexts"
        except ConfigurationError as error:
            return Sighting(state="ok", found=first_line(error))
        try:
            return Sighting(Kube(access), remedy=remedy)
        except FloeTestsError as error:
            return Sighting(state="failed", found=first_line(error), remedy=remedy)

    def docker_images(
        self, tier: TierSettings, workspace: Workspace, *, is_there: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the images that a run takes from the local Docker where that has them.

        Args:
            tier: The tier.
            workspace: The project, with the registry prefix.
            is_there: Whether the cluster is there already.

        Returns:
            Images that the environment itself needs, and images of the tier that are copied.
        """
        del tier, workspace, is_there
        return (), ()

    def created_clusters(self, ledger: Ledger) -> CreatedClusters[Any] | None:
        """Return the clusters that runs create; None where they create none.

        Args:
            ledger: Where they are written down.
        """
        del ledger
        return None


def provider_of(name: str) -> Provider:
    """Return the provider of an environment.

    Raises:
        ConfigurationError: There is none of that name, or it cannot be loaded.
    """
    found = description_of(name)
    if not isinstance(found, Provider):
        message = (
            f"environment {name} is not derived from floe_tests.environments.provider.Provider."
        )
        raise ConfigurationError(message)
    return found
