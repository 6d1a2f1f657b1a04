"""Who may speak to whom in the full form: by name, by the policies' objects, and on the wire."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from platform_suite.connection import connects
from platform_suite.network_policy import may_connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.cluster import Cluster, Pod

    from .story import TwoAtOnce

pytestmark = pytest.mark.kubernetes

# Port of each role's container; the daemon has none.
PORTS = {
    "webserver": 3000,
    "code": 4000,
    "postgres": 5432,
    "object-storage": 7070,
    "catalog": 8181,
    "cube": 4000,
}
# Who speaks to whom, on that port. All that is not here is closed.
OPENED = {
    "tests": {"webserver", "catalog", "object-storage", "cube"},
    "webserver": {"code", "postgres"},
    "daemon": {"code", "postgres"},
    "code": {"postgres", "catalog", "object-storage"},
    "catalog": {"postgres", "object-storage"},
    "cube": {"postgres"},
    "object-storage": set(),
    "postgres": set(),
}


@pytest.mark.parametrize(
    "variable", ["DAGSTER_HOST", "POLARIS_HOST", "CUBE_HOST", "S3_HOST", "POSTGRES_HOST"]
)
def test_cluster_dns_resolves_every_name_of_the_job(cluster: Cluster, variable: str) -> None:
    """Each name is a Service's, or that of the pods behind one that has no address."""
    host = os.environ[variable]
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    service = cluster.service_address(host.partition(".")[0])
    if service == "None":
        pods = cluster.release_pods(host.partition(".")[0])
        assert found == {pod.address for pod in pods}
    else:
        assert found == {service}


@pytest.mark.parametrize("source", sorted(OPENED))
def test_policies_open_what_a_role_needs_and_no_more(
    policies: tuple[Mapping[str, object], ...],
    own_pod: Pod,
    roles: Mapping[str, Pod],
    source: str,
) -> None:
    """From one role to every other, on every port that anybody listens on."""
    pods = {"tests": own_pod, **roles}
    opened = {
        (target, port)
        for target in pods
        for port in set(PORTS.values())
        if target != source
        and may_connect(policies, source=pods[source].labels, target=pods[target].labels, port=port)
    }
    assert opened == {(target, PORTS[target]) for target in OPENED[source]}


@pytest.mark.parametrize("role", sorted(OPENED["tests"]))
def test_connection_that_the_policies_open_is_made(roles: Mapping[str, Pod], role: str) -> None:
    """Otherwise a network that is down would pass for one that denies."""
    assert connects(roles[role].address, PORTS[role])


def test_test_pods_cannot_reach_postgres(
    policies: tuple[Mapping[str, object], ...],
    own_pod: Pod,
    roles: Mapping[str, Pod],
    two_at_once: TwoAtOnce,
) -> None:
    """The denial holds on the wire, where the cluster enforces policies at all."""
    port, postgres = PORTS["postgres"], roles["postgres"]
    # It listens, and pods that the policies let in get through: a run was written to it.
    assert two_at_once.first.run.status == "SUCCESS", two_at_once.first.reasons()
    reached = connects(postgres.address, port)
    denied = not may_connect(policies, source=own_pod.labels, target=postgres.labels, port=port)
    assert denied, "the policies themselves let test pods reach Postgres"
    if reached:
        pytest.skip(
            "this cluster's network does not enforce NetworkPolicies: they deny this pod "
            f"{postgres.name}:{port}, and the connection was made"
        )
