"""The job itself and the pods around it: what the suites of Kafka and Kinesis both stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.cluster import Cluster
from platform_suite.deadline import NotYet, wait_for

from .versions import image_version, statefun_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from .flink import Flink

pytestmark = [pytest.mark.kubernetes, pytest.mark.kafka, pytest.mark.kinesis]


def test_every_task_runs_and_the_operator_knows(flink: Flink, cluster: Cluster) -> None:
    """READY and RUNNING in the resource's status, as its owner reads it."""
    assert set(flink.task_states().values()) == {"RUNNING"}

    def known() -> None:
        status = cluster.custom_object("flink.apache.org/v1beta1", "flinkdeployments", "statefun")
        state = (
            status["status"]["jobManagerDeploymentStatus"],
            status["status"]["jobStatus"]["state"],
        )
        if state != ("READY", "RUNNING"):
            raise NotYet(str(state))

    wait_for(known, what="the operator's view", deadline_seconds=60)


def test_versions_of_the_run_are_said(
    flink: Flink, cluster: Cluster, record_property: Callable[[str, object], None]
) -> None:
    """Which operator, Flink and StateFun a result is about stands in the result."""
    versions = {
        "operator": image_version(Cluster.of_this_pod("flink-operator"), "operator"),
        "flink": flink.version(),
        "statefun": statefun_version(cluster),
    }
    for name, version in versions.items():
        record_property(name, version)
    assert all(versions.values()), versions


def test_state_is_saved_as_production_saves_it(flink: Flink) -> None:
    """Exactly once, every five seconds, RocksDB's changes alone, to S3; a quick election."""
    settings, options = flink.checkpoint_settings(), flink.options()

    assert settings["mode"] == "exactly_once"
    assert settings["interval"] == 5000
    assert settings["state_backend"] == "EmbeddedRocksDBStateBackend"
    assert options["state.backend.incremental"] == "true"
    assert options["state.checkpoints.dir"] == "s3://statefun-checkpoints/checkpoints"
    election = "high-availability.kubernetes.leader-election."
    assert options[election + "lease-duration"] == "15s"
    assert options[election + "renew-deadline"] == "10s"
    assert options[election + "retry-period"] == "2s"


def test_every_pod_is_restricted_and_limited(cluster: Cluster) -> None:
    """Flink's own too, which no chart made: no root, nothing to gain, nothing to write to."""
    for pod in cluster.release_pods():
        assert pod.security_context["runAsNonRoot"] is True, pod.name
        assert pod.security_context["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        for container in pod.containers:
            context, place = container.security_context, (pod.name, container.name)
            assert context["allowPrivilegeEscalation"] is False, place
            assert context["readOnlyRootFilesystem"] is True, place
            assert context["capabilities"]["drop"] == ["ALL"], place
            assert container.limits.keys() >= {"cpu", "memory"}, place
            assert "OOMKilled" not in container.ended_because, place
