"""What runs have beside installed platforms: objects of theirs, and the claim to the cluster."""

from __future__ import annotations

from datetime import UTC, datetime

from floe_tests.cleanup.inventory import Inventory, Place, namespace_place
from floe_tests.cleanup.plan import Leftover
from floe_tests.core import labels
from floe_tests.core.errors import FloeTestsError
from floe_tests.environments.cluster_holder import LEASE, held_by
from floe_tests.environments.owned_objects import OwnedObjects, command_for, owned_objects_in
from floe_tests.kube.client import Kube

# A claim that has expired by the clock is still a dead run's, and is taken off the books with it.
_ANY_TIME = datetime.min.replace(tzinfo=UTC)


def look_beside_platforms(inventory: Inventory) -> None:
    """Look at what runs have in namespaces that were there before them, and stay."""
    needed = dict.fromkeys(inventory.scope.platforms, False)
    for lease in inventory.leases.values():
        if lease.installed and lease.access is not None:
            key = lease.access, lease.namespace
            needed[key] = needed.get(key, False) or inventory.is_left(lease)
    for (access, namespace), is_needed in needed.items():
        name = namespace_place(access, namespace)
        try:
            place = Place(name, Kube(access))
            found = owned_objects_in(place.kube, namespace)
            holder = held_by(place.kube, namespace, now=_ANY_TIME)
            place.kube.now()  # as all below needs it
        except FloeTestsError as error:
            inventory.not_seen(name, str(error), needed=is_needed)
            continue
        inventory.seen(place)
        for item in found:
            if item.objects:
                _add_owned(inventory, item, namespace=namespace, place=place)
            _add_unproved(inventory, item, namespace=namespace, place=place)
        named = {item.run_id for item in found if item.objects}
        if holder is not None and holder.run_id and holder.run_id not in named:
            claim = OwnedObjects(holder.run_id, ())
            _add_owned(inventory, claim, namespace=namespace, place=place, tier=holder.tier)


def _add_owned(
    inventory: Inventory, owned: OwnedObjects, *, namespace: str, place: Place, tier: str = ""
) -> None:
    """Add what a run has in a namespace that is not its own; without objects, its claim."""
    run_id, found = owned.run_id, owned.labels
    lease = inventory.leases.get(run_id)
    expiry = inventory.expiry(run_id, found, place=place)
    uid = owned.uid or f"{namespace}/{run_id}"
    if inventory.is_known(uid):
        return
    if not owned.objects and not expiry.may_go:
        return  # a claim alone is nothing that a person would look for
    inventory.add(
        Leftover(
            what="owned objects",
            name=owned.names or f"lease/{LEASE}",
            place=place.name,
            run_id=lease.run_id if lease else run_id,
            tier=str(found.get(labels.TIER, tier)),
            word=expiry.word,
            reason=expiry.reason,
            since=owned.since,
            command=command_for(place.kube, namespace, run_id, "delete"),
            uid=uid,
            namespace=namespace,
        )
    )


def _add_unproved(
    inventory: Inventory, owned: OwnedObjects, *, namespace: str, place: Place
) -> None:
    """Add what carries a run's labels beside a platform, and may be anybody's."""
    for each in owned.unproved:
        metadata = each.item["metadata"]
        uid = str(metadata["uid"])
        expiry = inventory.expiry(owned.run_id, metadata["labels"], place=place)
        if not expiry.may_go or inventory.is_known(uid):
            continue
        inventory.add(
            Leftover(
                what="owned objects",
                name=each.name,
                place=place.name,
                run_id=owned.run_id,
                tier=str(metadata["labels"].get(labels.TIER, "")),
                word="unproved",
                reason=each.reason,
                since=datetime.fromisoformat(str(metadata["creationTimestamp"])),
                command=place.kube.access.kubectl(f"delete {each.name} --namespace {namespace}"),
                uid=uid,
                namespace=namespace,
            )
        )
