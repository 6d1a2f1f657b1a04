"""What starts the tiers of an installed platform: sensors and schedules, off until switched on.

They look, and pipeline/triggers.py decides. Which tier is started by what stands in its settings.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from floe_tests.config.environment import InstalledSettings
from floe_tests.config.providers import description_of
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.core.labels import CLUSTER, PLATFORM, TIER, TRIGGER

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    from floe_tests.kube.client import Kube
    from floe_tests.pipeline.triggers import Decision, GreenRun
    from floe_tests.platform.installed import InstalledState

_INTERVAL_SECONDS = 60
_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

Tick = dg.RunRequest | dg.SkipReason


def trigger_sensors(
    settings: TierSettings, job: "UnresolvedAssetJobDefinition"
) -> list[dg.SensorDefinition]:
    """Return the sensors that a tier's `triggers` ask for.

    Args:
        settings: The tier.
        job: Its job.
    """
    installed, triggers = settings.installed, settings.triggers
    if installed is None:
        return []
    sensors: list[dg.SensorDefinition] = []
    if triggers.on_deployment:
        sensors.append(
            _sensor(
                f"{job.name}_on_deployment",
                job,
                _deployment_tick(settings, installed),
                f"Starts {settings.name} when {installed.release} in {installed.namespace} has "
                "changed and is rolled out.",
            )
        )
    if triggers.after_green is not None:
        followed = triggers.after_green
        sensors.append(
            _sensor(
                f"{job.name}_after_{followed.replace('-', '_')}",
                job,
                _follow_up_tick(settings, installed, followed),
                f"Starts {settings.name} after a green run of {followed}, once for each version of "
                f"{installed.release} in {installed.namespace}.",
            )
        )
    return sensors


def tier_schedules(
    settings: TierSettings, job: "UnresolvedAssetJobDefinition"
) -> list[dg.ScheduleDefinition]:
    """Return a tier's schedule, if it has one.

    Args:
        settings: The tier.
        job: Its job.
    """
    wanted, installed = settings.schedule, settings.installed
    if wanted is None:
        return []
    schedule = partial(
        dg.ScheduleDefinition,
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=wanted.cron,
        execution_timezone=wanted.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    if installed is None:
        return [schedule(tags={TRIGGER: "schedule"})]

    def tick(context: dg.ScheduleEvaluationContext) -> Tick:
        from floe_tests.pipeline.triggers import on_schedule

        return _answer(
            context,
            lambda: on_schedule(
                hindrances=lambda: _hindrances(context.instance, settings, installed)
            ),
        )

    return [
        schedule(
            execution_fn=tick,
            description=f"Starts {settings.name}, unless its cluster is busy or in trouble then.",
        )
    ]


def _sensor(
    name: str,
    job: "UnresolvedAssetJobDefinition",
    tick: Callable[[dg.SensorEvaluationContext], Tick],
    description: str,
) -> dg.SensorDefinition:
    return dg.SensorDefinition(
        name=name,
        evaluation_fn=tick,
        job=job,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=description,
    )


def _deployment_tick(
    settings: TierSettings, installed: InstalledSettings
) -> Callable[[dg.SensorEvaluationContext], Tick]:
    def tick(context: dg.SensorEvaluationContext) -> Tick:
        from floe_tests.pipeline.triggers import on_deployment

        return _answer(
            context,
            lambda: on_deployment(
                _state(settings, installed),
                cursor=context.cursor,
                hindrances=lambda: _hindrances(context.instance, settings, installed),
            ),
        )

    return tick


def _follow_up_tick(
    settings: TierSettings, installed: InstalledSettings, followed: str
) -> Callable[[dg.SensorEvaluationContext], Tick]:
    def tick(context: dg.SensorEvaluationContext) -> Tick:
        from floe_tests.pipeline.triggers import after_green

        green = _newest_green(context.instance, settings, followed)
        return _answer(
            context,
            lambda: after_green(
                _state(settings, installed),
                green=green,
                is_known=green is not None and _is_known(context.instance, settings, green),
                hindrances=lambda: _hindrances(context.instance, settings, installed),
            ),
        )

    return tick


def _answer(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext,
    decide: Callable[[], "Decision"],
) -> Tick:
    """Return a decision as Dagster takes it; a cluster that cannot be seen is a reason to wait."""
    try:
        decision = decide()
    except FloeTestsError as error:
        return dg.SkipReason(f"The cluster cannot be seen: {first_line(error)}")
    context.log.info("%s", decision.reason)
    if decision.run_key is None:
        return dg.SkipReason(f"{decision.reason}.")
    if decision.cursor is not None and isinstance(context, dg.SensorEvaluationContext):
        context.update_cursor(decision.cursor)
    return dg.RunRequest(run_key=decision.run_key or None, tags=decision.tags)


def _kube(settings: TierSettings) -> "Kube":
    from floe_tests.kube.client import Kube

    return Kube(description_of(settings.environments[0]).access(settings))


def _state(settings: TierSettings, installed: InstalledSettings) -> "InstalledState":
    from floe_tests.platform.installed import state_of

    return state_of(_kube(settings), installed)


def _hindrances(
    instance: dg.DagsterInstance, settings: TierSettings, installed: InstalledSettings
) -> tuple[str, ...]:
    """Return why no run should start now: runs here, runs of other orchestrators, trouble."""
    from floe_tests.environments.cluster_health import health_problems
    from floe_tests.environments.cluster_holder import held_by

    kube = _kube(settings)
    records = instance.get_run_records(
        dg.RunsFilter(tags={CLUSTER: settings.cluster_name}, statuses=_ACTIVE)
    )
    runs = [record.dagster_run for record in records]
    reasons = [
        f"run {run.run_id[:8]} of {run.tags.get(TIER, run.job_name)} ({run.status.value}) has the "
        "cluster"
        for run in runs
    ]
    holder = held_by(kube, installed.namespace)
    if holder is not None and holder.run_id not in {run.run_id for run in runs}:
        reasons.append(f"{holder} has the cluster")
    return (*reasons, *health_problems(kube, installed.namespace))


def _newest_green(
    instance: dg.DagsterInstance, settings: TierSettings, followed: str
) -> "GreenRun | None":
    from floe_tests.pipeline.triggers import GreenRun

    tags = {TIER: followed, CLUSTER: settings.cluster_name}
    wanted = dg.RunsFilter(tags=tags, statuses=[dg.DagsterRunStatus.SUCCESS])
    for record in instance.get_run_records(wanted, limit=1):
        run = record.dagster_run
        if PLATFORM in run.tags:
            return GreenRun(run.run_id, followed, run.tags[PLATFORM])
    return None


def _is_known(instance: dg.DagsterInstance, settings: TierSettings, green: "GreenRun") -> bool:
    tags = {TIER: settings.name, CLUSTER: settings.cluster_name, PLATFORM: green.platform}
    return bool(instance.get_run_records(dg.RunsFilter(tags=tags), limit=1))
