"""An existing cluster: a kubeconfig context, or the account of the pod this runs in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from floe_tests import program
from floe_tests.clusters.lease import Lease, Log
from floe_tests.clusters.namespace import create_namespace, delete_namespace
from floe_tests.deadline import Deadline
from floe_tests.errors import InfrastructureError
from floe_tests.kube import ClusterAccess, Kube
from floe_tests.settings import TierSettings
from floe_tests.workspace import Workspace


@dataclass(frozen=True)
class ContextEnvironment:
    """A namespace of an existing cluster, for one run.

    Attributes:
        log: Receives one line a step.
    """

    log: Log

    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        """Create the run's namespace in the cluster that the settings or KUBECONFIG name."""
        del workspace
        if settings.releases:
            program.require("helm")
        access = ClusterAccess(settings.context.kubeconfig, settings.context.context)
        kube = Kube(access)
        self.log(f"cluster answers: Kubernetes {kube.server_version()}")
        create_namespace(
            kube,
            lease.namespace,
            owner=lease.owner,
            memory=settings.budget.memory,
            deadline=Deadline(settings.deadlines.cluster_seconds),
        )
        self.log(f"namespace {lease.namespace} created, quota {settings.budget.memory}")
        return replace(lease, access=access, state="held")

    def is_live(self, lease: Lease) -> bool:
        """Tell whether the run's namespace is there and not being deleted."""
        return namespace_is_live(lease)

    def release(self, lease: Lease) -> None:
        """Delete the run's namespace and wait until it is gone."""
        if lease.access is None:
            # The namespace is created by the last call of acquire(): without access there is none.
            return
        started = datetime.now(UTC)
        delete_namespace(
            Kube(lease.access), lease.namespace, deadline=Deadline(lease.release_seconds)
        )
        self.log(
            f"namespace {lease.namespace} gone after {(datetime.now(UTC) - started).seconds} s"
        )

    def commands(self, lease: Lease) -> tuple[str, ...]:
        """Give the commands to look into the namespace and to delete it."""
        access = lease.access or ClusterAccess()
        return (
            access.kubectl("get pods --namespace", lease.namespace),
            access.kubectl("delete namespace", lease.namespace),
        )


def namespace_is_live(lease: Lease) -> bool:
    """Tell whether a lease's namespace is there and not being deleted."""
    if lease.access is None:
        return False
    try:
        found = Kube(lease.access).get("Namespace", lease.namespace)
    except InfrastructureError:
        return False
    return found is not None and "deletionTimestamp" not in found["metadata"]
