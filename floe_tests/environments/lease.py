"""A lease: one run's right to an environment, from the request to its return.

It is written down before anything is created, so that whoever cleans up later, even after the
orchestrator was killed, knows what may be there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from floe_tests.config.environment import EnvironmentName, Keep
from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core import program
from floe_tests.core.errors import FloeTestsError, LeaseError
from floe_tests.core.labels import Owner
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.core.verdict import MOST_RETRIES
from floe_tests.kube.access import ClusterAccess

Log = Callable[[str], None]
LeaseState = Literal["acquiring", "held", "kept", "released"]

ENTRY = "lease"

# Beyond the sum of a tier's deadlines, so that a reaper never races a run that is merely late.
_EXPIRY_SLACK = timedelta(minutes=15)
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Lease:
    """One run's right to an environment.

    Attributes:
        provider: Which kind of environment.
        owner: What is written on all that the run creates.
        namespace: The run's own namespace, or the one that it may use; empty on `local`.
        keep: When the environment stays.
        state: How far it is.
        holder: The process that runs the stages.
        access: How the cluster is reached; None on `local`.
        kind_cluster: Name of the kind cluster.
        cluster_id: The run that created the kind cluster; None when it was there before.
        release_seconds: Deadline of the return, in seconds.
        failed: Whether a stage has failed, for `keep: on_failure`.
        persistent: Whether the namespace was there before the run, and stays after it.
        namespace_uid: Kubernetes' own id of the namespace that the run created; empty before that.
    """

    provider: EnvironmentName
    owner: Owner
    namespace: str
    keep: Keep
    release_seconds: float
    state: LeaseState = "acquiring"
    holder: Holder = field(default_factory=Holder.this_process)
    access: ClusterAccess | None = None
    kind_cluster: str | None = None
    cluster_id: str | None = None
    failed: bool = False
    persistent: bool = False
    namespace_uid: str = ""

    @property
    def run_id(self) -> str:
        """The run that holds it."""
        return self.owner.run_id

    @property
    def stays(self) -> bool:
        """Whether the environment is kept when the run ends now."""
        return self.keep == "always" or (self.keep == "on_failure" and self.failed)


class Environment(Protocol):
    """What each provider does. A contract test runs against all of them."""

    def acquire(self, lease: Lease, settings: TierSettings, workspace: Workspace) -> Lease:
        """Make the environment ready and return the lease with what reaches it.

        Raises:
            ConfigurationError: It cannot be had as it is set; nothing was created.
            InfrastructureError: It did not come up.
        """
        ...

    def is_live(self, lease: Lease) -> bool:
        """Return whether the environment still stands."""
        ...

    def release(self, lease: Lease) -> None:
        """Remove what this run created and nothing else; safe to call twice.

        Raises:
            CleanupError: Something stays; the message says how to remove it.
        """
        ...

    def extend(self, lease: Lease) -> None:
        """Write on what the run has there that it is kept, and the lease's new expiry.

        Raises:
            InfrastructureError: It could not be written.
        """
        ...

    def commands(self, lease: Lease) -> tuple[str, ...]:
        """Return the commands to look into a kept environment, and to remove it."""
        ...


def new_lease(
    settings: TierSettings,
    workspace: Workspace,
    *,
    run_id: str,
    provider: EnvironmentName,
    keep: Keep | None = None,
    now: datetime | None = None,
) -> Lease:
    """Begin a lease for a run; nothing is created yet."""
    seconds = longest_seconds(settings)
    owner = Owner(
        run_id=run_id,
        tier=settings.name,
        ref=workspace.ref,
        commit=workspace.commit,
        expires_at=(now or datetime.now(UTC)) + timedelta(seconds=seconds) + _EXPIRY_SLACK,
    )
    return Lease(
        provider=provider,
        owner=owner,
        namespace=_namespace(settings, provider, run_id),
        keep=keep or settings.keep,
        release_seconds=settings.deadlines.release_seconds,
        persistent=settings.installed is not None,
    )


def longest_seconds(settings: TierSettings) -> float:
    """Return how long a run of a tier can take, with every attempt that a verdict allows."""
    deadlines, installed = settings.deadlines, settings.installed
    attempts = 1 + MOST_RETRIES
    return (
        deadlines.cluster_seconds
        + (installed.wait_seconds + installed.ready_seconds if installed else 0)
        + sum(release.ready_seconds for release in settings.releases)
        + len(settings.suites) * attempts * (deadlines.start_seconds + deadlines.job_seconds)
        + deadlines.release_seconds
    )


def _namespace(settings: TierSettings, provider: EnvironmentName, run_id: str) -> str:
    if provider == "local":
        return ""
    if settings.installed is not None:
        return settings.installed.namespace
    return f"{settings.namespace}-{run_id[:8]}"


def environment_of(
    provider: EnvironmentName, *, ledger: Ledger, log: Log, persistent: bool = False
) -> Environment:
    """Return the provider of a name.

    Args:
        provider: The name.
        ledger: Where leases are written down.
        log: Receives one line a step.
        persistent: Whether the namespace is there before a run, and stays after it.
    """
    from floe_tests.environments.installed import InstalledEnvironment
    from floe_tests.environments.providers.context.provider import ContextEnvironment
    from floe_tests.environments.providers.kind.provider import KindEnvironment
    from floe_tests.environments.providers.local.provider import LocalEnvironment

    if provider == "kind":
        return KindEnvironment(ledger=ledger, log=log)
    if persistent:
        return InstalledEnvironment(ledger=ledger, log=log)
    if provider == "context":
        return ContextEnvironment(ledger=ledger, log=log)
    return LocalEnvironment(ledger=ledger, log=log)


def live_lease(ledger: Ledger, run_id: str, *, parent_run_id: str | None, log: Log) -> Lease:
    """Return the lease that a later stage may work on.

    Args:
        ledger: Where leases are written down.
        run_id: This run.
        parent_run_id: The run that this one re-executes, if it does.
        log: Receives what is going on.

    Raises:
        LeaseError: There is none, or its environment is gone.
    """
    lease = ledger.read(run_id, ENTRY, Lease)
    if lease is None:
        parent = ledger.read(parent_run_id, ENTRY, Lease) if parent_run_id else None
        which = (
            f"run {parent_run_id} gave its environment back"
            if parent
            else "this run has no environment"
        )
        message = (
            f"{which}: the cluster stage did not run here. Re-execution from failure cannot bring "
            "a cluster back; launch the whole job again, with `keep: on_failure` if the "
            "environment is to stay."
        )
        raise LeaseError(message)
    environment = _environment_of(lease, ledger=ledger, log=log)
    if lease.state != "held" or not environment.is_live(lease):
        message = (
            f"the environment of run {run_id} is {lease.state} and not live any more. Launch the "
            "whole job again."
        )
        raise LeaseError(message)
    return lease


def give_back(ledger: Ledger, run_id: str, *, log: Log) -> Lease | None:
    """Return a run's environment, or keep it where its lease says so. Safe to call twice.

    Args:
        ledger: Where leases are written down.
        run_id: The run.
        log: Receives one line a step.

    Returns:
        The lease as it is now; None when the run never had one.

    Raises:
        CleanupError: Something stays; the lease is still held, so that a reaper finds it.
    """
    lease = ledger.read(run_id, ENTRY, Lease)
    if lease is None or lease.state in {"released", "kept"}:
        return lease
    environment = _environment_of(lease, ledger=ledger, log=log)
    if lease.stays and lease.state == "held":
        kept = replace(
            lease,
            state="kept",
            owner=replace(lease.owner, expires_at=datetime.now(UTC) + KEPT_FOR),
        )
        ledger.write(run_id, ENTRY, kept)
        _extend(environment, kept, log=log)
        log(f"kept as `keep: {lease.keep}` says. To look into it, and to remove it:")
        for command in environment.commands(kept):
            log(f"  {command}")
        return kept
    with program.started_for(run_id):
        environment.release(lease)
    released = replace(lease, state="released")
    ledger.write(run_id, ENTRY, released)
    return released


def _environment_of(lease: Lease, *, ledger: Ledger, log: Log) -> Environment:
    return environment_of(lease.provider, ledger=ledger, log=log, persistent=lease.persistent)


def _extend(environment: Environment, kept: Lease, *, log: Log) -> None:
    try:
        environment.extend(kept)
    except FloeTestsError as error:
        # The run is over and its environment stands: no reason to make it red.
        log(
            f"kept, but not so labelled: {error} A reaper that does not know this ledger may "
            "remove it when the run's own time is over."
        )
