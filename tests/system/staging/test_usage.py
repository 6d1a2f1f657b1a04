"""What a soak says where it cannot trust the kubelets, and there is no metrics server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube

from ..conftest import ROOT, job  # noqa: TID252 - suites are folders, not packages
from .conftest import PREFIX, make_namespaces, stand_in
from .orchestrator import Orchestrator

pytestmark = pytest.mark.thorough

NAMESPACE = "floe-usage"
ACCOUNT = "floe-test-runner"
# As the soak does it, with the account and the rights that the chart gives test pods.
CHOOSE = """
from platform_suite.cluster import Cluster
from staging.soak.usage import NoUsage, choose_source

try:
    print(choose_source(Cluster.of_this_pod(), tls="verify").name)
except NoUsage as error:
    print(error)
"""


def choosing() -> dict[str, Any]:
    """Return a Job that chooses a source and prints which, or why none."""
    variables = {"PYTHONPATH": "/app/tests", "POD_NAMESPACE": NAMESPACE}
    env = [{"name": name, "value": value} for name, value in variables.items()]
    manifest: Any = job("", command=["python", "-c", CHOOSE], env=env)
    manifest["metadata"] = {"name": "choosing"}
    spec = manifest["spec"]["template"]["spec"]
    spec["serviceAccountName"] = ACCOUNT
    (container,) = spec["containers"]
    container["image"] = f"{PREFIX}{container['image']}"
    return manifest


def account() -> list[dict[str, Any]]:
    """Return the account of test pods and its rights, as the chart makes them."""
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


def test_without_either_source_it_says_why_of_each(cluster: Orchestrator) -> None:
    """kind's kubelets have signed their own certificates."""
    cluster.apply(choosing())
    cluster.kubectl("wait", "job/choosing", "--for=condition=Complete", "--timeout=90s")
    error = cluster.kubectl("logs", "job/choosing")
    assert "CERTIFICATE_VERIFY_FAILED" in error
    assert error.endswith("metrics.k8s.io: Not Found")
