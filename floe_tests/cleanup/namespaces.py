"""Namespaces that runs created in clusters which were there before them."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from floe_tests.cleanup.inventory import OURS, Inventory, Place, run_of
from floe_tests.cleanup.plan import Leftover
from floe_tests.config.providers import capabilities_of
from floe_tests.core import labels
from floe_tests.core.errors import FloeTestsError
from floe_tests.environments.lease import Lease
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject


def is_of_existing_cluster(lease: Lease) -> bool:
    """Return whether a run's namespace is in a cluster that was there before it."""
    capabilities = capabilities_of(lease.provider)
    return capabilities.is_cluster and not capabilities.creates_clusters


def look_at_clusters(inventory: Inventory) -> None:
    """Look into the clusters that are named, and into those that leases name."""
    scope = inventory.scope
    needed = dict.fromkeys(scope.clusters, True)
    beside = {access for access, _ in scope.platforms}
    on_this_machine = set[object]()
    for lease in inventory.leases.values():
        if is_of_existing_cluster(lease) and lease.access is not None and not lease.installed:
            needed[lease.access] = needed.get(lease.access, False) or inventory.is_left(lease)
            beside.discard(lease.access)
            if not capabilities_of(lease.provider).has_own_clock:
                on_this_machine.add(lease.access)
    for access, is_needed in needed.items():
        name = f"cluster of {access.shown}"
        try:
            place = Place(name, Kube(access), has_own_clock=access not in on_this_machine)
            namespaces = place.kube.list("Namespace", label_selector=OURS)
            place.kube.now()  # as all below needs it
        except FloeTestsError as error:
            # An account may have its rights beside an installed platform alone.
            forbidden = isinstance(error, RefusedError) and error.status == HTTPStatus.FORBIDDEN
            needs_it = is_needed and not (forbidden and access in beside)
            inventory.not_seen(name, str(error), needed=needs_it)
            continue
        inventory.seen(place, access)
        for namespace in namespaces:
            add_namespace(inventory, namespace, place=place)


def add_namespace(inventory: Inventory, namespace: JsonObject, *, place: Place) -> None:
    """Add a namespace that carries a run's labels.

    Args:
        inventory: What was found so far.
        namespace: The namespace.
        place: The cluster that it is in.
    """
    metadata = namespace["metadata"]
    name, uid = str(metadata["name"]), str(metadata["uid"])
    if inventory.is_known(uid):
        return
    run_id = run_of(namespace)
    lease = inventory.leases.get(run_id)
    expiry = inventory.namespace_expiry(namespace, place=place)
    command = f"delete namespace {name}"
    if inventory.why_protected(name):
        # What it holds is somebody else's: the labels are what is wrong with it.
        command = f"label namespace {name} {labels.RUN}- {labels.MANAGED_BY}-"
    inventory.add(
        Leftover(
            what="namespace",
            name=name,
            place=place.name,
            run_id=lease.run_id if lease else run_id,
            tier=str(metadata["labels"].get(labels.TIER, "")),
            word=expiry.word,
            reason=expiry.reason,
            since=datetime.fromisoformat(metadata["creationTimestamp"]),
            command=place.kube.access.kubectl(command),
            uid=uid,
        )
    )
