"""Who gets how much of a cluster."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from floe_tests.core import labels
from floe_tests.execution.sharding.capacity import (
    claims_of,
    free_on_nodes,
    pods_in_quotas,
    requests_of,
)
from floe_tests.execution.sharding.fair_share import Claim, fair_shares, next_parallelism
from floe_tests.execution.sharding.parallelism import Parallelism


@pytest.mark.parametrize(
    ("claims", "shares"),
    [
        pytest.param([("a", 50, 0.02)], {"a": 50}, id="alone"),
        pytest.param([("a", 100, 0.02)], {"a": 50}, id="alone, and more than there is"),
        pytest.param([("a", 99, 0.02), ("b", 99, 0.02)], {"a": 25, "b": 25}, id="half each"),
        pytest.param([("a", 99, 0.02), ("b", 5, 0.02)], {"a": 45, "b": 5}, id="the modest first"),
        pytest.param([("a", 99, 0.02), ("b", 99, 0.1)], {"a": 25, "b": 5}, id="large pods"),
        pytest.param(
            [("a", 9, 0.5), ("b", 9, 0.5), ("c", 9, 0.5)],
            {"a": 1, "b": 1, "c": 1},
            id="nobody starves",
        ),
        pytest.param([("a", 9, 0.0), ("b", 7, 0.0)], {"a": 9, "b": 7}, id="size unknown"),
        pytest.param(
            [("a", 9, 0.1), ("a", 1, 0.1), ("b", 9, 0.1)], {"a": 5, "b": 5}, id="one run, two Jobs"
        ),
    ],
)
def test_shares(claims: list[tuple[str, int, float]], shares: dict[str, int]):
    assert fair_shares(Claim(*claim) for claim in claims) == shares


def test_all_runs_reckon_the_same_whoever_they_hear_of_first():
    claims = [Claim(f"run-{n}", 10 + n % 7, 0.01) for n in range(20)]

    assert fair_shares(claims) == fair_shares(reversed(claims))


@pytest.mark.parametrize(
    ("share", "running", "now", "then"),
    [
        pytest.param(40, 10, 20, 40, id="grows at once"),
        pytest.param(5, 20, 20, 20, id="takes nothing back"),
        pytest.param(5, 12, 20, 12, id="falls with the pods that end"),
        pytest.param(5, 2, 20, 5, id="down to the share"),
        pytest.param(5, 30, 20, 20, id="never above what it is"),
    ],
)
def test_a_pod_that_has_a_node_is_never_taken_back(share: int, running: int, now: int, then: int):
    assert next_parallelism(share=share, running=running, now=now) == then


POD: dict[str, Any] = {
    "containers": [
        {"resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}}
    ],
    "initContainers": [
        {"restartPolicy": "Always", "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}},
        {"resources": {"requests": {"cpu": "2"}}},
    ],
}


def test_a_pod_takes_its_sidecars_and_its_largest_beginning():
    assert requests_of(POD) == {"cpu": 2.01, "memory": 160 * 1024**2, "pods": 1.0}


def node(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod_on(name: str, *, suite: str | None = None, phase: str = "Running") -> dict[str, Any]:
    owned = {labels.MANAGED_BY: labels.MANAGER, labels.SUITE: suite} if suite else {}
    return {
        "metadata": {"labels": owned},
        "spec": {**POD, "nodeName": name},
        "status": {"phase": phase},
    }


def test_room_is_what_others_leave_and_tests_pods_are_room():
    tainted = node("t", taints=[{"key": "x", "effect": "NoSchedule"}])
    nodes = [node("a"), tainted, node("c", unschedulable=True)]
    pods = [pod_on("a"), pod_on("a", suite="s"), pod_on("a", phase="Succeeded"), pod_on("gone")]

    (free,) = free_on_nodes(nodes, pods, POD)

    assert free["pods"] == 109
    assert free["cpu"] == pytest.approx(4 - 2.01)


def test_a_quota_bounds_by_limits_and_counts_own_pods_as_room():
    quota = {
        "spec": {"hard": {"limits.memory": "8Gi"}},
        "status": {"hard": {"limits.memory": "8Gi"}, "used": {"limits.memory": "5Gi"}},
    }
    own = [pod_on("a", suite="s"), pod_on("a", suite="s", phase="Failed"), pod_on("a")]

    assert pods_in_quotas([quota], POD, own=own) == 4
    assert pods_in_quotas([], POD, own=own) is None


def job(run: str, *, wish: str | None, completions: int, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "labels": {labels.RUN: run, labels.MANAGED_BY: labels.MANAGER},
            "annotations": {labels.WANTED_ANNOTATION: wish} if wish else {},
        },
        "spec": {"completions": completions, "template": {"spec": POD}},
        "status": status,
    }


def test_a_run_claims_what_it_still_has_to_run():
    over = {"conditions": [{"type": "Complete", "status": "True"}]}
    jobs = [
        job("a", wish="50", completions=250, succeeded=220, failed=5),
        job("b", wish=None, completions=1),
        job("c", wish="9", completions=9, **over),
        {"metadata": {"labels": {"app": "another's"}}, "spec": {}},
    ]

    claims = list(claims_of(jobs, {"cpu": 20.1, "memory": 1e12, "pods": 1000}))

    assert [(claim.run, claim.pods) for claim in claims] == [("a", 25), ("b", 1)]
    assert claims[0].pod_share == pytest.approx(0.1)


def test_parallelism_falls_when_pods_find_no_node_and_grows_again_in_steps():
    said: list[str] = []
    # Each look at the clock is a quarter of an hour later.
    parallelism = Parallelism(
        run="a", wish=40, log=said.append, clock=itertools.count(0, 900).__next__
    )

    parallelism.observe(placed=16, unplaced=24)
    assert parallelism.next(placed=16) == 16
    parallelism.observe(placed=16, unplaced=0)
    assert parallelism.next(placed=16) == 20
    parallelism.observe(placed=18, unplaced=0)
    assert parallelism.next(placed=18) is None, "grows only while it is full"
    assert "up to 16 shards at once" in said[0]


def test_parallelism_is_not_written_anew_with_each_pod_that_ends():
    """The Job controller pauses when its own writes conflict with ours."""
    parallelism = Parallelism(run="a", wish=40, log=lambda _line: None)

    parallelism.observe(placed=16, unplaced=24)
    assert parallelism.next(placed=16) == 16
    parallelism.observe(placed=12, unplaced=4)
    assert parallelism.next(placed=12) is None
    assert parallelism.now == 16
