"""The lakehouse's jobs beside its pipeline: what keeps it as large as its data."""

import datetime as dt
import os

import dagster as dg
from pydantic import Field

from floe_platform.lakehouse import maintenance, serving
from floe_platform.lakehouse.catalog import connect
from floe_platform.lakehouse.settings import read_settings


class MaintenanceConfig(dg.Config):
    """What is kept."""

    keep_minutes: float = Field(
        default=1440,
        ge=maintenance.SHORTEST_MINUTES,
        description="Snapshots that were current within this time stay, and files younger than it.",
    )
    keep_snapshots: int = Field(
        default=10, ge=1, description="The newest snapshots of each table stay, however old."
    )


@dg.op
def expire_and_delete(context: dg.OpExecutionContext, config: MaintenanceConfig) -> None:
    """Expire old snapshots, delete the files that no table names, and observe what is left."""
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
