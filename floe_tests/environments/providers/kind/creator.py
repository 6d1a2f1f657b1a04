"""Which run created a kind cluster, and what proves it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from floe_tests.core import labels
from floe_tests.environments.lease import Lease
from floe_tests.environments.providers.kind.nodes import KindCluster
from floe_tests.environments.providers.kind.notes import CreatedCluster

# A cluster whose configuration is not written yet was begun at most this long before.
_CREATING = timedelta(minutes=10)
_WHOLE_SECONDS = timedelta(seconds=1)  # as Docker tells times


def creator_of(
    cluster: KindCluster,
    *,
    note: CreatedCluster | None,
    leases: Mapping[str, Lease],
    marked: Collection[str],
) -> tuple[str | None, str]:
    """Return the run that created a kind cluster, and why that is not proved.

    Args:
        cluster: The cluster.
        note: What the ledger has of a cluster of that name.
        leases: The ledger's leases, by the label of their run.
        marked: Runs that its nodes name, with their creator's mark.

    Returns:
        The run, None when it is somebody else's; and the reason, empty where it is proved.
    """
    named = None if cluster.labels is None else cluster.labels.get(labels.RUN, "")
    if named == "":
        return None, ""
    if note is not None and note.is_of(cluster.node_id):
        # Before its configuration is written, the note says whose it is.
        if named is None and (note.node_id or _is_in_time(note, cluster)):
            return note.cluster_id, ""
        if named == labels.label_value(note.cluster_id):
            return note.cluster_id, ""
    if named is None:
        return None, ""
    if named in marked or (note is None and _is_creating(leases.get(named), cluster)):
        return named, ""
    return named, (
        "its configuration names a run, and neither this ledger nor a mark on its nodes says that "
        "the run created it"
    )


def _is_in_time(note: CreatedCluster, cluster: KindCluster) -> bool:
    """Return whether a cluster came soon enough after a note to be the one it was written for."""
    first, last = note.created_at - _WHOLE_SECONDS, note.created_at + _CREATING
    return first <= cluster.created_at <= last


def _is_creating(lease: Lease | None, cluster: KindCluster) -> bool:
    """Return whether a run said in its lease that it creates the cluster, which comes first."""
    return (
        lease is not None
        and lease.cluster == cluster.name
        and lease.cluster_id == lease.run_id
        and lease.state != "released"
    )
