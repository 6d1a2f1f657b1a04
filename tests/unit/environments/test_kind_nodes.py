"""What Docker and a node's disk say of a kind cluster, as recorded."""

from __future__ import annotations

from datetime import UTC, datetime

from floe_tests.environments.providers.kind.nodes import KindAccess, clusters_in, labels_in

CONTAINERS = """\
b\tworker\tb-worker\t2026-11-24 09:53:44 +0100 CET\t3f
b\tcontrol-plane\tb-control-plane\t2026-11-24 08:53:45 +0000 UTC\t2e
a\tcontrol-plane\ta-control-plane\t2026-11-24 08:00:00 +0000 UTC\t1d
"""
BETA_3 = """\
nodeRegistration:
  kubeletExtraArgs:
    node-ip: 172.18.0.3
    node-labels: floe-tests/expires=1795428000,floe-tests/run=1a2b,team=a
"""
BETA_4 = """\
nodeRegistration:
  kubeletExtraArgs:
  - name: node-labels
    value: "floe-tests/run=1a2b"
"""


def test_nodes_are_gathered_into_clusters_with_a_control_plane_and_their_first_second():
    first, second = clusters_in(CONTAINERS)

    assert (first.name, first.node) == ("a", "a-control-plane")
    assert (second.name, second.node, second.node_id) == ("b", "b-control-plane", "2e")
    assert second.created_at == datetime(2026, 11, 24, 8, 53, 44, tzinfo=UTC)
    assert clusters_in("") == ()


def test_a_cluster_that_never_came_up_says_whose_it_is():
    """Its API never answered, so nobody could ask it for its labels."""
    assert labels_in(BETA_3) == {"floe-tests/expires": "1795428000", "floe-tests/run": "1a2b"}
    assert labels_in(BETA_4) == {"floe-tests/run": "1a2b"}
    assert labels_in("nodeRegistration: {}") == {}


def test_a_command_for_by_hand_needs_no_kubeconfig():
    access = KindAccess(cluster="a", node="a-control-plane")

    assert access.kubectl("delete namespace", "x") == (
        "docker exec a-control-plane kubectl --kubeconfig /etc/kubernetes/admin.conf "
        "delete namespace x"
    )
