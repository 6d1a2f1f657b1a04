"""Removes what killed and expired runs have left: nothing else, and nothing half.

What may go is decided in expiry.py and ownership.py, and found by look.py. Here each thing is
looked at once more just before it goes, and goes by its UID: another that was made under its name
meanwhile stays. Everything is looked at again afterwards: what is still there then is an error,
whatever its removal said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from floe_tests.cleanup.created_clusters import clusters_of_all, look_at_created_cluster
from floe_tests.cleanup.inventory import Inventory, Place, cluster_place
from floe_tests.cleanup.look import everywhere, new_inventory
from floe_tests.cleanup.plan import Leftover, Plan, Scope
from floe_tests.cleanup.processes import end_processes
from floe_tests.config.providers import capabilities_of
from floe_tests.core import labels, program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.labels import Owner
from floe_tests.core.log import Log
from floe_tests.environments.cluster_lock import ClusterLock
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.environments.leasing import environment_of_lease
from floe_tests.environments.namespace import delete_namespace
from floe_tests.environments.owned_objects import owned_objects_in, remove_owned_objects
from floe_tests.environments.provider import provider_of
from floe_tests.kube.client import Kube

Key = tuple[str, str, str]

REAP_SECONDS = 300.0
_END_SECONDS = 15.0
_GRACE_SECONDS = 2
# A second time for what a first pass set free, or what was still being made while it ran.
_PASSES = 2


@dataclass(frozen=True)
class Remaining:
    """Something that should have gone and is still there.

    Attributes:
        item: What it is, with the command that removes it by hand.
        error: What went wrong.
    """

    item: Leftover
    error: str


@dataclass(frozen=True)
class Reaped:
    """What a reaper did.

    Attributes:
        removed: What is gone.
        remaining: What should be gone, and is not.
        staying: What carries a run's labels and may not go.
        looked_at: Where was looked.
        problems: Where could not be looked, although a run left something there.
    """

    removed: tuple[Leftover, ...]
    remaining: tuple[Remaining, ...]
    staying: tuple[Leftover, ...]
    looked_at: tuple[str, ...]
    problems: tuple[str, ...]


def plan(scope: Scope, *, now: datetime | None = None) -> Plan:
    """Find what runs have left, and what of it may go. Nothing is changed.

    Args:
        scope: Where to look.
        now: The time (UTC) by this machine's clock; None for what is over for certain by it.
    """
    return everywhere(scope, now=now).plan()


def reap(
    scope: Scope,
    *,
    log: Log,
    on_killed: Callable[[Lease], object] = lambda _lease: None,
    seconds: float = REAP_SECONDS,
) -> Reaped:
    """Remove what may go, and prove it by looking again.

    Args:
        scope: Where to look.
        log: Receives one line a step.
        on_killed: Is told of each run that was killed, once nothing is left of it.
        seconds: Deadline of the removals.
    """
    deadline = Deadline(seconds)
    errors: dict[Key, str] = {}
    removed: dict[Key, Leftover] = {}
    inventory = everywhere(scope)
    found = inventory.plan()
    begun = {lease.run_id for lease in inventory.leases.values() if lease.state != "released"}
    for _ in range(_PASSES):
        things = [
            item for item in found.removable if item.what != "lease" and item.key not in errors
        ]
        if not things:
            break
        errors |= _remove(inventory, things, log=log, deadline=deadline)
        inventory = everywhere(scope)
        found = inventory.plan()
        still_there = {item.key for item in found.removable}
        removed |= {item.key: item for item in things if item.key not in still_there}
    for item in found.removable:
        if item.what == "lease":
            try:
                _settle(scope, item, log=log, on_killed=on_killed)
                removed[item.key] = item
            except (FloeTestsError, OSError) as error:
                errors[item.key] = str(error)
    _forget_clusters(inventory, begun=begun)
    return Reaped(
        removed=tuple(removed.values()),
        remaining=tuple(
            Remaining(item, errors.get(item.key, "it is still there"))
            for item in found.removable
            if item.key not in removed
        ),
        staying=found.staying,
        looked_at=found.looked_at,
        problems=found.problems,
    )


def _remove(
    inventory: Inventory, items: Iterable[Leftover], *, log: Log, deadline: Deadline
) -> dict[Key, str]:
    """Remove things: processes first, because they would go on making what goes next."""
    by_kind = {what: [item for item in items if item.what == what] for what in _ORDER}
    errors = _end(by_kind["process"], log=log, deadline=deadline)
    for item in by_kind["cluster"]:
        try:
            _delete_cluster(inventory.scope, item, log=log, deadline=deadline)
        except FloeTestsError as error:
            errors[item.key] = str(error)
    for item in by_kind["owned objects"]:
        try:
            _remove_owned_objects(inventory, item, log=log, deadline=deadline)
        except FloeTestsError as error:
            errors[item.key] = str(error)
    return errors | _delete_namespaces(inventory, by_kind["namespace"], log=log, deadline=deadline)


_ORDER = ("process", "cluster", "owned objects", "namespace")


def _end(items: list[Leftover], *, log: Log, deadline: Deadline) -> dict[Key, str]:
    if not items:
        return {}
    for item in items:
        log(f"process {item.name} of run {item.run_id[:8]}: ending `{item.detail[:200]}`")
    survivors = {
        str(process.process_id)
        for process in end_processes(
            {item.run_id for item in items}, seconds=min(_END_SECONDS, deadline.remaining_seconds)
        )
    }
    return {
        item.key: f"it survived SIGKILL; `ps -o pid,stat,wchan,args -p {item.name}` says why"
        for item in items
        if item.name in survivors
    }


def _delete_cluster(scope: Scope, item: Leftover, *, log: Log, deadline: Deadline) -> None:
    clusters = dict(clusters_of_all(scope.ledger))[item.environment]
    with (
        clusters.locked(item.name, timeout_seconds=deadline.remaining_seconds),
        program.started_for(item.run_id),
    ):
        # A run may have begun to use it, which it does under this lock.
        again = new_inventory(scope)
        for cluster in clusters.find(deadline=deadline):
            if cluster.name == item.name:
                look_at_created_cluster(again, item.environment, clusters, cluster)
        if any(found.key == item.key and found.may_go for found in again.found):
            clusters.delete(item.name, deadline=deadline, log=log)
        else:
            name = cluster_place(item.environment, item.name)
            log(f"{name} is in use again, or gone: left alone")


def _remove_owned_objects(
    inventory: Inventory, item: Leftover, *, log: Log, deadline: Deadline
) -> None:
    """Remove what a run has beside an installed platform, and free the cluster of its claim."""
    place = inventory.places[item.place]
    kube = place.kube
    run_id = labels.label_value(item.run_id)
    again = new_inventory(inventory.scope)
    for found in owned_objects_in(kube, item.namespace):
        expiry = again.expiry(item.run_id, found.labels, place=place)
        if found.run_id == run_id and not expiry.may_go:
            log(f"{found.names} in {item.namespace} may not go any more: left alone")
            return
    remove_owned_objects(
        kube,
        item.namespace,
        run_id=item.run_id,
        deadline=deadline,
        grace_seconds=_GRACE_SECONDS,
    )
    owner = Owner(item.run_id, item.tier, "", "", inventory.now)
    ClusterLock(kube, item.namespace, owner).release()
    log(f"{item.name} gone from {item.place}")


def _delete_namespaces(
    inventory: Inventory, items: list[Leftover], *, log: Log, deadline: Deadline
) -> dict[Key, str]:
    """Delete namespaces, all at once: each takes as long as its pods take to end."""
    errors: dict[Key, str] = {}
    asked: list[tuple[Leftover, Kube]] = []
    for item in items:
        place = inventory.places[item.place]
        kube = place.kube
        try:
            version = _version_to_go(inventory.scope, item, place)
            if version is not None and kube.delete(
                "Namespace", item.name, uid=item.uid, resource_version=version
            ):
                asked.append((item, kube))
                _hurry_pods(kube, item.name)
        except FloeTestsError as error:
            errors[item.key] = str(error)
    for item, kube in asked:
        try:
            delete_namespace(kube, item.name, run_id=item.run_id, uid=item.uid, deadline=deadline)
            log(f"namespace {item.name} gone from {item.place}")
        except FloeTestsError as error:
            errors[item.key] = str(error)
    return errors


def _version_to_go(scope: Scope, item: Leftover, place: Place) -> str | None:
    """Look once more; give the version that may go, None where it may not: it may be kept by now.

    A namespace that is on its way out may change at any time: there its UID is enough.
    """
    found = place.kube.get("Namespace", item.name)
    if found is None or found["metadata"]["uid"] != item.uid:
        return None
    if not new_inventory(scope).namespace_expiry(found, place=place).may_go:
        return None
    is_ending = "deletionTimestamp" in found["metadata"]
    return "" if is_ending else str(found["metadata"].get("resourceVersion", ""))


def _hurry_pods(kube: Kube, namespace: str) -> None:
    """Cut the pods' grace short: nobody is left to take the results that it is for."""
    for pod in kube.list("Pod", namespace=namespace):
        kube.delete(
            "Pod",
            str(pod["metadata"]["name"]),
            namespace=namespace,
            grace_seconds=_GRACE_SECONDS,
            uid=str(pod["metadata"]["uid"]),
        )


def _settle(
    scope: Scope, item: Leftover, *, log: Log, on_killed: Callable[[Lease], object]
) -> None:
    """Write down that nothing is left of a run; a killed one is told of first."""
    lease = scope.ledger.read(item.run_id, ENTRY, Lease)
    if lease is None or lease.state == "released":
        return
    if not capabilities_of(lease.provider).is_cluster:
        # No look finds what is neither a process nor in a cluster: its environment knows it.
        environment_of_lease(lease, ledger=scope.ledger, log=log).release(lease)
    if lease.state != "kept":
        on_killed(lease)
    scope.ledger.write(item.run_id, ENTRY, replace(lease, state="released"))
    log(f"run {item.run_id[:8]} of {item.tier}: nothing left, its lease is released")


def _forget_clusters(inventory: Inventory, *, begun: set[str]) -> None:
    """Forget clusters that are gone, but not yet those of runs that were unsettled a moment ago."""
    for environment, there in inventory.clusters.items():
        clusters = provider_of(environment).created_clusters(inventory.scope.ledger)
        if clusters is not None:
            clusters.forget_absent(there, begun=begun)
