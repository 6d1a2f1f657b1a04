"""The namespace of a platform that is there already: lent to one run at a time, never a run's own.

Nothing is created for a run but a claim to the cluster, and nothing is removed after it but what it
is proved to have created. The namespace's quota is its owner's. A run's memory is bounded by the
limits of its own pods, which are therefore required.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from floe_tests.config.environment import InstalledSettings
from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError, FloeTestsError, InfrastructureError
from floe_tests.core.ledger import Ledger
from floe_tests.core.log import Log
from floe_tests.environments.cluster_holder import LEASE
from floe_tests.environments.cluster_lock import ClusterLock
from floe_tests.environments.environment import Environment
from floe_tests.environments.existing_cluster import on_clock_of
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.lock_renewal import Renewal
from floe_tests.environments.owned_objects import command_for, remove_owned_objects
from floe_tests.environments.provider import Provider
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube, RefusedError

_API_SECONDS = 60.0

# By run: a claim is renewed by whichever process runs the stages, also after a resume.
_renewals: dict[str, Renewal] = {}


@dataclass(frozen=True)
class InstalledEnvironment(Environment):
    """A namespace of an existing cluster that runs share, one after the other.

    Attributes:
        provider: Says how the cluster is reached.
        ledger: Where leases are written down.
        log: Receives one line a step.
    """

    provider: Provider
    ledger: Ledger
    log: Log

    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        """Claim the cluster; wait while another run has it."""
        from floe_tests.config.memory import check_memory

        installed = settings.installed
        if installed is None:
            message = f"tier {settings.name} has no `installed` platform."
            raise ConfigurationError(message)
        check_memory(settings, workspace.root)
        access = self.provider.access(settings).pinned()
        kube = Kube(access, patience_seconds=_API_SECONDS)
        self.log(f"cluster answers: Kubernetes {kube.server_version()}")
        _require_namespace(kube, installed)
        lease = on_clock_of(kube, replace(lease, access=access))
        # Before the claim is there: whoever cleans up after a SIGKILL must know where to look.
        self.ledger.write(lease.run_id, ENTRY, lease)
        claim = ClusterLock(kube, lease.namespace, lease.owner)
        claim.take(deadline=Deadline(installed.wait_seconds), log=self.log)
        keep_renewing(lease)
        return replace(lease, state="held")

    def is_live(self, lease: Lease) -> bool:
        """Return whether the cluster is still this run's."""
        return not why_lost(lease)

    def release(self, lease: Lease) -> None:
        """Remove this run's Jobs, pods and ConfigMaps, then give the cluster back."""
        if lease.access is None:
            return  # the claim comes after it
        try:
            kube = Kube(lease.access, patience_seconds=_API_SECONDS)
            stays = remove_owned_objects(
                kube,
                lease.namespace,
                run_id=lease.run_id,
                deadline=Deadline(lease.release_seconds),
            )
            self.log(f"nothing of this run is left in namespace {lease.namespace}")
            for each in stays:
                self.log(f"{each.name} in {lease.namespace} is left alone: {each.reason}")
        finally:
            self._give_up_claim(lease)

    def extend(self, lease: Lease) -> None:
        """Write on the run's Jobs that they are kept, and give the cluster back: others may run."""
        if lease.access is None:
            return
        kube = Kube(lease.access, patience_seconds=_API_SECONDS)
        try:
            expires_at = on_clock_of(kube, lease).owner.expires_at
            for job in kube.list(
                "Job",
                namespace=lease.namespace,
                label_selector=f"{labels.RUN}={labels.label_value(lease.run_id)}",
            ):
                kube.patch(
                    "Job",
                    str(job["metadata"]["name"]),
                    {"metadata": {"labels": labels.kept_labels(expires_at)}},
                    namespace=lease.namespace,
                )
        finally:
            self._give_up_claim(lease)

    def commands(self, lease: Lease) -> tuple[str, ...]:
        """Return the commands to look at what is kept, and to delete it."""
        kube = Kube(lease.access or ClusterAccess())
        return tuple(
            command_for(kube, lease.namespace, lease.run_id, verb) for verb in ("get", "delete")
        )

    def why_lost(self, lease: Lease) -> str:
        """Say why the cluster is another run's by now; empty while it is this one's."""
        return why_lost(lease)

    def leave(self, lease: Lease) -> None:
        """Leave the claim to the process that resumes the run: it stays valid for some minutes."""
        stop_renewing(lease.run_id)

    def _give_up_claim(self, lease: Lease) -> None:
        renewal = _renewals.pop(lease.run_id, None)
        if renewal is not None:
            renewal.stop()
        try:
            _claim(lease).release()
        except FloeTestsError as error:
            # It expires by itself, and nothing of the run is left behind it.
            self.log(f"the cluster could not be given back, it is free in minutes: {error}")


def why_lost(lease: Lease) -> str:
    """Say why a cluster is no longer a run's; empty while it is."""
    renewal = _renewals.get(lease.run_id)
    if renewal is not None and renewal.lost:
        return renewal.lost
    try:
        held = _claim(lease).is_held()
    except InfrastructureError as error:
        # An API that is away for a moment takes no claim from anybody.
        return "" if renewal is not None else str(error)
    return (
        "" if held else f"another run has taken the cluster over: lease/{LEASE} is not this one's"
    )


def keep_renewing(lease: Lease) -> None:
    """Renew a run's claim from this process on; once."""
    if lease.run_id not in _renewals:
        _renewals[lease.run_id] = Renewal(_claim(lease))


def stop_renewing(run_id: str) -> None:
    """Leave a run's claim to the process that resumes the run: it stays valid for some minutes."""
    renewal = _renewals.pop(run_id, None)
    if renewal is not None:
        renewal.stop()


def _claim(lease: Lease) -> ClusterLock:
    return ClusterLock(Kube(lease.access or ClusterAccess()), lease.namespace, lease.owner)


def _require_namespace(kube: Kube, installed: InstalledSettings) -> None:
    name = installed.namespace
    try:
        found = kube.get("Namespace", name)
    except RefusedError as error:
        if error.is_forbidden:  # the right to see it is no condition: the claim will tell
            return
        raise
    if found is None or "deletionTimestamp" in found["metadata"]:
        state = "is not there" if found is None else "is being deleted"
        message = (
            f"namespace {name} of the installed platform {state}. Install release "
            f"{installed.release} there first, or set installed.namespace; "
            f"`{kube.access.kubectl('get namespaces')}` lists what there is."
        )
        raise ConfigurationError(message)
