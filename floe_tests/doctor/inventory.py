"""What dead runs have left, here and in the cluster; `floe-tests reap` removes it."""

from __future__ import annotations

from floe_tests.config.project import Workspace
from floe_tests.core import labels
from floe_tests.core.clock import certain_now
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.core.words import listed
from floe_tests.doctor.check import Check
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.kube.client import Kube
from floe_tests.pipeline.entries import ledger_of

_NAME = "leftovers"
_SHOWN = 5


def check_leases(workspace: Workspace) -> Check:
    """Look for runs whose process is dead and whose environment was never given back.

    Args:
        workspace: The project, whose home has the leases.
    """
    try:
        dead = [
            lease.run_id
            for lease in ledger_of(workspace).entries(ENTRY, Lease)
            if (lease.state in {"acquiring", "held"} and lease.holder.liveness == "dead")
            or (lease.state == "kept" and lease.owner.expires_at < certain_now())
        ]
    except FloeTestsError as error:
        return Check(_NAME, "warning", f"a lease cannot be read: {first_line(error)}")
    return _answer("leases of dead runs", [run[:8] for run in dead])


def check_namespaces(kube: Kube) -> Check:
    """Look for namespaces of runs whose time is over.

    Args:
        kube: The cluster.
    """
    name = f"{_NAME} in the cluster"
    try:
        found = kube.list("Namespace", label_selector=labels.RUN)
        now = kube.now()
    except FloeTestsError as error:
        return Check(name, "unknown", f"namespaces cannot be seen: {first_line(error)}")
    expired = [
        str(item["metadata"]["name"])
        for item in found
        if labels.has_expired(item["metadata"]["labels"], now=now)
    ]
    return _answer("expired namespaces", expired, name=name)


def _answer(what: str, found: list[str], *, name: str = _NAME) -> Check:
    if not found:
        return Check(name, "ok", f"no {what}")
    shown = listed(found, shown=_SHOWN)
    return Check(name, "warning", f"{len(found)} {what}: {shown}", "floe-tests reap")
