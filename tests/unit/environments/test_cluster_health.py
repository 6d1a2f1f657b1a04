"""What speaks against load on a cluster: nodes in trouble, pods without room."""

from __future__ import annotations

from typing import Any

import pytest

from floe_tests.core.errors import InfrastructureError
from floe_tests.environments.cluster_health import health_problems
from tests.support.small_cluster import NAMESPACE, Cluster


def put_node(cluster: Cluster, **conditions: str) -> None:
    found = {"Ready": "True", **conditions}
    items = [{"type": name, "status": status} for name, status in found.items()]
    cluster.put("nodes", "one", status={"conditions": items})


def put_pod(cluster: Cluster, phase: str, **status: Any) -> None:
    cluster.put("pods", "code-1", status={"phase": phase, **status})


def test_a_cluster_in_good_order_can_take_a_run(cluster: Cluster) -> None:
    put_node(cluster)
    put_pod(cluster, "Running")

    assert health_problems(cluster.kube(), NAMESPACE) == ()


@pytest.mark.parametrize(
    ("condition", "status", "reason"),
    [
        ("Ready", "False", "node one is not ready"),
        ("Ready", "Unknown", "node one is not ready"),
        ("MemoryPressure", "True", "node one has MemoryPressure"),
        ("DiskPressure", "True", "node one has DiskPressure"),
    ],
)
def test_a_node_in_trouble_is_a_reason(
    cluster: Cluster, condition: str, status: str, reason: str
) -> None:
    put_node(cluster, **{condition: status})

    assert health_problems(cluster.kube(), NAMESPACE) == (reason,)


def test_a_pod_that_finds_no_room_is_a_reason(cluster: Cluster) -> None:
    put_node(cluster)
    scheduled = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: no memory"}
    put_pod(cluster, "Pending", conditions=[scheduled])

    assert health_problems(cluster.kube(), NAMESPACE) == (
        "pod/code-1 is pending: 0/1 nodes: no memory",
    )


def test_an_account_that_may_not_see_nodes_does_without(cluster: Cluster) -> None:
    cluster.refused["GET", "nodes"] = 403
    put_pod(cluster, "Pending")

    assert health_problems(cluster.kube(), NAMESPACE) == ("pod/code-1 is pending",)


def test_an_api_that_does_not_answer_is_no_good_order(cluster: Cluster) -> None:
    cluster.refused["GET", "nodes"] = 503

    with pytest.raises(InfrastructureError):
        health_problems(cluster.kube(), NAMESPACE)
