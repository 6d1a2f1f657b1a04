"""What doctor says of an installed platform, its quota, its turn and what runs have left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels
from floe_tests.core.labels import Owner
from floe_tests.doctor.check import Check
from floe_tests.doctor.installed import check_installed
from floe_tests.doctor.needs import Needs, needs_of
from floe_tests.environments.cluster_holder import LEASE
from tests.support.small_cluster import JOB, NAMESPACE, Cluster, put_platform


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "test-job.yaml").write_text(JOB)
    return Workspace(root=tmp_path, output=tmp_path, home=tmp_path, history_url="")


@pytest.fixture
def needs(workspace: Workspace) -> Needs:
    tier = TierSettings.model_validate(
        {
            "name": "staging-soak",
            "description": "x",
            "environments": ["context"],
            "suites": [{"name": "soak", "job": "test-job.yaml"}],
            "installed": {"release": "floe-platform", "namespace": NAMESPACE},
        }
    )
    return needs_of(tier, "context", workspace, kube_version=None)


def looked(cluster: Cluster, needs: Needs, workspace: Workspace) -> dict[str, Check]:
    return {check.name: check for check in check_installed(cluster.kube(), needs, workspace)}


def states(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.state for name, check in checks.items()}


def test_a_platform_that_is_up_and_free_is_fine(
    cluster: Cluster, needs: Needs, workspace: Workspace
) -> None:
    put_platform(cluster)

    assert needs.namespace == NAMESPACE
    assert set(states(looked(cluster, needs, workspace)).values()) == {"ok"}


def test_a_platform_that_is_not_there_is_a_failure(
    cluster: Cluster, needs: Needs, workspace: Workspace
) -> None:
    check = looked(cluster, needs, workspace)["platform floe-platform"]

    assert check.state == "failed"
    assert "is not there" in check.found


def quota(left: str) -> dict[str, Any]:
    return {"status": {"hard": {"limits.memory": "2Gi"}, "used": {"limits.memory": left}}}


def test_a_quota_without_room_names_what_is_short(
    cluster: Cluster, needs: Needs, workspace: Workspace
) -> None:
    put_platform(cluster)
    cluster.put("resourcequotas", "platform", **quota("1792Mi"))

    check = looked(cluster, needs, workspace)["quota"]

    assert check.state == "failed"
    assert "platform: limits.memory has 256 MiB left, a suite needs 576 MiB" in check.found


def test_a_quota_with_room_is_fine(cluster: Cluster, needs: Needs, workspace: Workspace) -> None:
    put_platform(cluster)
    cluster.put("resourcequotas", "platform", **quota("1Gi"))

    assert looked(cluster, needs, workspace)["quota"].state == "ok"


def test_a_cluster_that_a_run_has_and_what_another_left_are_told(
    cluster: Cluster, needs: Needs, workspace: Workspace
) -> None:
    put_platform(cluster)
    now = datetime.now(UTC)
    dead = Owner("dead-run", "staging-soak", "main", "1", now - timedelta(hours=1))
    mark = {labels.CREATED_UID_ANNOTATION: "uid-of-soak-dead-run-1"}
    cluster.put("jobs", "soak-dead-run-1", metadata={"labels": dead.labels(), "annotations": mark})
    spec = {
        "holderIdentity": "staging-benchmark/other@host",
        "renewTime": now.isoformat(),
        "leaseDurationSeconds": 240,
    }
    cluster.put("leases", LEASE, spec=spec)

    checks = looked(cluster, needs, workspace)

    assert checks["cluster's turn"].state == "warning"
    assert "staging-benchmark/other@host" in checks["cluster's turn"].found
    assert checks["leftovers in the namespace"].found == "run dead-run: job/soak-dead-run-1"


def test_what_may_not_be_seen_is_unknown_and_no_failure(
    cluster: Cluster, needs: Needs, workspace: Workspace
) -> None:
    for plural in ("deployments", "resourcequotas", "leases", "jobs"):
        cluster.refused["GET", plural] = 403

    found = states(looked(cluster, needs, workspace))

    assert found.pop("memory") == "ok"
    assert set(found.values()) == {"unknown"}
