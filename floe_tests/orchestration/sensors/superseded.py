"""Cancels a tier's older runs on a ref when a newer one is there: their verdicts matter no more.

Off until somebody turns it on: on a laptop, two runs on one branch are usually meant.
"""

import os
from dataclasses import replace
from pathlib import Path

import dagster as dg

from floe_tests.config.project import Workspace
from floe_tests.core.labels import TIER
from floe_tests.orchestration.cancellation import Canceller, active_runs
from floe_tests.pipeline.cancellation import SHORT_ID, ActiveRun, superseded

_INTERVAL_SECONDS = 30


def superseded_sensor(root: Path) -> dg.SensorDefinition:
    """Return the sensor.

    Args:
        root: The project's folder.
    """

    def superseded_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        workspace = Workspace.from_environment(root, os.environ)
        runs = _runs_here(context, workspace)
        canceller = Canceller.of(workspace, context.instance)
        done: list[str] = []
        for item in superseded(runs):
            canceller.stamp(item.run.run_id, item.reason)
            how = canceller.end(item.run.run_id) or (
                f"not ended: {canceller.hindrance(item.run.run_id)}"
            )
            done.append(f"{item.run}: {item.reason}; {how}")
            context.log.info("%s", done[-1])
        return dg.SkipReason("; ".join([_looked_at(runs), *(done or ["none is superseded"])]))

    return dg.SensorDefinition(
        name="superseded",
        evaluation_fn=superseded_runs,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Cancels a tier's older runs on a ref when a newer one is in progress.",
    )


def _runs_here(context: dg.SensorEvaluationContext, workspace: Workspace) -> tuple[ActiveRun, ...]:
    """Return the active runs of this location's tiers."""
    tiers = {
        job.tags[TIER]
        for job in (context.repository_def.get_all_jobs() if context.repository_def else ())
        if TIER in job.tags
    }
    here = context.code_location_origin and context.code_location_origin.location_name
    found: list[ActiveRun] = []
    for run, active in active_runs(context.instance):
        origin = run.remote_job_origin
        location = origin and origin.location_name
        if active.tier not in tiers or (here and location and here != location):
            continue
        # A run that waits in the queue has not looked yet; it will find what is found here.
        found.append(
            replace(active, ref=workspace.ref) if origin and active.ref is None else active
        )
    return tuple(found)


def _looked_at(runs: tuple[ActiveRun, ...]) -> str:
    if not runs:
        return "no run is in progress"
    return f"looked at {len(runs)}: " + ", ".join(
        f"{run.run_id[:SHORT_ID]} ({run.tier}, {run.branch or 'unknown ref'})" for run in runs
    )
