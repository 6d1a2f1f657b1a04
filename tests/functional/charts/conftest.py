"""Renders charts with the real `helm template`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).parents[3] / "charts"
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))
# A helm built without the release's version stamps takes the cluster for an ancient one.
KUBE_VERSION = "1.34.2"

Manifest = dict[str, Any]


class RefusedError(Exception):
    """helm refused to render; the message is its own."""


Render = Callable[..., list[Manifest]]


@pytest.fixture(scope="session")
def helm() -> str:
    found = shutil.which("helm")
    if found is None:
        cache = os.environ.get("KIND_FROM_PACKAGES_CACHE", "~/.cache/kind-from-packages")
        built = Path(cache).expanduser() / "bin" / "helm"
        found = str(built) if built.exists() else None
    if found is None:
        pytest.skip("helm is not installed: https://helm.sh/docs/intro/install/")
    return found


@pytest.fixture(scope="session")
def render(helm: str) -> Render:
    def run(
        chart: str,
        *arguments: str,
        release: str = "floe-platform",
        namespace: str = "floe-test",
    ) -> list[Manifest]:
        result = subprocess.run(
            [
                *(helm, "template", release, str(CHARTS / chart)),
                *("--namespace", namespace, "--kube-version", KUBE_VERSION, *arguments),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if result.returncode != 0:
            raise RefusedError(result.stderr)
        return [document for document in yaml.safe_load_all(result.stdout) if document]

    return run
