"""After `helm rollback`: what the upgrade had changed is as the chart's values have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .chart_values import chart_values, memory_limits, upgraded_roles

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster
    from platform_suite.dagster_api import DagsterApi

pytestmark = [pytest.mark.kubernetes, pytest.mark.after_rollback]


def test_dagster_has_the_old_setting_again(dagster: DagsterApi) -> None:
    """Read from the running webserver."""
    wanted = chart_values()["runs"]["maxRuntimeSeconds"]
    assert dagster.settings()["run_monitoring"]["max_runtime_seconds"] == wanted


@pytest.mark.parametrize("role", upgraded_roles())
def test_pods_have_the_old_memory_limit_again(cluster: Cluster, role: str) -> None:
    """The pod that serves now is the one of the old values."""
    assert cluster.memory_limits(role) == {memory_limits(chart_values())[role]}
