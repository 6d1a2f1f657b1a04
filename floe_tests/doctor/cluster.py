"""The cluster itself: it answers, it is new enough, it has room for the tier."""

from __future__ import annotations

from dataclasses import dataclass

from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import Needs
from floe_tests.doctor.versions import Version, shown, version_in
from floe_tests.environments.provider import Provider
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.kube.quantity import MIB, quantity

# The exporter is a native sidecar, which Kubernetes has switched on since 1.29.
# Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
_KUBERNETES: Version = (1, 29, 0)

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
# Name of a network's DaemonSet → its name for people, and whether it enforces NetworkPolicy.
_NETWORKS = {
    "cilium": ("Cilium", "enforces NetworkPolicy"),
    "calico-node": ("Calico", "enforces NetworkPolicy"),
    "canal": ("Canal", "enforces NetworkPolicy"),
    "antrea-agent": ("Antrea", "enforces NetworkPolicy"),
    "kube-router": ("kube-router", "enforces NetworkPolicy"),
    "weave-net": ("Weave Net", "enforces NetworkPolicy"),
    "ovnkube-node": ("OVN-Kubernetes", "enforces NetworkPolicy"),
    "kindnet": ("kindnet", "enforces NetworkPolicy from kind 0.24 on"),
    "aws-node": ("Amazon VPC CNI", "enforces NetworkPolicy where that is switched on"),
    "azure-cns": ("Azure CNI", "enforces NetworkPolicy where that is switched on"),
    "kube-flannel-ds": ("Flannel", "does not enforce NetworkPolicy"),
}


@dataclass(frozen=True)
class Reached:
    """A cluster that was looked for.

    Attributes:
        kube: A connection to it; None when there is none.
        version: Its version of Kubernetes, or the one that it will have.
        checks: What was found.
    """

    kube: Kube | None
    version: str | None
    checks: tuple[Check, ...]


def reach(tier: TierSettings, provider: Provider) -> Reached:
    """Look for the cluster of a tier.

    Args:
        tier: The tier.
        provider: Provides the cluster.
    """
    seen = provider.look(tier)
    if seen.kube is None:
        check = Check("cluster", seen.state, seen.found, seen.remedy)
        return Reached(None, seen.version, (check,))
    try:
        return _answering(seen.kube)
    except FloeTestsError as error:
        found = f"{seen.found}{first_line(error)}"
        return Reached(None, None, (Check("cluster", "failed", found, seen.remedy),))


def _answering(kube: Kube) -> Reached:
    version = kube.server_version()
    number = version_in(version)
    if number is not None and number < _KUBERNETES:
        found = f"answers, Kubernetes {version}; native sidecars need {shown(_KUBERNETES)}"
        return Reached(kube, version, (Check("cluster", "failed", found, "Upgrade the cluster."),))
    return Reached(kube, version, (Check("cluster", "ok", f"answers, Kubernetes {version}"),))


def check_nodes(kube: Kube, needs: Needs) -> tuple[Check, ...]:
    """Look at the nodes: ready, without pressure, with room for the tier.

    Args:
        kube: The cluster.
        needs: What the tier brings.
    """
    remedy = kube.access.kubectl("describe nodes")
    try:
        nodes = kube.list("Node")
    except FloeTestsError as error:
        found = f"the nodes cannot be seen: {_why(error)}"
        return (Check("nodes", "unknown", found), Check("room", "unknown", "as the nodes"))
    ready = [node for node in nodes if _condition(node, "Ready") == "True"]
    usable = [node for node in ready if not _closed(node)]
    pressed = [
        f"{node['metadata']['name']}: {name}"
        for node in ready
        for name in _PRESSURES
        if _condition(node, name) == "True"
    ]
    counted = f"{len(ready)} of {len(nodes)} ready"
    if not usable:
        why = [f"{node['metadata']['name']}: {', '.join(_closed(node))}" for node in ready]
        found = "; ".join([f"{counted}, none takes pods", *why])
        return (Check("nodes", "failed", found, remedy),)
    if pressed or len(ready) < len(nodes):
        check = Check("nodes", "warning", "; ".join([counted, *pressed]), remedy)
    else:
        check = Check("nodes", "ok", counted)
    return (check, _room(kube, usable, needs))


def _room(kube: Kube, nodes: list[JsonObject], needs: Needs) -> Check:
    """Compare what the nodes have left with what the tier asks for."""
    try:
        pods = kube.list("Pod")
        note = ""
    except FloeTestsError:
        pods, note = [], " (other pods cannot be seen)"
    free = [_free(node, pods) for node in nodes]
    cores, memory = sum(one[0] for one in free), sum(one[1] for one in free)
    asked_cores = sum(pod.cores * pod.copies for pod in needs.pods)
    asked_memory = sum(pod.memory_bytes * pod.copies for pod in needs.pods)
    found = (
        f"{cores:.1f} cores and {memory / MIB / 1024:.1f} GiB are left{note}; the tier requests "
        f"{asked_cores:.1f} and {asked_memory / MIB / 1024:.1f}"
    )
    remedy = f"{kube.access.kubectl('top nodes')}; free some room or add a node."
    homeless = [
        pod.name
        for pod in needs.pods
        if not any(pod.cores <= left[0] and pod.memory_bytes <= left[1] for left in free)
    ]
    if homeless or asked_cores > cores or asked_memory > memory:
        what = f"; no node has room for {', '.join(homeless)}" if homeless else ""
        return Check("room", "failed", f"{found}{what}", remedy)
    allocatable = sum(quantity(part(node, "status", "allocatable").get("memory")) for node in nodes)
    budget = needs.tier.budget
    if allocatable < budget.memory_mib * MIB:
        found += f"; its budget of {budget.memory} is more than the nodes have"
        remedy = "Lower budget.memory in the tier's defs.yaml, or add memory."
        return Check("room", "warning", found, remedy)
    return Check("room", "unknown" if needs.untold else "ok", needs.untold or found)


def _free(node: JsonObject, pods: list[JsonObject]) -> tuple[float, float]:
    """Return the cores and bytes of a node that no pod has requested."""
    allocatable = part(node, "status", "allocatable")
    cores, memory = quantity(allocatable.get("cpu")), quantity(allocatable.get("memory"))
    for pod in pods:
        if part(pod, "spec").get("nodeName") != node["metadata"]["name"]:
            continue
        if part(pod, "status").get("phase") in {"Succeeded", "Failed"}:
            continue
        for container in parts(pod, "spec", "containers"):
            requests = part(container, "resources", "requests")
            cores -= quantity(requests.get("cpu"))
            memory -= quantity(requests.get("memory"))
    return cores, memory


def check_storage(kube: Kube, needs: Needs) -> Check | None:
    """Look at the StorageClasses that the tier's volumes need; None when it has no volumes.

    Args:
        kube: The cluster.
        needs: What the tier brings.
    """
    wanted = needs.storage_classes
    if not wanted:
        return None
    try:
        classes = kube.list("StorageClass")
    except FloeTestsError as error:
        return Check("storage", "unknown", f"StorageClasses cannot be seen: {_why(error)}")
    names = {str(item["metadata"]["name"]) for item in classes}
    defaults = [str(item["metadata"]["name"]) for item in classes if _is_default(item)]
    missing = [name for name in wanted if name and name not in names]
    if "" in wanted and not defaults:
        missing.append("a default one")
    if missing:
        there = f"there is {', '.join(sorted(names))}" if names else "there is none"
        remedy = kube.access.kubectl(
            "annotate storageclass NAME storageclass.kubernetes.io/is-default-class=true"
        )
        found = f"StorageClass missing: {', '.join(missing)}; {there}"
        return Check("storage", "failed", found, remedy)
    found = ", ".join(name or f"{defaults[0]} (default)" for name in wanted)
    return Check("storage", "ok", f"StorageClass {found}")


def check_network(kube: Kube) -> Check:
    """Say what is known of the network; a tier runs on any.

    Args:
        kube: The cluster.
    """
    name = "network"
    try:
        found = {str(item["metadata"]["name"]) for item in kube.list("DaemonSet")}
    except FloeTestsError as error:
        return Check(name, "unknown", f"its DaemonSets cannot be seen: {_why(error)}")
    for daemon_set, (title, enforces) in _NETWORKS.items():
        if daemon_set in found:
            return Check(name, "ok", f"{title} {enforces}")
    return Check(
        name, "unknown", "none that is known: NetworkPolicies may be accepted and not enforced"
    )


def _condition(node: JsonObject, name: str) -> str:
    for item in parts(node, "status", "conditions"):
        if item.get("type") == name:
            return str(item.get("status"))
    return "Unknown"


def _closed(node: JsonObject) -> list[str]:
    """Say why a node takes no ordinary pods; empty when it does."""
    taints = [
        f"taint {taint.get('key')}"
        for taint in parts(node, "spec", "taints")
        if taint.get("effect") in {"NoSchedule", "NoExecute"}
        # An echo of the condition Ready, which is looked at itself; it goes a moment later.
        and taint.get("key") != "node.kubernetes.io/not-ready"
    ]
    return taints or (["cordoned"] if part(node, "spec").get("unschedulable") else [])


def _is_default(storage_class: JsonObject) -> bool:
    annotations = part(storage_class, "metadata", "annotations")
    return annotations.get("storageclass.kubernetes.io/is-default-class") == "true"


def _why(error: FloeTestsError) -> str:
    return "not permitted" if isinstance(error, RefusedError) else first_line(error)
