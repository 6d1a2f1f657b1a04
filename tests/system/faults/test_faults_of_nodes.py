"""A node that is drained, and one that stops: the attempt moves to the other."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from floe_tests.core.verdict import Cause
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

from ..conftest import CLUSTER, SmallTier, job  # noqa: TID252 - suites are folders, not packages
from ..fault_table import Row  # noqa: TID252
from .bench import DEADLINES, FaultBench
from .conftest import bench_on
from .test_faults_of_clusters import LONGER, pod_on
from .test_faults_of_pods import WAITS, go

# The plain node image of airgap/ takes one node; this one any number of them.
IMAGE = f"{os.environ.get('IMAGE_REGISTRY_PREFIX', '')}kindest/node:v1.34.2-cilium"
ROLES = ["control-plane", "worker", "worker"]
SETTINGS = {"deadlines": {**DEADLINES, "tests_seconds": 150, **LONGER}}

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of three nodes, two of which take pods."""
    found = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    if found.returncode != 0:
        pytest.skip(f"no node image for several nodes: {IMAGE} (`airgap/run node --cilium`)")
    name = f"{CLUSTER}-nodes"
    path = tmp_path_factory.mktemp("nodes") / "kubeconfig"
    config = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": role} for role in ROLES],
    }
    delete = ["kind", "delete", "cluster", "--name", name]
    subprocess.run(delete, check=True, capture_output=True)
    try:
        subprocess.run(
            [
                "kind",
                "create",
                "cluster",
                "--name",
                name,
                "--image",
                IMAGE,
                "--config",
                "-",
                "--kubeconfig",
                str(path),
                "--wait",
                "180s",
            ],
            input=yaml.safe_dump(config),
            text=True,
            check=True,
            timeout=400,
        )
        yield path
    finally:
        subprocess.run(delete, check=True, capture_output=True)


@pytest.fixture
def bench(tmp_path: Path, nodes: Path, fault_table: list[Row]) -> Iterator[FaultBench]:
    kube = Kube(ClusterAccess(kubeconfig=str(nodes)))
    yield from bench_on(SmallTier(tmp_path / "project", nodes), kube, fault_table)


def test_node_drained(bench: FaultBench) -> None:
    running = bench.start(job(WAITS), **SETTINGS)
    running.wait_for("test_before")
    node = pod_on(running)
    try:
        bench.kubectl(
            "drain",
            node,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            "--force",
            "--timeout=60s",
            seconds=90,
        )
        running.wait_for_second_start(seconds=120)
        second = pod_on(running)
        go(bench, running)
        published = running.finish()
    finally:
        bench.kubectl("uncordon", node)

    bench.judge(
        "node drained",
        published,
        Cause.INFRA_DISRUPTED,
        "EvictionByEvictionAPI",
        finally_seen=Cause.PASS,
    )
    assert second != node


def test_node_stopped(bench: FaultBench) -> None:
    running = bench.start(job(WAITS), **SETTINGS)
    running.wait_for("test_before")
    node = pod_on(running)
    subprocess.run(["docker", "stop", "--time", "0", node], check=True, capture_output=True)
    try:
        # Kubernetes itself waits 40 to 50 s for a node before it calls it lost.
        running.wait_for_second_start(seconds=180)
        second = pod_on(running)
        go(bench, running)
        published = running.finish()
    finally:
        subprocess.run(["docker", "start", node], check=True, capture_output=True)

    bench.judge(
        "node stopped",
        published,
        Cause.INFRA_NODE,
        f"node/{node} condition Ready",
        finally_seen=Cause.PASS,
    )
    assert second != node
