"""A lease: one run's right to an environment, from the request to its return.

It is written down before anything is created, so that whoever cleans up later, even after the
orchestrator was killed, knows what may be there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from floe_tests.config.environment import Keep
from floe_tests.config.project import Workspace
from floe_tests.config.providers import EnvironmentName, capabilities_of
from floe_tests.config.tier import TierSettings
from floe_tests.core.labels import Owner
from floe_tests.core.process_identity import Holder
from floe_tests.core.verdict import MOST_RETRIES
from floe_tests.kube.access import ClusterAccess

LeaseState = Literal["acquiring", "held", "kept", "released"]

ENTRY = "lease"

# Beyond the sum of a tier's deadlines, so that a reaper never races a run that is merely late.
_EXPIRY_SLACK = timedelta(minutes=15)
KEPT_FOR = timedelta(hours=24)


def _once_called(name: str, older: str) -> Any:
    """Read a field also from a lease that an older version wrote, under the name it had there."""
    return Field(validation_alias=AliasChoices(name, older))


@dataclass(frozen=True)
class Lease:
    """One run's right to an environment.

    Attributes:
        provider: Name of the environment.
        owner: What is written on all that the run creates.
        namespace: The run's own namespace, or the one that it may use; empty without a cluster.
        keep: When the environment stays.
        state: How far it is.
        holder: The process that runs the stages.
        access: How the cluster is reached; None without one.
        cluster: Name of the cluster, where the environment's runs create them.
        cluster_id: The run that created that cluster; None when it was there before.
        release_seconds: Deadline of the return, in seconds.
        failed: Whether a stage has failed, for `keep: on_failure`.
        installed: Whether it is of an installed platform: the namespace was there before the run,
            and stays after it.
        namespace_uid: Kubernetes' own id of the namespace that the run created; empty before that.
    """

    provider: str
    owner: Owner
    namespace: str
    keep: Keep
    release_seconds: float
    state: LeaseState = "acquiring"
    holder: Holder = field(default_factory=Holder.this_process)
    access: ClusterAccess | None = None
    cluster: Annotated[str | None, _once_called("cluster", "kind_cluster")] = None
    cluster_id: str | None = None
    failed: bool = False
    installed: Annotated[bool, _once_called("installed", "persistent")] = False
    namespace_uid: str = ""

    @property
    def run_id(self) -> str:
        """The run that holds it."""
        return self.owner.run_id

    @property
    def stays(self) -> bool:
        """Whether the environment is kept when the run ends now."""
        return self.keep == "always" or (self.keep == "on_failure" and self.failed)


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
        installed=settings.installed is not None,
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
    if not capabilities_of(provider).is_cluster:
        return ""
    if settings.installed is not None:
        return settings.installed.namespace
    return f"{settings.namespace}-{run_id[:8]}"
