"""Taking a pod away, and waiting for the one that comes in its place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .deadline import NotYet, wait_for

if TYPE_CHECKING:
    from .cluster import Cluster, Pod
    from .dagster_api import DagsterApi


def replace_pods(cluster: Cluster, role: str, *, deadline: float) -> tuple[Pod, ...]:
    """Evict the pods of a role and wait until as many others are ready.

    A budget lets them go one at a time.

    Args:
        cluster: The namespace.
        role: Which pods.
        deadline: Until when, on the monotonic clock.

    Returns:
        The new pods.

    Raises:
        DeadlineExceeded: They were not there in time.
    """
    old = cluster.release_pods(role)
    assert old, f"no pod of the role {role}"
    for pod in old:
        _evict(cluster, pod.name, deadline=deadline)

    def successors() -> tuple[Pod, ...]:
        pods = cluster.release_pods(role)
        new = tuple(pod for pod in pods if pod.uid not in {gone.uid for gone in old})
        if len(new) < len(old) or not all(pod.is_ready for pod in new):
            raise NotYet(f"{[(pod.name, pod.is_ready) for pod in pods]}")
        return new

    return wait_for(
        successors,
        what=f"new pods of the role {role}",
        deadline_seconds=deadline - time.monotonic(),
    )


def _evict(cluster: Cluster, pod: str, *, deadline: float) -> None:
    def gone() -> None:
        if not cluster.evict_pod(pod):
            raise NotYet(f"a budget keeps {pod}")

    wait_for(gone, what=f"leave to evict {pod}", deadline_seconds=deadline - time.monotonic())


def reload_location(dagster: DagsterApi, *, deadline: float) -> None:
    """Wait until the webserver answers and has loaded its code location anew.

    What it has loaded before says nothing of now: its connection may still be to the pod that is
    gone, and the first launch over it fails.

    Args:
        dagster: The webserver.
        deadline: Until when, on the monotonic clock.

    Raises:
        DeadlineExceeded: It was not in time.
    """
    wait_for(
        dagster.reload_location,
        what="the code location",
        deadline_seconds=deadline - time.monotonic(),
    )
