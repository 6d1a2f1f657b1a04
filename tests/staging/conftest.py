"""Fixtures of the staging suites: the platform, loaded with its data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from platform_suite.fixtures import cluster, dagster, dagster_host

__all__ = ["cluster", "dagster", "dagster_host"]


@pytest.fixture(scope="session")
def results() -> Path:
    """Where the suite's own files go, beside JUnit's."""
    return Path(os.environ.get("FLOE_RESULTS_DIR", "/results"))
