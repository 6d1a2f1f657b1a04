"""What a soak says where it cannot trust the kubelets, and there is no metrics server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.kube import ClusterAccess, Kube

from ..conftest import ROOT, job  # noqa: TID252 - suites are folders, not packages
from .conftest import PREFIX, make_namespaces, stand_in
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
