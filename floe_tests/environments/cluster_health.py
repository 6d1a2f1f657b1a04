"""What speaks against putting load on a cluster now: nodes in trouble, pods that find no room."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part, parts

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


def health_problems(kube: Kube, namespace: str) -> tuple[str, ...]:
    """Return why a cluster should be left alone; empty when nothing speaks against a run.

    Nodes are looked at where the account may see them: that is a right of the whole cluster, and
    runs do without it.

    Args:
        kube: The cluster.
        namespace: The platform's namespace.

    Raises:
        InfrastructureError: It cannot be seen.
    """
    return (*_of_nodes(kube), *_of_pods(kube, namespace))


def _of_nodes(kube: Kube) -> Iterator[str]:
    try:
        nodes = kube.list("Node")
    except RefusedError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return
        raise
    if not nodes:
        yield "the cluster has no nodes"
    for node in nodes:
        name = node["metadata"]["name"]
        conditions = {
            str(item.get("type")): item.get("status")
            for item in parts(node, "status", "conditions")
        }
        if conditions.get("Ready") != "True":
            yield f"node {name} is not ready"
        for pressure in _PRESSURES:
            if conditions.get(pressure) == "True":
                yield f"node {name} has {pressure}"


def _of_pods(kube: Kube, namespace: str) -> Iterator[str]:
    for pod in kube.list("Pod", namespace=namespace, field_selector="status.phase=Pending"):
        name = f"pod/{pod['metadata']['name']}"
        yield f"{name} is pending{_why(pod)}"


def _why(pod: JsonObject) -> str:
    if part(pod, "status").get("phase") != "Pending":
        return ""
    for item in parts(pod, "status", "conditions"):
        if item.get("type") == "PodScheduled" and item.get("status") == "False":
            return f": {item.get('message')}"
    return ""
