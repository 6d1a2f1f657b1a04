"""Network policies: what the objects promise, and whether the cluster keeps it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from .network_policy import is_denied_by_default, may_connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .cluster import Cluster, Pod
    from .dagster_api import DagsterApi

pytestmark = pytest.mark.kubernetes

WEBSERVER_PORT = 3000
CODE_PORT = 4000
CONNECT_TIMEOUT_SECONDS = 3.0


@pytest.fixture(scope="module")
def policies(cluster: Cluster) -> tuple[Mapping[str, object], ...]:
    """The namespace's NetworkPolicies."""
    return cluster.network_policies()


@pytest.fixture(scope="module")
def own_pod(cluster: Cluster) -> Pod:
    """The pod that these tests run in."""
    return cluster.pod(os.environ["POD_NAME"])


@pytest.fixture(scope="module")
def roles(cluster: Cluster) -> dict[str, Pod]:
    """One pod of each role of the release."""
    return {pod.component: pod for pod in cluster.release_pods() if pod.is_ready}


@pytest.mark.parametrize("role", ["webserver", "daemon", "code"])
@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_platform_pods_are_denied_by_default(
    policies: tuple[Mapping[str, object], ...], roles: dict[str, Pod], role: str, direction: str
) -> None:
    """What no policy opens is closed, in both directions."""
    denied = is_denied_by_default(policies, roles[role].labels, direction)
    assert denied, f"no policy selects the {role} for {direction}"


@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_test_pods_are_denied_by_default(
    policies: tuple[Mapping[str, object], ...], own_pod: Pod, direction: str
) -> None:
    """A test pod is no way round the policies."""
    denied = is_denied_by_default(policies, own_pod.labels, direction)
    assert denied, f"no policy selects test pods for {direction}"


def test_policies_open_what_the_platform_needs_and_no_more(
    policies: tuple[Mapping[str, object], ...], own_pod: Pod, roles: dict[str, Pod]
) -> None:
    """Who may speak to whom, as a table."""
    pods = {"tests": own_pod, **roles}
    opened = {
        (source, target, port)
        for source in pods
        for target in pods
        for port in (WEBSERVER_PORT, CODE_PORT)
        if source != target
        and may_connect(policies, source=pods[source].labels, target=pods[target].labels, port=port)
    }
    assert opened == {
        ("tests", "webserver", WEBSERVER_PORT),
        ("webserver", "code", CODE_PORT),
        ("daemon", "code", CODE_PORT),
    }


def test_test_pods_cannot_reach_the_code_location(
    dagster: DagsterApi,
    policies: tuple[Mapping[str, object], ...],
    own_pod: Pod,
    roles: dict[str, Pod],
) -> None:
    """The denial holds on the wire, where the cluster enforces policies at all."""
    code = roles["code"]
    reached = _connects(code.address, CODE_PORT)
    # It listens, and a pod that the policies let in gets through: the webserver asks it anew.
    dagster.reload_location()
    denied = not may_connect(policies, source=own_pod.labels, target=code.labels, port=CODE_PORT)
    assert denied, "the policies themselves let test pods reach the code location"
    if reached:
        pytest.skip(
            "this cluster's network does not enforce NetworkPolicies: they deny this pod "
            f"{code.name}:{CODE_PORT}, and the connection was made"
        )


def _connects(address: str | None, port: int) -> bool:
    assert address is not None, "the code location's pod has no address"
    try:
        with socket.create_connection((address, port), timeout=CONNECT_TIMEOUT_SECONDS):
            return True
    except OSError:
        return False
