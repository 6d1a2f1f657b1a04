"""A cluster's capacity for tests, and who else wants it: fair shares are calculated from these.

Reading nodes, and Jobs and pods of other namespaces, are rights that a run can do without: then it
knows its own namespace, and learns the rest from pods that find no node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from floe_tests.core import labels
from floe_tests.execution.sharding.fair_share import Claim
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, job_has_ended, part, parts, pod_is_over
from floe_tests.kube.quantity import quantity

Amounts = Mapping[str, float]

_PODS = "pods"
_MANAGED = f"{labels.MANAGED_BY}={labels.MANAGER}"


@dataclass(frozen=True)
class Capacity:
    """What was seen of a cluster at one moment.

    Attributes:
        claims: What every run on it would have, this one included.
        fitting: How many of this run's pods fit on its nodes beside all that is not a test's;
            None where the nodes may not be read.
        quota: How many of this run's pods its namespace's quota allows; None without one.
    """

    claims: tuple[Claim, ...]
    fitting: int | None
    quota: int | None


def look(kube: Kube, *, namespace: str, pod: JsonObject) -> Capacity:
    """Look at a cluster.

    Args:
        kube: The cluster.
        namespace: The run's namespace.
        pod: Specification of the run's pods.

    Raises:
        InfrastructureError: The API does not answer.
    """
    needs = requests_of(pod)
    nodes = _allowed(kube, "Node", None)
    everywhere = _allowed(kube, "Pod", None) if nodes is not None else None
    jobs = _allowed(kube, "Job", None)
    if jobs is None:
        jobs = kube.list("Job", namespace=namespace, label_selector=_MANAGED)
    fitting, total = None, {}
    if nodes is not None and everywhere is not None:
        free = free_on_nodes(nodes, everywhere, pod)
        fitting = sum(_times(needs, each) for each in free)
        total = {name: sum(each.get(name, 0.0) for each in free) for name in needs}
    mine = kube.list("Pod", namespace=namespace)
    quotas = kube.list("ResourceQuota", namespace=namespace)
    return Capacity(
        claims=tuple(claims_of(jobs, total)),
        fitting=fitting,
        quota=pods_in_quotas(quotas, pod, own=mine),
    )


def claims_of(jobs: Iterable[JsonObject], total: Amounts) -> Iterable[Claim]:
    """Return what the Jobs of all runs would have.

    Args:
        jobs: Jobs; those that are not of this project, or are over, claim nothing.
        total: What the cluster has for tests; empty where that is unknown, and every pod counts
            the same.
    """
    for job in jobs:
        owned = part(job, "metadata", "labels")
        run = owned.get(labels.RUN)
        if run is None or owned.get(labels.MANAGED_BY) != labels.MANAGER or job_has_ended(job):
            continue
        spec, status = part(job, "spec"), part(job, "status")
        ended = int(status.get("succeeded") or 0) + int(status.get("failed") or 0)
        left = max(1, int(spec.get("completions") or 1) - ended)
        wish = str(part(job, "metadata", "annotations").get(labels.WANTED_ANNOTATION, "1"))
        pods = min(left, int(wish)) if wish.isdecimal() else 1
        needs = requests_of(part(spec, "template", "spec"))
        shares = [needs[name] / total[name] for name in needs if total.get(name)]
        share = max(shares, default=0.0)
        yield Claim(run=str(run), pods=pods, pod_share=min(1.0, share))


def free_on_nodes(
    nodes: Iterable[JsonObject], pods: Iterable[JsonObject], pod: JsonObject
) -> list[dict[str, float]]:
    """Return what each node that may take a pod has beside all that is not a test's.

    Args:
        nodes: The cluster's nodes.
        pods: The pods of all namespaces.
        pod: Specification of the pods that are to fit.
    """
    free: dict[str, dict[str, float]] = {}
    for node in nodes:
        if _takes(node, pod):
            allocatable = part(node, "status", "allocatable")
            free[str(node["metadata"]["name"])] = {
                name: quantity(allocatable.get(name, 0)) for name in ("cpu", "memory", _PODS)
            }
    for other in pods:
        owned = part(other, "metadata", "labels")
        is_test = owned.get(labels.MANAGED_BY) == labels.MANAGER and labels.SUITE in owned
        node = free.get(str(part(other, "spec").get("nodeName")))
        if node is None or is_test or pod_is_over(other):
            continue
        for name, amount in requests_of(part(other, "spec")).items():
            node[name] = node.get(name, 0.0) - amount
    return list(free.values())


def pods_in_quotas(
    quotas: Iterable[JsonObject], pod: JsonObject, *, own: Iterable[JsonObject]
) -> int | None:
    """Return how many pods fit into a namespace's quotas beside all that is not a test's.

    Args:
        quotas: Its ResourceQuotas.
        pod: Specification of the pods.
        own: The namespace's pods; those of tests count as free: their run divides them anew.

    Returns:
        None where no quota bounds them.
    """
    needs = _quota_needs(pod)
    tests = [
        _quota_needs(part(each, "spec"))
        for each in own
        if labels.SUITE in part(each, "metadata", "labels") and not pod_is_over(each)
    ]
    fits: list[int] = []
    for quota in quotas:
        if part(quota, "spec").get("scopes") or part(quota, "spec").get("scopeSelector"):
            continue
        hard, used = part(quota, "status", "hard"), part(quota, "status", "used")
        for name, need in needs.items():
            if name in hard and need > 0:
                by_tests = sum(each.get(name, 0.0) for each in tests)
                left = quantity(hard[name]) - quantity(used.get(name, 0)) + by_tests
                fits.append(max(0, int(left / need + 1e-9)))
    return min(fits, default=None)


def requests_of(pod: JsonObject) -> dict[str, float]:
    """Return what the scheduler reckons for a pod: cores, bytes of memory, and itself."""
    return {
        "cpu": _sum(pod, "requests", "cpu"),
        "memory": _sum(pod, "requests", "memory"),
        _PODS: 1.0,
    }


def _quota_needs(pod: JsonObject) -> dict[str, float]:
    needs = {
        f"{kind}.{resource}": _sum(pod, kind, resource)
        for kind in ("requests", "limits")
        for resource in ("cpu", "memory")
    }
    return {
        **needs,
        # The short names are those of requests.
        "cpu": needs["requests.cpu"],
        "memory": needs["requests.memory"],
        _PODS: 1.0,
        "count/pods": 1.0,
    }


def _sum(pod: JsonObject, kind: str, resource: str) -> float:
    """Add up what runs at once: the containers and the native sidecars.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """

    def amount(container: JsonObject) -> float:
        own = part(container, "resources", kind).get(resource)
        # A limit without a request is the request as well.
        return quantity(own or part(container, "resources", "limits").get(resource) or 0)

    starting = parts(pod, "initContainers")
    beside = [one for one in starting if one.get("restartPolicy") == "Always"]
    before = [one for one in starting if one.get("restartPolicy") != "Always"]
    at_once = sum(amount(one) for one in [*parts(pod, "containers"), *beside])
    return max([at_once, *(amount(one) + sum(map(amount, beside)) for one in before)])


def _takes(node: JsonObject, pod: JsonObject) -> bool:
    """Return whether a node may take a pod, as far as can be told without being the scheduler."""
    spec = part(node, "spec")
    ready = any(
        item.get("type") == "Ready" and item.get("status") == "True"
        for item in parts(node, "status", "conditions")
    )
    chosen = part(pod, "nodeSelector").items() <= part(node, "metadata", "labels").items()
    tolerated = {item.get("key") for item in parts(pod, "tolerations")}
    repelled = any(
        item.get("effect") in {"NoSchedule", "NoExecute"}
        and item.get("key") not in tolerated
        and None not in tolerated
        for item in parts(spec, "taints")
    )
    return ready and chosen and not repelled and not spec.get("unschedulable")


def _times(needs: Amounts, free: Amounts) -> int:
    times = [free.get(name, 0.0) / need for name, need in needs.items() if need]
    return max(0, int(min(times, default=0.0) + 1e-9))


def _allowed(kube: Kube, kind: str, namespace: str | None) -> list[JsonObject] | None:
    """Read objects that the account need not be allowed to read; None where it is not."""
    try:
        selector = _MANAGED if kind == "Job" else ""
        return kube.list(kind, namespace=namespace, label_selector=selector)
    except RefusedError as error:
        if error.is_passing:
            raise
        return None
