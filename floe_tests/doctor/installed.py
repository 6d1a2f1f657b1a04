"""What a tier on an installed platform needs: the release up, room in its quota, a free cluster."""

from __future__ import annotations

from collections.abc import Iterator

from floe_tests.config.environment import InstalledSettings
from floe_tests.config.memory import check_memory
from floe_tests.config.project import Workspace
from floe_tests.core import labels
from floe_tests.core.errors import ConfigurationError, FloeTestsError, first_line
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import Needs
from floe_tests.environments.cluster_holder import LEASE, held_by
from floe_tests.environments.owned_objects import command_for, owned_objects_in
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.kube.quantity import MIB, quantity
from floe_tests.platform.installed import state_of


def check_installed(kube: Kube, needs: Needs, workspace: Workspace) -> tuple[Check, ...]:
    """Look at an installed platform, and at what its namespace leaves to a run.

    Args:
        kube: The cluster.
        needs: What the tier brings.
        workspace: The project, whose manifests say how much memory the suites may use.
    """
    installed = needs.tier.installed
    if installed is None:
        return ()
    return (
        _platform(kube, installed),
        _memory(needs, workspace),
        _quota(kube, installed, needs),
        _claim(kube, installed),
        _left(kube, installed),
    )


def _platform(kube: Kube, installed: InstalledSettings) -> Check:
    name = f"platform {installed.release}"
    remedy = kube.access.kubectl("get pods --namespace", installed.namespace)
    try:
        state = state_of(kube, installed)
    except FloeTestsError as error:
        return Check(name, "unknown", f"it cannot be seen: {first_line(error)}")
    if state.fingerprint is None:
        return Check(name, "failed", "; ".join(state.lacking), remedy)
    if state.lacking:
        found = f"{state.fingerprint} is not all up: {'; '.join(state.lacking)}"
        return Check(name, "failed", found, remedy)
    return Check(name, "ok", f"{state.fingerprint}, all of it ready")


def _memory(needs: Needs, workspace: Workspace) -> Check:
    try:
        check_memory(needs.tier, workspace.root)
    except ConfigurationError as error:
        return Check("memory", "failed", first_line(error), str(error))
    found = f"the limits of each suite's pod are within {needs.tier.budget.memory}"
    return Check("memory", "ok", found)


def _quota(kube: Kube, installed: InstalledSettings, needs: Needs) -> Check:
    name = "quota"
    try:
        quotas = kube.list("ResourceQuota", namespace=installed.namespace)
    except FloeTestsError as error:
        return Check(name, "unknown", f"quotas cannot be seen: {first_line(error)}")
    # One suite after the other: the largest of them has to fit.
    wanted = {
        key: max((_asked(job, key) for job in needs.jobs), default=0.0)
        for key in ("limits.memory", "requests.memory", "limits.cpu", "requests.cpu", "pods")
    }
    short = [
        f"{quota['metadata']['name']}: {key} has {_shown(key, left)} left, a suite needs "
        f"{_shown(key, wanted[key])}"
        for quota in quotas
        for key, left in _left_of(quota)
        if key in wanted and wanted[key] > left
    ]
    if short:
        remedy = kube.access.kubectl("describe quota --namespace", installed.namespace)
        return Check(name, "failed", "; ".join(short), remedy)
    count = len(quotas)
    return Check(name, "ok", "room for a suite" if count else "the namespace has none")


def _left_of(quota: JsonObject) -> Iterator[tuple[str, float]]:
    hard, used = part(quota, "status", "hard"), part(quota, "status", "used")
    for key, value in hard.items():
        yield key, quantity(value) - quantity(used.get(key) or 0)


def _asked(job: JsonObject, key: str) -> float:
    if key == "pods":
        return 1.0
    kind, _, resource = key.partition(".")
    pod = part(job, "spec", "template", "spec")
    sidecars = [one for one in parts(pod, "initContainers") if one.get("restartPolicy") == "Always"]
    return sum(
        quantity(part(one, "resources", kind).get(resource) or 0)
        for one in (*parts(pod, "containers"), *sidecars)
    )


def _shown(key: str, amount: float) -> str:
    return f"{amount / MIB:.0f} MiB" if key.endswith("memory") else f"{amount:g}"


def _claim(kube: Kube, installed: InstalledSettings) -> Check:
    name = "cluster's turn"
    try:
        holder = held_by(kube, installed.namespace)
    except FloeTestsError as error:
        return Check(name, "unknown", f"lease/{LEASE} cannot be seen: {first_line(error)}")
    if holder is None:
        return Check(name, "ok", "no run has the cluster")
    wait = f"a run waits for it up to {installed.wait_seconds:g} s"
    return Check(name, "warning", f"{holder} has it; {wait}")


def _left(kube: Kube, installed: InstalledSettings) -> Check:
    name = "leftovers in the namespace"
    try:
        found = owned_objects_in(kube, installed.namespace)
        now = kube.now()
    except FloeTestsError as error:
        return Check(name, "unknown", f"they cannot be seen: {first_line(error)}")
    expired = [item for item in found if labels.has_expired(item.labels, now=now)]
    if not expired:
        return Check(name, "ok", "nothing of runs whose time is over")
    told = "; ".join(f"run {item.run_id[:8]}: {item.names}" for item in expired)
    remedy = command_for(kube, installed.namespace, expired[0].run_id, "delete")
    return Check(name, "warning", told, f"floe-tests reap, or {remedy}")
