"""What the suite around these tests says of its platform."""

from __future__ import annotations

import os

import pytest

from platform_suite.fixtures import cluster, dagster, dagster_host, own_pod, policies, roles

__all__ = ["cluster", "dagster", "dagster_host", "own_pod", "policies", "roles"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask what is asked of one role of every role that the Job names."""
    if "role" in metafunc.fixturenames:
        metafunc.parametrize("role", os.environ.get("PLATFORM_ROLES", "").split())
