"""The lakehouse's jobs beside its pipeline: what keeps it as large as its data."""

import datetime as dt
import os

import dagster as dg
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from pydantic import Field

from floe_platform.lakehouse import maintenance, serving
from floe_platform.lakehouse.catalog import connect
from floe_platform.lakehouse.settings import read_settings


class MaintenanceConfig(dg.Config):
    """What is kept."""

    keep_minutes: float = Field(
        default=1440,
        ge=maintenance.ALONE_MINUTES,
        description="Snapshots that were current within this time stay, and files younger than it. "
        f"Below {maintenance.SHORTEST_MINUTES} only while no other run is under way.",
    )
    keep_snapshots: int = Field(
        default=10, ge=1, description="The newest snapshots of each table stay, however old."
    )


@dg.op
def expire_and_delete(context: dg.OpExecutionContext, config: MaintenanceConfig) -> None:
    """Expire old snapshots, delete the files that no table names, and observe what is left."""
    if config.keep_minutes < maintenance.SHORTEST_MINUTES:
        _refuse_unless_alone(context, config.keep_minutes)
    settings = read_settings(os.environ)
    served = serving.read(settings.serving, log=context.log)
    kept = maintenance.maintain(
        connect(settings.catalog, log=context.log),
        maintenance.Retention(minutes=config.keep_minutes, snapshots=config.keep_snapshots),
        served_snapshot_id=served.snapshot_id,
        now=dt.datetime.now(dt.UTC),
    )
    for table in kept:
        context.log_event(
            dg.AssetObservation(
                asset_key=table.table.split("."),
                metadata={
                    "expired_snapshots": table.expired,
                    "snapshots": table.snapshots,
                    "deleted_files": table.deleted_files,
                    "deleted_bytes": table.deleted_bytes,
                    "files": table.files,
                    "bytes": table.bytes,
                },
            )
        )


def _refuse_unless_alone(context: dg.OpExecutionContext, keep_minutes: float) -> None:
    """Refuse to take away what a run that is under way may still be writing.

    One that begins later writes files that are younger than those that go.

    Raises:
        Failure: Other runs are under way.
    """
    under_way = context.instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES))
    others = sorted(run.run_id for run in under_way if run.run_id != context.run_id)
    if others:
        raise dg.Failure(
            f"keep_minutes is {keep_minutes:g}, and below {maintenance.SHORTEST_MINUTES} no other "
            f"run may be under way: {', '.join(others[:5])}. Wait for them, or keep "
            f"{maintenance.SHORTEST_MINUTES} minutes or more."
        )


@dg.job(
    description="Expires old snapshots of the Iceberg tables and deletes files that none names.",
    executor_def=dg.in_process_executor,
)
def lakehouse_maintenance() -> None:
    """Keep the lakehouse as large as its data."""
    expire_and_delete()


lakehouse_maintenance_nightly = dg.ScheduleDefinition(
    name="lakehouse_maintenance_nightly",
    job=lakehouse_maintenance,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
"""Every night at three, UTC, when it is switched on."""
