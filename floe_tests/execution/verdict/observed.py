"""Facts as the Kubernetes API's objects say them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from floe_tests.execution.verdict.facts import (
    ConditionFacts,
    ContainerFacts,
    EventFacts,
    NodeFacts,
    PodFacts,
)
from floe_tests.kube.objects import part, parts, timestamp


def pod_facts(
    pod: dict[str, Any], *, test_container: str, exporter_container: str, vanished: bool = False
) -> PodFacts:
    """Read the facts of a pod from the API's object.

    Args:
        pod: The pod as the API sent it.
        test_container: Name of the container that runs the tests.
        exporter_container: Name of the exporter sidecar.
        vanished: Whether it has disappeared since.
    """
    status = part(pod, "status")
    sidecars = {
        str(item.get("name"))
        for item in parts(pod, "spec", "initContainers")
        if item.get("restartPolicy") == "Always"
    }
    # The kubelet calls every init container started that runs; only of a sidecar it says something.
    init = [
        each if each.name in sidecars else replace(each, started=None)
        for each in map(_container, parts(status, "initContainerStatuses"))
    ]
    beside = [_container(item) for item in parts(status, "containerStatuses")]
    named = {item.name: item for item in (*init, *beside)}
    of_ours = {test_container, exporter_container}
    return PodFacts(
        name=str(pod["metadata"]["name"]),
        phase=str(status.get("phase", "Unknown")),
        reason=str(status.get("reason", "")),
        message=str(status.get("message", "")),
        node=str(part(pod, "spec").get("nodeName") or ""),
        conditions=condition_facts(parts(status, "conditions")),
        test=named.get(test_container),
        exporter=named.get(exporter_container),
        init=tuple(item for item in init if item.name not in of_ours),
        others=tuple(item for item in beside if item.name not in of_ours),
        created_at=timestamp(pod["metadata"].get("creationTimestamp")),
        vanished=vanished,
        deleted_at=deletion_request(pod),
        volumes=tuple(
            str(item["name"]) for item in parts(pod, "spec", "volumes") if "emptyDir" in item
        ),
    )


def node_facts(name: str, node: dict[str, Any] | None) -> NodeFacts:
    """Read the facts of a node from the API's object.

    Args:
        name: Its name.
        node: The node as the API sent it; None when there is none.
    """
    if node is None:
        return NodeFacts(name, exists=False, is_heard_of=False)
    conditions = parts(node, "status", "conditions")
    ready = [item for item in conditions if item.get("type") == "Ready"]
    return NodeFacts(
        name,
        ready=next(iter(condition_facts(ready)), None),
        # Source: https://kubernetes.io/docs/concepts/architecture/nodes/#condition
        is_heard_of=not any(item.get("status") == "Unknown" for item in ready),
    )


def condition_facts(conditions: list[dict[str, Any]]) -> tuple[ConditionFacts, ...]:
    """Read the conditions of an object's status."""
    return tuple(
        ConditionFacts(
            type=str(item.get("type", "")),
            status=item.get("status") == "True",
            reason=str(item.get("reason") or ""),
            message=str(item.get("message") or ""),
            time=item.get("lastTransitionTime"),
        )
        for item in conditions
    )


def event_facts(events: list[dict[str, Any]]) -> tuple[EventFacts, ...]:
    """Read events, oldest first."""
    facts = [
        EventFacts(
            subject="/".join(
                str(item.get("involvedObject", {}).get(key, "")) for key in ("kind", "name")
            ).lower(),
            reason=str(item.get("reason") or ""),
            message=str(item.get("message") or ""),
            time=item.get("lastTimestamp") or item.get("eventTime") or item.get("firstTimestamp"),
            count=int(item.get("count") or 1),
        )
        for item in events
    ]
    return tuple(sorted(facts, key=lambda fact: fact.time or ""))


def deletion_request(pod: dict[str, Any]) -> str | None:
    """Return when a pod's deletion was asked for: the API's timestamp is the end of its grace."""
    metadata = part(pod, "metadata")
    end = timestamp(metadata.get("deletionTimestamp"))
    if end is None:
        return None
    grace = timedelta(seconds=float(metadata.get("deletionGracePeriodSeconds") or 0))
    return (end - grace).isoformat()


def _start(text: str | None) -> datetime | None:
    """Read a start; containerd gives the zero of Unix time for what could not be started."""
    time = timestamp(text)
    return None if time is None or time.timestamp() == 0 else time


def _container(status: dict[str, Any]) -> ContainerFacts:
    restarts = int(status.get("restartCount") or 0)
    before = part(status, "lastState")
    return replace(
        _container_state(str(status["name"]), part(status, "state")),
        restarts=restarts,
        started=status.get("started"),
        previous=_container_state(str(status["name"]), before) if before else None,
    )


def _container_state(container: str, state: dict[str, Any]) -> ContainerFacts:
    for name in ("terminated", "running", "waiting"):
        if name in state:
            detail = part(state, name)
            return ContainerFacts(
                name=container,
                state=name,
                reason=str(detail.get("reason") or ""),
                message=str(detail.get("message") or ""),
                exit_code=detail.get("exitCode"),
                started_at=_start(detail.get("startedAt")),
                finished_at=timestamp(detail.get("finishedAt")),
            )
    return ContainerFacts(name=container, state="unknown")
