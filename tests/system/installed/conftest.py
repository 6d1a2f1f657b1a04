"""A platform that is there before the runs and stays after them: the chart's minimal form."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_tests.core.labels import RUN
from floe_tests.kube.client import Kube

ROOT = Path(__file__).resolve().parents[3]
NAMESPACE = "floe-staging"
RELEASE = "floe-platform"
INSTALLED = {"release": RELEASE, "namespace": NAMESPACE}


@pytest.fixture(scope="package")
def platform(kubeconfig: Path, kube: Kube) -> Iterator[None]:
    """Install it once, and wait until it is up."""
    helm = ["helm", "install", RELEASE, str(ROOT / "charts" / "floe-platform")]
    prefix = os.environ.get("IMAGE_REGISTRY_PREFIX", "")
    where = ["--kubeconfig", str(kubeconfig), "--namespace", NAMESPACE]
    subprocess.run(
        [
            *helm,
            *where,
            "--create-namespace",
            "--wait",
            "--timeout=5m",
            "--set",
            "minimal=true",
            "--set-string",
            f"global.imageRegistryPrefix={prefix}",
        ],
        check=True,
        capture_output=True,
    )
    yield
    kube.delete("Namespace", NAMESPACE)


@pytest.fixture(autouse=True)
def _nothing_left(platform: None, kube: Kube) -> Iterator[None]:
    """Every run leaves the platform as it was, and nothing of its own."""
    del platform
    yield
    left = [
        f"{kind.lower()}/{item['metadata']['name']}"
        for kind in ("Job", "Pod", "ConfigMap")
        for item in kube.list(kind, namespace=NAMESPACE, label_selector=RUN)
    ]
    assert left == []
    assert kube.get("Namespace", NAMESPACE) is not None
