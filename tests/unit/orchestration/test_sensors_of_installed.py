"""Sensors and schedules of an installed platform's tiers, as a Dagster instance evaluates them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from floe_tests.config.tier import TierSettings
from floe_tests.core.labels import CLUSTER, PLATFORM, TIER
from floe_tests.environments.cluster_holder import LEASE
from floe_tests.orchestration.component import job_tags
from floe_tests.orchestration.sensors.installed import tier_schedules, trigger_sensors
from floe_tests.platform.installed import state_of
from tests.support.small_cluster import NAMESPACE, Cluster, put_platform


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def tier(cluster: Cluster, name: str, **changes: Any) -> TierSettings:
    return TierSettings.model_validate(
        {
            "name": name,
            "description": "x",
            "environments": ["context"],
            "context": {"kubeconfig": cluster.access.kubeconfig, "context": "test"},
            "installed": {"release": "floe-platform", "namespace": NAMESPACE},
            "suites": [{"name": "one", "job": "test-job.yaml"}],
            **changes,
        }
    )


def job_of(settings: TierSettings) -> Any:
    name = settings.name.replace("-", "_")
    return dg.define_asset_job(name, tags=job_tags(settings))


@pytest.fixture
def benchmark(cluster: Cluster) -> TierSettings:
    return tier(
        cluster,
        "staging-benchmark",
        triggers={"on_deployment": True},
        schedule={"cron": "0 2 * * *"},
    )


@pytest.fixture
def soak(cluster: Cluster) -> TierSettings:
    return tier(cluster, "staging-soak", triggers={"after_green": "staging-benchmark"})


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None
) -> tuple[Any, str | None]:
    context = dg.build_sensor_context(instance, cursor=cursor)
    found = sensor.evaluate_tick(context)
    said = found.run_requests or [found.skip_message]
    return said[0], found.cursor


def key_of(cluster: Cluster, settings: TierSettings) -> str:
    assert settings.installed is not None
    fingerprint = state_of(cluster.kube(), settings.installed).fingerprint
    assert fingerprint is not None
    return fingerprint.key


def run_of(
    instance: dg.DagsterInstance,
    settings: TierSettings,
    status: dg.DagsterRunStatus,
    platform: str = "",
) -> dg.DagsterRun:
    tags = {**job_tags(settings), **({PLATFORM: platform} if platform else {})}
    run = dg.DagsterRun(settings.name.replace("-", "_"), tags=tags, status=status)
    return instance.add_run(run)


def test_everything_is_off_until_somebody_turns_it_on(
    benchmark: TierSettings, soak: TierSettings
) -> None:
    for settings in (benchmark, soak):
        for sensor in trigger_sensors(settings, job_of(settings)):
            assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
        for schedule in tier_schedules(settings, job_of(settings)):
            assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED


def test_settings_say_which_sensors_there_are(benchmark: TierSettings, soak: TierSettings) -> None:
    names = [
        sensor.name
        for settings in (benchmark, soak)
        for sensor in trigger_sensors(settings, job_of(settings))
    ]

    assert names == ["staging_benchmark_on_deployment", "staging_soak_after_staging_benchmark"]


def test_a_deployment_starts_one_run(
    cluster: Cluster, benchmark: TierSettings, instance: dg.DagsterInstance
) -> None:
    put_platform(cluster)
    (sensor,) = trigger_sensors(benchmark, job_of(benchmark))

    request, cursor = tick(sensor, instance)
    said, same = tick(sensor, instance, cursor)
    put_platform(cluster, digest="bb")
    next_request, _ = tick(sensor, instance, cursor)

    assert request.tags[PLATFORM] != next_request.tags[PLATFORM]
    assert request.run_key != next_request.run_key
    assert "Waiting for another one" in said
    assert same == cursor


def test_a_run_that_has_the_cluster_is_named(
    cluster: Cluster, benchmark: TierSettings, soak: TierSettings, instance: dg.DagsterInstance
) -> None:
    put_platform(cluster)
    run = run_of(instance, soak, dg.DagsterRunStatus.STARTED)
    (sensor,) = trigger_sensors(benchmark, job_of(benchmark))

    said, cursor = tick(sensor, instance)

    assert f"run {run.run_id[:8]} of staging-soak (STARTED) has the cluster" in said
    assert cursor is None


def test_a_run_of_another_orchestrator_is_named(
    cluster: Cluster, benchmark: TierSettings, instance: dg.DagsterInstance
) -> None:
    put_platform(cluster)
    spec = {
        "holderIdentity": "staging-soak/elsewhere@ci",
        "renewTime": datetime.now(UTC).isoformat(),
        "leaseDurationSeconds": 240,
    }
    cluster.put("leases", LEASE, spec=spec)
    (sensor,) = trigger_sensors(benchmark, job_of(benchmark))

    assert "staging-soak/elsewhere@ci" in tick(sensor, instance)[0]


def test_a_degraded_cluster_is_left_alone(
    cluster: Cluster, benchmark: TierSettings, instance: dg.DagsterInstance
) -> None:
    put_platform(cluster)
    conditions = [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]
    cluster.put("nodes", "one", status={"conditions": conditions})
    (sensor,) = trigger_sensors(benchmark, job_of(benchmark))

    assert "node one has DiskPressure" in tick(sensor, instance)[0]


def test_a_cluster_that_does_not_answer_is_a_reason_and_no_failed_tick(
    cluster: Cluster, benchmark: TierSettings, instance: dg.DagsterInstance
) -> None:
    cluster.refused["GET", "deployments"] = 503
    (sensor,) = trigger_sensors(benchmark, job_of(benchmark))

    assert tick(sensor, instance)[0].startswith("The cluster cannot be seen: ")


def test_a_soak_follows_a_green_benchmark_once_a_version(
    cluster: Cluster, benchmark: TierSettings, soak: TierSettings, instance: dg.DagsterInstance
) -> None:
    put_platform(cluster)
    (sensor,) = trigger_sensors(soak, job_of(soak))
    assert "no green run" in tick(sensor, instance)[0]

    key = key_of(cluster, soak)
    run_of(instance, benchmark, dg.DagsterRunStatus.FAILURE, platform=key)
    assert "no green run" in tick(sensor, instance)[0], "a red benchmark starts nothing"

    run_of(instance, benchmark, dg.DagsterRunStatus.SUCCESS, platform=key)
    request, _ = tick(sensor, instance)
    assert request.run_key == key
    assert request.tags[PLATFORM] == key

    run_of(instance, soak, dg.DagsterRunStatus.FAILURE, platform=key)
    assert "its platform had its run" in tick(sensor, instance)[0]


def test_a_green_run_on_another_cluster_starts_nothing(
    cluster: Cluster, benchmark: TierSettings, soak: TierSettings, instance: dg.DagsterInstance
) -> None:
    put_platform(cluster)
    tags = {TIER: "staging-benchmark", CLUSTER: "elsewhere", PLATFORM: key_of(cluster, soak)}
    run = dg.DagsterRun("staging_benchmark", tags=tags, status=dg.DagsterRunStatus.SUCCESS)
    instance.add_run(run)
    (sensor,) = trigger_sensors(soak, job_of(soak))

    assert "no green run" in tick(sensor, instance)[0]
    del benchmark


def test_a_schedule_leaves_a_run_out_where_the_cluster_is_busy(
    cluster: Cluster, benchmark: TierSettings, soak: TierSettings
) -> None:
    put_platform(cluster)
    (schedule,) = tier_schedules(benchmark, job_of(benchmark))
    assert schedule.cron_schedule == "0 2 * * *"

    # An instance on disk: a schedule opens its own.
    with dg.DagsterInstance.local_temp() as instance:
        due = schedule.evaluate_tick(dg.build_schedule_context(instance))
        run_of(instance, soak, dg.DagsterRunStatus.STARTED)
        left_out = schedule.evaluate_tick(dg.build_schedule_context(instance))

    triggers = [request.tags["floe-tests/trigger"] for request in due.run_requests or ()]
    assert triggers == ["schedule"]
    assert not left_out.run_requests
    assert "left out this time" in (left_out.skip_message or "")


def test_runs_of_tiers_on_one_platform_have_one_tag(
    benchmark: TierSettings, soak: TierSettings
) -> None:
    assert job_tags(benchmark)[CLUSTER] == job_tags(soak)[CLUSTER] == f"test/{NAMESPACE}"
