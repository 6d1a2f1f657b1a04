"""An existing cluster, in which each run creates a namespace of its own.

The environment of every provider whose clusters are there before a run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels, program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import InfrastructureError
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.environments.environment import Environment
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.namespace import NamespaceRules, create_namespace, delete_namespace
from floe_tests.environments.provider import Provider
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

# An answer's time has whole seconds, and took a moment to come.
_SAME_TIME = timedelta(seconds=5)


@dataclass(frozen=True)
class ExistingClusterEnvironment(Environment):
    """A namespace of an existing cluster, for one run.

    Attributes:
        provider: Says how the cluster is reached.
        ledger: Where leases are written down.
        log: Receives one line a step.
    """

    provider: Provider
    ledger: Ledger
    log: Log

    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        """Create the run's namespace in the provider's cluster."""
        if settings.releases:
            program.require("helm")
        # By name: the current context may be another one when the namespace is to be deleted.
        access = self.provider.access(settings).pinned()
        kube = Kube(access)
        self.log(f"cluster answers: Kubernetes {kube.server_version()}")
        lease = on_clock_of(kube, replace(lease, access=access))
        # Before the namespace is there: whoever cleans up after a SIGKILL must know where to look.
        self.ledger.write(lease.run_id, ENTRY, lease)
        uid = create_namespace(
            kube,
            lease.namespace,
            owner=lease.owner,
            rules=NamespaceRules.of(settings),
            deadline=Deadline(settings.deadlines.cluster_seconds),
            role=workspace.namespace_role,
        )
        self.log(f"namespace {lease.namespace} created, quota {settings.budget.memory}")
        return replace(lease, state="held", namespace_uid=uid)

    def is_live(self, lease: Lease) -> bool:
        """Return whether the run's namespace is there and not being deleted."""
        return namespace_is_live(lease)

    def release(self, lease: Lease) -> None:
        """Delete the run's namespace and wait until it is gone."""
        if lease.access is None:
            return  # the namespace comes after it
        deadline = Deadline(lease.release_seconds)
        delete_namespace(
            Kube(lease.access),
            lease.namespace,
            run_id=lease.run_id,
            uid=lease.namespace_uid,
            deadline=deadline,
        )
        self.log(f"namespace {lease.namespace} gone after {deadline.elapsed_seconds:.0f} s")

    def extend(self, lease: Lease) -> None:
        """Write the new expiry on the run's namespace."""
        extend_namespace(lease)

    def commands(self, lease: Lease) -> tuple[str, ...]:
        """Return the commands to look into the namespace and to delete it."""
        access = lease.access or ClusterAccess()
        return (
            access.kubectl("get pods --namespace", lease.namespace),
            access.kubectl("delete namespace", lease.namespace),
        )


def on_clock_of(kube: Kube, lease: Lease) -> Lease:
    """Return a lease whose expiry is told by a cluster's clock, which reapers elsewhere go by."""
    difference = kube.now() - datetime.now(UTC)
    if abs(difference) < _SAME_TIME:
        return lease
    owner = replace(lease.owner, expires_at=lease.owner.expires_at + difference)
    return replace(lease, owner=owner)


def extend_namespace(lease: Lease) -> None:
    """Write on a lease's namespace that it is kept, and until when."""
    if lease.access is not None:
        kube = Kube(lease.access)
        expires_at = on_clock_of(kube, lease).owner.expires_at
        kube.patch(
            "Namespace",
            lease.namespace,
            {"metadata": {"labels": labels.kept_labels(expires_at)}},
        )


def namespace_is_live(lease: Lease) -> bool:
    """Return whether a lease's namespace is there and not being deleted."""
    if lease.access is None:
        return False
    try:
        found = Kube(lease.access).get("Namespace", lease.namespace)
    except InfrastructureError:
        return False
    return found is not None and "deletionTimestamp" not in found["metadata"]
