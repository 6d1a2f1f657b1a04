"""The platform's own pods: as restricted, as limited and as healthy as production wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster, Pod

pytestmark = pytest.mark.kubernetes


@pytest.fixture
def role_pods(cluster: Cluster, role: str) -> tuple[Pod, ...]:
    """The pods of one role; there is at least one."""
    pods = cluster.release_pods(role)
    assert pods, f"no pod of the role {role}"
    return pods


def test_pods_are_ready_and_never_ran_out_of_memory(role_pods: tuple[Pod, ...]) -> None:
    """A pod that comes back after each kill looks healthy and is not."""
    for pod in role_pods:
        assert pod.is_ready, pod.name
        ends = [reason for container in pod.containers for reason in container.ended_because]
        assert "OOMKilled" not in ends, pod.name


def test_containers_have_requests_and_limits(role_pods: tuple[Pod, ...]) -> None:
    """CPU and memory of every container, init containers too: a quota would refuse the rest."""
    for pod in role_pods:
        for container in pod.containers:
            assert container.requests.keys() >= {"cpu", "memory"}, (pod.name, container.name)
            assert container.limits.keys() >= {"cpu", "memory"}, (pod.name, container.name)


def test_pods_run_under_the_restricted_profile(role_pods: tuple[Pod, ...]) -> None:
    """No root, no capabilities, no way to gain them, nothing written beside the volumes."""
    for pod in role_pods:
        assert pod.security_context["runAsNonRoot"] is True, pod.name
        assert pod.security_context["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        for container in pod.containers:
            context = container.security_context
            assert context["allowPrivilegeEscalation"] is False, (pod.name, container.name)
            assert context["capabilities"]["drop"] == ["ALL"], (pod.name, container.name)
            assert context["readOnlyRootFilesystem"] is True, (pod.name, container.name)


def test_every_role_has_a_disruption_budget_that_is_met(
    cluster: Cluster, role: str, role_pods: tuple[Pod, ...]
) -> None:
    """A node's drain waits for it, and it is not short of pods already."""
    (pod, *_) = role_pods
    own = [b for b in cluster.disruption_budgets() if b.selects.items() <= pod.labels.items()]
    assert len(own) == 1, f"{len(own)} budgets select the {role}; an eviction wants exactly one"
    assert own[0].healthy >= max(1, own[0].must_be_healthy), role
