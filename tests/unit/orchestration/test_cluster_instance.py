"""Runs that are pods are cancelled through the database, by whoever may write it."""

from __future__ import annotations

import threading
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.reconstruct import reconstructable
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from sqlalchemy.exc import OperationalError

from floe_tests.orchestration import cluster_instance
from floe_tests.orchestration.cluster_instance import ClusterInstance, ClusterRunCoordinator


@pytest.fixture
def instance(tmp_path: Path) -> ClusterInstance:
    """An instance as the chart configures it, but for its SQLite."""
    module = "floe_tests.orchestration.cluster_instance"
    (tmp_path / "dagster.yaml").write_text(
        yaml.safe_dump(
            {
                "instance_class": {"module": module, "class": "ClusterInstance"},
                "run_coordinator": {"module": module, "class": "ClusterRunCoordinator"},
                # Whoever asks it for anything is found out: there is no cluster here.
                "run_launcher": {
                    "module": "dagster_k8s.launcher",
                    "class": "K8sRunLauncher",
                    "config": {
                        "service_account_name": "run",
                        "instance_config_map": "instance",
                        "dagster_home": "/home",
                    },
                },
                "telemetry": {"enabled": False},
            }
        )
    )
    made = dg.DagsterInstance.from_config(str(tmp_path))
    assert isinstance(made, ClusterInstance)
    return made


def run_of(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> str:
    location = RegisteredCodeLocationOrigin("floe-tests")
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "a_job")
    run = instance.create_run_for_job(
        job_def=a_job,
        status=status,
        remote_job_origin=origin,
        job_code_origin=reconstructable(a_job).get_python_origin(),
    )
    return run.run_id


@dg.job
def a_job() -> None: ...


def test_a_run_that_is_a_pod_is_asked_to_end_without_a_word_to_the_cluster(
    instance: ClusterInstance,
) -> None:
    run_id = run_of(instance, dg.DagsterRunStatus.STARTED)

    assert instance.run_coordinator.cancel_run(run_id)

    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELING


def test_a_queued_run_is_cancelled_at_once(instance: ClusterInstance) -> None:
    run_id = run_of(instance, dg.DagsterRunStatus.QUEUED)

    assert instance.run_coordinator.cancel_run(run_id)

    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
def test_a_run_that_is_over_is_not_cancelled(
    instance: ClusterInstance, status: dg.DagsterRunStatus
) -> None:
    assert not instance.run_coordinator.cancel_run(run_of(instance, status))


def test_the_coordinator_queues_as_dagsters_own(instance: ClusterInstance) -> None:
    assert isinstance(instance.run_coordinator, ClusterRunCoordinator)
    assert instance.should_start_background_run_thread


def test_a_run_still_hears_of_its_cancellation_after_its_database_was_away(
    instance: ClusterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's thread dies of the first failure; a later Terminate would do nothing."""
    run_id = run_of(instance, dg.DagsterRunStatus.CANCELING)
    failures = iter([OperationalError("select", {}, Exception("refused"))] * 3)
    plain = dg.DagsterInstance.get_run_by_id

    def away_at_first(self: dg.DagsterInstance, run_id: str) -> dg.DagsterRun | None:
        for failure in failures:
            raise failure
        return plain(self, run_id)

    monkeypatch.setattr(dg.DagsterInstance, "get_run_by_id", away_at_first)
    monkeypatch.setattr(cluster_instance, "_AGAIN_SECONDS", 0.0)
    found: list[dg.DagsterRun | None] = []

    thread = threading.Thread(
        target=lambda: found.append(instance.get_run_by_id(run_id)), name="kill-on-cancel"
    )
    thread.start()
    thread.join(timeout=10)

    assert found[0] is not None
    assert found[0].status is dg.DagsterRunStatus.CANCELING


def test_dagsters_thread_still_has_the_name_that_it_is_known_by() -> None:
    from dagster._core.execution import run_cancellation_thread

    source = Path(run_cancellation_thread.__file__).read_text()

    assert f'name="{cluster_instance._WATCHER}"' in source
