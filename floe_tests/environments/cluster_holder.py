"""Who holds a cluster: read from its Lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from floe_tests.core import labels
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part

LEASE = "floe-tests"


@dataclass(frozen=True)
class ClusterHolder:
    """Who holds a cluster.

    Attributes:
        identity: The run, its tier and its machine in one word, as kubectl shows it.
        run_id: The run, as its label has it; empty when somebody else than this project holds it.
        tier: Its tier.
        renewed_at: When it last said that it lives (UTC); None when it never did.
        duration_seconds: For how long that counts.
    """

    identity: str
    run_id: str
    tier: str
    renewed_at: datetime | None
    duration_seconds: float

    @property
    def expires_at(self) -> datetime | None:
        """When the cluster is free unless it is renewed (UTC)."""
        if self.renewed_at is None:
            return None
        return self.renewed_at + timedelta(seconds=self.duration_seconds)

    def has_expired(self, now: datetime) -> bool:
        """Return whether its time is over by a clock."""
        return self.expires_at is None or self.expires_at < now

    def __str__(self) -> str:
        """Name it as messages do."""
        until = f", until {self.expires_at:%H:%M:%S} UTC unless renewed" if self.expires_at else ""
        return f"{self.identity}{until}"


def holder_of(lease: JsonObject | None) -> ClusterHolder | None:
    """Return who holds a Lease; None when nobody does."""
    spec = part(lease or {}, "spec")
    identity = str(spec.get("holderIdentity") or "")
    if lease is None or not identity:
        return None
    found = part(lease, "metadata", "labels")
    renewed = spec.get("renewTime")
    return ClusterHolder(
        identity=identity,
        run_id=str(found.get(labels.RUN, "")),
        tier=str(found.get(labels.TIER, "")),
        renewed_at=datetime.fromisoformat(str(renewed)) if renewed else None,
        duration_seconds=float(spec.get("leaseDurationSeconds") or 0),
    )


def held_by(kube: Kube, namespace: str, *, now: datetime | None = None) -> ClusterHolder | None:
    """Return who holds the cluster now; None when nobody does, or its time is over.

    Args:
        kube: The cluster.
        namespace: The platform's namespace.
        now: The time (UTC); None for the API server's.

    Raises:
        InfrastructureError: It cannot be read.
    """
    holder = holder_of(kube.get("Lease", LEASE, namespace=namespace))
    if holder is None or holder.has_expired(now or kube.now()):
        return None
    return holder
