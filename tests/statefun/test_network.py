"""Who may speak to whom: by the policies' objects, and on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.connection import connects
from platform_suite.network_policy import may_connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.cluster import Cluster, Pod

pytestmark = [pytest.mark.kubernetes, pytest.mark.kafka, pytest.mark.kinesis]

# Port of each role that others ask.
PORTS = {"kafka": 9092, "localstack": 4566, "functions": 8080, "jobmanager": 8081}
# Whom a role asks, on that port. Flink's own pods, and who has no port, apart.
OPENED = {
    "tests": {"kafka", "localstack", "jobmanager"},
    "taskmanager": {"kafka", "localstack", "functions", "jobmanager"},
    "jobmanager": {"kafka", "localstack"},
    "functions": set(),
    "localstack": set(),
    "kafka": set(),
}
# These choose ports of their own for each other.
FLINK = {"jobmanager", "taskmanager"}


@pytest.fixture
def roles(cluster: Cluster, own_pod: Pod) -> Mapping[str, Pod]:
    """One pod of each role that is installed, the tests' own included."""
    pods = {pod.component: pod for pod in cluster.release_pods() if pod.component in OPENED}
    return {**pods, "tests": own_pod}


def test_policies_open_what_a_role_needs_and_no_more(
    policies: tuple[Mapping[str, object], ...], roles: Mapping[str, Pod]
) -> None:
    """From each role to each other one, on every port that anybody listens on."""
    for source, pod in roles.items():
        opened = {
            (target, port)
            for target in roles.keys() - {source}
            for port in PORTS.values()
            if may_connect(policies, source=pod.labels, target=roles[target].labels, port=port)
        }
        flink = FLINK - {source} if source in FLINK else set()
        wanted = {(role, PORTS[role]) for role in OPENED[source] & roles.keys()}
        assert opened == wanted | {(role, port) for role in flink for port in PORTS.values()}


def test_test_pods_cannot_reach_the_functions(
    policies: tuple[Mapping[str, object], ...], roles: Mapping[str, Pod]
) -> None:
    """Whoever calls a function past StateFun could read and forge state."""
    functions, own = roles["functions"], roles["tests"]
    reached = connects(functions.address, PORTS["functions"])
    assert not may_connect(
        policies, source=own.labels, target=functions.labels, port=PORTS["functions"]
    )
    if reached:
        pytest.skip(
            "this cluster's network does not enforce NetworkPolicies: they deny this pod "
            f"{functions.name}:{PORTS['functions']}, and the connection was made"
        )
