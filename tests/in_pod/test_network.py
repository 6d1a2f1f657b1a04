"""Network policies: closed by default, and whether the cluster keeps to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.connection import connects
from platform_suite.network_policy import is_denied_by_default, may_connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.cluster import Pod
    from platform_suite.dagster_api import DagsterApi

pytestmark = pytest.mark.kubernetes

CODE_PORT = 4000


@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_platform_pods_are_denied_by_default(
    policies: tuple[Mapping[str, object], ...], roles: Mapping[str, Pod], role: str, direction: str
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


def test_test_pods_cannot_reach_the_code_location(
    dagster: DagsterApi,
    policies: tuple[Mapping[str, object], ...],
    own_pod: Pod,
    roles: Mapping[str, Pod],
) -> None:
    """The denial holds on the wire, where the cluster enforces policies at all."""
    code = roles["code"]
    reached = connects(code.address, CODE_PORT)
    # It listens, and a pod that the policies let in gets through: the webserver asks it anew.
    dagster.reload_location()
    denied = not may_connect(policies, source=own_pod.labels, target=code.labels, port=CODE_PORT)
    assert denied, "the policies themselves let test pods reach the code location"
    if reached:
        pytest.skip(
            "this cluster's network does not enforce NetworkPolicies: they deny this pod "
            f"{code.name}:{CODE_PORT}, and the connection was made"
        )
