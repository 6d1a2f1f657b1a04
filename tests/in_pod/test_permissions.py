"""What the test pod's ServiceAccount may do: look, evict a pod, and nothing else."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster

pytestmark = pytest.mark.kubernetes

LOOKED_AT = [
    "pods",
    "services",
    "deployments.apps",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
]
NOT_IN_ITS_NAMESPACE = [
    ("get", "secrets"),
    ("list", "secrets"),
    ("get", "configmaps"),
    ("create", "pods"),
    ("create", "pods/exec"),
    ("delete", "pods"),
    ("get", "pods/log"),
    ("patch", "pods"),
    ("create", "jobs.batch"),
    ("delete", "jobs.batch"),
    ("patch", "deployments.apps"),
    ("delete", "deployments.apps"),
    ("update", "deployments.apps/scale"),
    ("delete", "services"),
    ("delete", "persistentvolumeclaims"),
    ("create", "networkpolicies.networking.k8s.io"),
    ("delete", "networkpolicies.networking.k8s.io"),
    ("create", "serviceaccounts/token"),
    ("impersonate", "serviceaccounts"),
    ("create", "rolebindings.rbac.authorization.k8s.io"),
    ("escalate", "roles.rbac.authorization.k8s.io"),
]
NOT_BEYOND_ITS_NAMESPACE = [
    ("list", "pods"),
    ("delete", "pods"),
    ("list", "secrets"),
    ("list", "nodes"),
    ("list", "namespaces"),
    ("create", "namespaces"),
]


def test_pod_is_the_test_runners_service_account(cluster: Cluster) -> None:
    """The API server knows this pod by the account its rights are given to."""
    wanted = f"system:serviceaccount:{cluster.namespace}:floe-test-runner"
    assert cluster.user_name() == wanted


def test_account_may_look_and_evict_a_pod(cluster: Cluster) -> None:
    """Without these the other tests could see nothing, and show no pod coming back."""
    missing = [resource for resource in LOOKED_AT if not cluster.may("list", resource)]
    assert not missing, f"it may not list {missing}"
    assert cluster.may("create", "pods/eviction")


def test_account_may_not_take_its_own_pod_away(cluster: Cluster) -> None:
    """What it had reported would look like the node's fault."""
    assert not cluster.evict_pod(socket.gethostname())


def test_account_may_do_nothing_else_in_its_namespace(cluster: Cluster) -> None:
    """A test that is taken over gets no Secret, no other pod and no more rights."""
    allowed = [request for request in NOT_IN_ITS_NAMESPACE if cluster.may(*request)]
    assert not allowed, f"it may {allowed}"


@pytest.mark.parametrize(
    "namespace",
    [pytest.param("kube-system", id="kube-system"), pytest.param("", id="whole cluster")],
)
def test_account_may_do_nothing_elsewhere(cluster: Cluster, namespace: str) -> None:
    """Its rights end with its namespace."""
    allowed = [
        request
        for request in NOT_BEYOND_ITS_NAMESPACE
        if cluster.may(*request, namespace=namespace)
    ]
    assert not allowed, f"it may {allowed}"


def test_reading_secrets_is_refused_by_the_api_server(cluster: Cluster) -> None:
    """Not only the review says so: the request itself comes back with 403."""
    refusal = cluster.refusal_of_secrets()
    assert refusal is not None, "the Secrets were handed out"
    assert "floe-test-runner" in refusal
