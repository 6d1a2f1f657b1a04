"""The release as production wants it: every role there, probed, limited, and inside its quota."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from platform_suite.quantity import amount

from .chart_values import SETTINGS_OF_ROLE, chart_values

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster

pytestmark = pytest.mark.kubernetes

ROLES = sorted(SETTINGS_OF_ROLE)


def test_every_role_has_a_pod_and_no_pod_has_another_role(cluster: Cluster) -> None:
    """A role that is missing would be missing in every table of this suite too."""
    # Two Jobs prepare Polaris, and their pods stay for their logs.
    jobs = {"catalog-realm", "catalog-setup"}
    roles = {pod.component for pod in cluster.release_pods()} - jobs
    assert roles == set(ROLES) == set(os.environ["PLATFORM_ROLES"].split())


@pytest.mark.parametrize("role", ROLES)
def test_every_pod_is_asked_whether_it_is_ready_and_whether_it_lives(
    cluster: Cluster, role: str
) -> None:
    """Without readiness traffic comes too early; without liveness what hangs hangs for ever."""
    for pod in cluster.release_pods(role):
        probes = frozenset().union(*(c.probes for c in pod.containers if not c.is_init))
        # Nobody connects to the daemon, so nothing waits for its readiness but the roll-out.
        wanted = {"liveness"} if role == "daemon" else {"readiness", "liveness"}
        assert probes >= wanted, pod.name


@pytest.mark.parametrize("role", ROLES)
def test_resources_are_those_of_the_values(cluster: Cluster, role: str) -> None:
    """What the values promise reaches the pod: requests and limits, number by number."""
    wanted = chart_values()[SETTINGS_OF_ROLE[role]]["resources"]
    for pod in cluster.release_pods(role):
        (container,) = [each for each in pod.containers if not each.is_init]
        assert {"requests": container.requests, "limits": container.limits} == wanted, pod.name


def test_namespace_has_a_quota_that_is_kept(cluster: Cluster) -> None:
    """Memory and CPU of the release and its tests end somewhere, and there is room below."""
    hard = {name for quota in cluster.quotas() for name in quota.hard}
    assert hard >= {"limits.memory"}, "no ResourceQuota limits memory"
    for quota in cluster.quotas():
        over = [
            name
            for name, limit in quota.hard.items()
            if amount(quota.used.get(name, "0")) > amount(limit)
        ]
        assert not over, quota


def test_containers_without_resources_get_some_from_a_limit_range(cluster: Cluster) -> None:
    """A debugging container that names none is limited too, and not refused by the quota."""
    limits = cluster.container_limits()
    assert limits, "no LimitRange speaks of containers"
    for kind in ("default", "defaultRequest"):
        named = {name for limit in limits for name in limit.get(kind, {})}
        assert named >= {"cpu", "memory"}, kind
