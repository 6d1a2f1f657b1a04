"""Clusters that runs created, whatever they are made of, and the namespaces in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from floe_tests.cleanup.expiry import Expiry
from floe_tests.cleanup.inventory import OURS, Inventory, Place, cluster_place, counted, run_of
from floe_tests.cleanup.namespaces import add_namespace
from floe_tests.cleanup.plan import Leftover
from floe_tests.config.providers import capabilities_of, descriptions
from floe_tests.core import labels
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.ledger import Ledger
from floe_tests.environments.ownership import is_marked
from floe_tests.environments.provider import CreatedClusters, FoundCluster, provider_of
from floe_tests.kube.objects import JsonObject


def clusters_of_all(ledger: Ledger) -> Iterator[tuple[str, CreatedClusters[Any]]]:
    """Return the environments whose runs create clusters, with those clusters.

    Args:
        ledger: Where they are written down.
    """
    for each in descriptions():
        clusters = (
            provider_of(each.name).created_clusters(ledger)
            if each.capabilities.creates_clusters
            else None
        )
        if clusters is not None:
            yield each.name, clusters


def look_at_created_clusters(inventory: Inventory) -> None:
    """Look at the clusters of every environment whose runs create some."""
    for environment, clusters in clusters_of_all(inventory.scope.ledger):
        left = [
            cluster_place(environment, lease.cluster)
            for lease in inventory.leases.values()
            if lease.provider == environment
            and lease.cluster
            and _is_left_in(inventory, environment, lease.cluster)
        ]
        name = ", ".join(left) or f"{environment} clusters"
        why = clusters.why_unseen()
        if why:
            inventory.not_seen(name, why, needed=bool(left))
            continue
        try:
            found = clusters.find(deadline=inventory.deadline)
        except FloeTestsError as error:
            inventory.not_seen(name, str(error), needed=bool(left))
            continue
        inventory.looked_at.append(counted(len(found), f"{environment} cluster"))
        for cluster in found:
            look_at_created_cluster(inventory, environment, clusters, cluster)
        # A cluster that is not there any more holds nothing.
        inventory.clusters[environment] = there = {cluster.name for cluster in found}
        inventory.read |= {
            cluster_place(environment, lease.cluster)
            for lease in inventory.leases.values()
            if lease.provider == environment and lease.cluster and lease.cluster not in there
        }


def look_at_created_cluster(
    inventory: Inventory,
    environment: str,
    clusters: CreatedClusters[Any],
    cluster: FoundCluster,
) -> None:
    """Look at a cluster: whose it is, and the runs' namespaces in it.

    Args:
        inventory: What was found so far.
        environment: Name of the environment.
        clusters: Its clusters.
        cluster: The cluster.
    """
    name = cluster_place(environment, cluster.name)
    inside = _look_into(inventory, environment, clusters, cluster)
    creator, unproved = clusters.creator_of(
        cluster, leases=inventory.leases, marked=inside.marked, problem=inventory.problems.append
    )
    if creator is not None:
        expiry = inventory.expiry(creator, inside.node_labels, place=inside.place)
        if expiry.may_go:
            users = _users_of(inventory, environment, cluster, inside)
            expiry = _expiry_beside(expiry, users, unproved=unproved)
        lease = inventory.leases.get(labels.label_value(creator))
        inventory.add(
            Leftover(
                what="cluster",
                name=cluster.name,
                place=clusters.place,
                run_id=lease.run_id if lease else creator,
                tier=inside.node_labels.get(labels.TIER) or (lease.owner.tier if lease else ""),
                word=expiry.word,
                reason=expiry.reason,
                since=cluster.created_at,
                command=clusters.deletion(cluster.name),
                environment=environment,
            )
        )
        if expiry.may_go:
            inventory.with_something.update(map(run_of, inside.namespaces))
            return
    if inside.place is None:
        needed = _is_left_in(inventory, environment, cluster.name)
        inventory.not_seen(name, inside.unreachable, needed=needed)
        return
    for namespace in inside.namespaces:
        add_namespace(inventory, namespace, place=inside.place)


@dataclass
class _Inside:
    """What is in a cluster; without `place` it does not answer.

    Attributes:
        node_labels: The labels that it was created with, and those of its nodes.
        place: The cluster, as it was reached.
        unreachable: Why it was not reached.
        namespaces: Namespaces that carry a run's labels.
        marked: Runs that nodes name, with their creator's mark.
    """

    node_labels: dict[str, str]
    place: Place | None = None
    unreachable: str = ""
    namespaces: list[JsonObject] = field(default_factory=list[JsonObject])
    marked: set[str] = field(default_factory=set[str])


def _look_into(
    inventory: Inventory,
    environment: str,
    clusters: CreatedClusters[Any],
    cluster: FoundCluster,
) -> _Inside:
    inside = _Inside(dict(cluster.labels or {}))
    try:
        kube = clusters.connect(cluster, deadline=inventory.deadline)
        inside.namespaces = kube.list("Namespace", label_selector=OURS)
        for node in kube.list("Node", label_selector=labels.RUN):
            inside.node_labels.update(node["metadata"]["labels"])
            if is_marked(node):
                inside.marked.add(run_of(node))
    except FloeTestsError as error:
        inside.unreachable = str(error)
        return inside
    name = cluster_place(environment, cluster.name)
    has_own_clock = capabilities_of(environment).has_own_clock
    inside.place = Place(name, kube, has_own_clock=has_own_clock)
    inventory.seen(inside.place)
    return inside


def _expiry_beside(expiry: Expiry, users: tuple[str, ...], *, unproved: str) -> Expiry:
    """Return whether a cluster may be deleted whose creator's run is over."""
    if users:
        return Expiry("live", f"{expiry.reason}, but {'; '.join(users)}")
    if unproved:
        return Expiry("unproved", unproved)
    return Expiry(expiry.word, f"{expiry.reason}; no other run uses it")


def _users_of(
    inventory: Inventory, environment: str, cluster: FoundCluster, inside: _Inside
) -> tuple[str, ...]:
    """Return the runs that need a cluster: by their namespaces, and by their leases."""
    expiries = {
        run_of(namespace): inventory.expiry(
            run_of(namespace), namespace["metadata"]["labels"], place=inside.place
        )
        for namespace in inside.namespaces
    }
    for key, lease in inventory.leases.items():
        # Before it has its namespace, a run's lease alone says that it needs the cluster.
        is_here = lease.provider == environment and lease.cluster == cluster.name
        if is_here and key not in expiries:
            expiries[key] = inventory.expiry(lease.run_id, {})
    return tuple(
        f"run {run_id[:8]} uses it ({expiry.reason})"
        for run_id, expiry in sorted(expiries.items())
        if not expiry.may_go
    )


def _is_left_in(inventory: Inventory, environment: str, cluster: str) -> bool:
    return any(
        lease.provider == environment and lease.cluster == cluster and inventory.is_left(lease)
        for lease in inventory.leases.values()
    )
