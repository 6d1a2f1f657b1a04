"""After `helm upgrade` with upgrade-values.yaml: what it changes is in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .chart_values import chart_values, memory_limits, upgrade_values, upgraded_roles

if TYPE_CHECKING:
    from platform_suite.cluster import Cluster
    from platform_suite.dagster_api import DagsterApi

pytestmark = [pytest.mark.kubernetes, pytest.mark.after_upgrade]


def test_dagster_has_the_new_setting(dagster: DagsterApi) -> None:
    """Read from the running webserver, not from the file that it may have read."""
    wanted = upgrade_values()["runs"]["maxRuntimeSeconds"]
    assert wanted != chart_values()["runs"]["maxRuntimeSeconds"], "the upgrade changes nothing"
    assert dagster.settings()["run_monitoring"]["max_runtime_seconds"] == wanted


@pytest.mark.parametrize("role", upgraded_roles())
def test_pods_have_the_new_memory_limit(cluster: Cluster, role: str) -> None:
    """The pod that serves now is the one of the new values."""
    wanted = memory_limits(upgrade_values())[role]
    assert wanted != memory_limits(chart_values())[role], "the upgrade changes nothing"
    assert cluster.memory_limits(role) == {wanted}
