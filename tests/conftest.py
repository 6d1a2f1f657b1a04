"""What every suite shares: its helpers' place, and what each test needs around it.

How many tests a session is about to run is counted by the plugin in packages/floe-tests-pytest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Suites import what they share by its own name, `platform_suite`. Whether pytest adds this folder
# to the path hangs on its import mode, which differs between the project and the image.
_SUITES = str(Path(__file__).parent)
if _SUITES not in sys.path:
    sys.path.append(_SUITES)
pytest.register_assert_rewrite("platform_suite")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker here: a test image carries no project configuration."""
    config.addinivalue_line(
        "markers",
        "kubernetes: needs a pod in a Kubernetes cluster; skipped with the reason elsewhere",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a pod where there is none, and say so."""
    if item.get_closest_marker("kubernetes") is None:
        return
    provider = os.environ.get("FLOE_TESTS_PROVIDER")
    if provider == "local":
        pytest.skip("needs a pod in a Kubernetes cluster; FLOE_TESTS_PROVIDER is local")
    # By hand, without the orchestrator's word for it: the kubelet sets this in every container.
    if provider is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        pytest.skip("needs a pod in a Kubernetes cluster; this process runs outside of one")
