"""One look at what runs have left: processes, clusters, namespaces, leases; nothing is changed.

It starts from the ledger, then asks this machine and every cluster it can reach.
"""

from __future__ import annotations

import shlex
from datetime import datetime

from floe_tests.cleanup import processes
from floe_tests.cleanup.created_clusters import look_at_created_clusters
from floe_tests.cleanup.expiry import Expiry
from floe_tests.cleanup.installed_namespaces import look_beside_platforms
from floe_tests.cleanup.inventory import Inventory, cluster_place, counted, namespace_place
from floe_tests.cleanup.namespaces import is_of_existing_cluster, look_at_clusters
from floe_tests.cleanup.plan import Leftover, Scope
from floe_tests.core import labels
from floe_tests.core.clock import certain_now
from floe_tests.core.deadline import Deadline
from floe_tests.environments.lease import Lease

_LOOK_SECONDS = 60.0


def new_inventory(scope: Scope, *, now: datetime | None = None) -> Inventory:
    """Return an inventory that has read the ledger, and has not looked anywhere yet.

    Args:
        scope: Where to look.
        now: The time (UTC) by this machine's clock; None for what is over for certain by it.
    """
    return Inventory(scope, Deadline(_LOOK_SECONDS), now or certain_now())


def everywhere(scope: Scope, *, now: datetime | None = None) -> Inventory:
    """Look everywhere.

    Args:
        scope: Where to look.
        now: The time (UTC) by this machine's clock; None for what is over for certain by it.
    """
    inventory = new_inventory(scope, now=now)
    inventory.looked_at.append(counted(len(inventory.leases), "lease"))
    _look_at_processes(inventory)
    look_at_created_clusters(inventory)
    look_at_clusters(inventory)
    look_beside_platforms(inventory)
    _look_at_leases(inventory)
    return inventory


def _look_at_processes(inventory: Inventory) -> None:
    found = processes.processes_of_runs()
    inventory.looked_at.append(f"{counted(len(found), 'process', 'es')} with a run's id")
    for process in found:
        lease = inventory.leases.get(labels.label_value(process.run_id))
        expiry = _process_expiry(inventory, process, lease)
        if expiry is None:
            continue
        inventory.add(
            Leftover(
                what="process",
                name=str(process.process_id),
                place="this machine",
                run_id=process.run_id,
                tier=lease.owner.tier if lease else "",
                word=expiry.word,
                reason=expiry.reason,
                since=process.started_at,
                command=f"kill -9 {process.process_id}",
                detail=process.command,
            )
        )


def _process_expiry(
    inventory: Inventory, process: processes.RunProcess, lease: Lease | None
) -> Expiry | None:
    """Return whether a process of this machine may be ended; None where its run is unknown here."""
    if lease is None and process.run_id in inventory.without_lease:
        return Expiry(
            "unproved",
            f"the lease of its run {process.run_id[:8]} is not followed: nothing tells whether "
            "the run is over",
        )
    # Of a run that this ledger does not know nothing tells whether it is over.
    if lease is None or lease.holder.liveness == "unknown":
        return None
    expiry = inventory.expiry(process.run_id, {})
    if expiry.may_go and lease.holder.liveness == "alive":
        return Expiry("live", "its orchestrator has not ended yet")
    if expiry.may_go and process.has_terminal:
        return Expiry("unproved", "it belongs to a terminal: a person may have started it")
    return expiry


def _look_at_leases(inventory: Inventory) -> None:
    """Find leases that nothing is left of, and that say otherwise."""
    for key, lease in inventory.leases.items():
        expiry = inventory.expiry(lease.run_id, {})
        if lease.state == "released" or not expiry.may_go or key in inventory.with_something:
            continue
        if not _was_read(inventory, lease):
            continue
        path = inventory.scope.ledger.directory / lease.run_id
        inventory.add(
            Leftover(
                what="lease",
                name=lease.run_id,
                place="the ledger",
                run_id=lease.run_id,
                tier=lease.owner.tier,
                word=expiry.word,
                reason=f"{expiry.reason}; nothing else is left of it",
                since=None,
                command=f"rm -r {shlex.quote(str(path))}",
            )
        )


def _was_read(inventory: Inventory, lease: Lease) -> bool:
    """Return whether the place was looked into where a run may have left something."""
    if lease.cluster is not None:
        return cluster_place(lease.provider, lease.cluster) in inventory.read
    if lease.access is None or not is_of_existing_cluster(lease):
        return True
    if lease.installed:
        return namespace_place(lease.access, lease.namespace) in inventory.read
    return lease.access in inventory.read
