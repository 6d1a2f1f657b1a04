"""What a soak samples where it cannot trust the kubelets, and there is a metrics server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.kube import ClusterAccess, Kube
from staging.soak.usage import usage_of_summary

from ..conftest import ROOT, job  # noqa: TID252 - suites are folders, not packages
from .conftest import PREFIX, make_namespaces, manifests_of, needs_images, stand_in
from .orchestrator import Orchestrator

pytestmark = pytest.mark.thorough

NAMESPACE = "floe-usage"
ACCOUNT = "floe-test-runner"
# As the soak does it, with the account and the rights that the chart gives test pods.
SAMPLE = """
import json
from dataclasses import asdict
from platform_suite.cluster import Cluster
from staging.soak.usage import NoUsage, Sampler, choose_source

cluster = Cluster.of_this_pod()
try:
    source = choose_source(cluster, tls="verify")
    samples = [asdict(each) for each in Sampler(cluster, source, disk_of={}).sample()]
    print(json.dumps({"source": source.name, "samples": samples}))
except NoUsage as error:
    print(json.dumps({"error": str(error)}))
"""


def sampling(name: str) -> dict[str, Any]:
    """Give a Job that samples once and prints what it found."""
    manifest: dict[str, Any] = json.loads(
        json.dumps(
            job(
                "",
                command=["python", "-c", SAMPLE],
                env=[
                    {"name": "PYTHONPATH", "value": "/app/tests"},
                    {"name": "POD_NAMESPACE", "value": NAMESPACE},
                ],
            )
        )
    )
    manifest["metadata"] = {"name": name}
    spec = manifest["spec"]["template"]["spec"]
    spec["serviceAccountName"] = ACCOUNT
    spec["containers"][0]["image"] = f"{PREFIX}{spec['containers'][0]['image']}"
    return manifest


def account() -> list[dict[str, Any]]:
    """Give the account of test pods and its rights, as the chart makes them."""
    chart = str(ROOT / "charts" / "floe-platform")
    only = ("--show-only", "templates/tests/test-runner.yaml", "--kube-version", "1.34.2")
    values = ("--set", "tests.enabled=true,tests.resourceUsage.enabled=true")
    done = subprocess.run(
        ["helm", "template", "floe", chart, "--namespace", NAMESPACE, *only, *values],
        check=True,
        capture_output=True,
        text=True,
    )
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def cluster(staging_kubeconfig: Path) -> Orchestrator:
    """A namespace with one pod of a platform, and the account of its tests."""
    kube = Kube(ClusterAccess(kubeconfig=str(staging_kubeconfig)))
    found = Orchestrator(staging_kubeconfig, kube, NAMESPACE, NAMESPACE)
    make_namespaces(kube, NAMESPACE)
    platform: Any = stand_in()
    labels = {
        "app.kubernetes.io/name": "floe-platform",
        "app.kubernetes.io/component": "webserver",
    }
    platform["spec"]["template"]["metadata"]["labels"].update(labels)
    found.apply(platform, *account())
    found.kubectl("rollout", "status", "deployment/stand-in", "--timeout", "60s")
    return found


@pytest.fixture
def _metrics_server(cluster: Orchestrator) -> Iterator[None]:
    """The metrics API, once it knows the pod."""
    needs_images("registry.k8s.io/metrics-server/metrics-server:v0.9.0")
    where = "/apis/metrics.k8s.io/v1beta1"
    try:
        cluster.apply(*manifests_of("metrics-server.yaml"), namespace="kube-system")

        def knows_it() -> bool:
            done = cluster.kubectl_done("get", "--raw", f"{where}/namespaces/{NAMESPACE}/pods")
            return done.returncode == 0 and bool(json.loads(done.stdout)["items"])

        cluster.wait("the metrics API knows the pod", knows_it, timeout_seconds=120, pause=2)
        yield
    finally:
        # A group that nobody serves would hold up the deletion of every namespace.
        cluster.kubectl("delete", "apiservice", "v1beta1.metrics.k8s.io")


def sampled(cluster: Orchestrator, name: str) -> dict[str, Any]:
    """Run the Job and read what it said."""
    cluster.apply(sampling(name))
    cluster.kubectl("wait", f"job/{name}", "--for=condition=Complete", "--timeout=90s")
    return json.loads(cluster.kubectl("logs", f"job/{name}"))


def test_without_either_source_it_says_why_of_each(cluster: Orchestrator) -> None:
    """kind's kubelets have signed their own certificates."""
    error = sampled(cluster, "without")["error"]
    assert "CERTIFICATE_VERIFY_FAILED" in error
    assert error.endswith("metrics.k8s.io: Not Found")


@pytest.mark.usefixtures("_metrics_server")
def test_metrics_api_stands_in_for_kubelets_that_nobody_vouches_for(cluster: Orchestrator) -> None:
    found = sampled(cluster, "with")
    assert found["source"] == "metrics.k8s.io"
    (sample,) = found["samples"]
    assert sample["component"] == "webserver"
    assert (sample["memory_limit_bytes"], sample["cpu_limit_cores"]) == (256 * 1024 * 1024, 1.0)
    assert sample["disk_bytes"] is None
    node = cluster.kube.list("Pod", namespace=NAMESPACE)[0]["spec"]["nodeName"]
    summary = cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary")
    kubelet = usage_of_summary(json.loads(summary), NAMESPACE)[sample["pod"]]
    # It sleeps: what it has in memory now, it had when it was sampled.
    assert sample["memory_bytes"] == pytest.approx(kubelet.memory_bytes, rel=0.02)
    assert sample["cpu_cores"] < 0.01
