"""Old runs on a Dagster instance: its own record of them, and a job that removes all of them.

Dagster reads annotations when it builds an op, so they are not postponed here.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from floe_tests.core.errors import CleanupError
from floe_tests.core.labels import CAUSE, TIER

if TYPE_CHECKING:
    from floe_tests.cleanup.prune import Left
    from floe_tests.cleanup.retention import OldRun, Place, StoredRun
    from floe_tests.config.project import Workspace

_BATCH_RUNS = 200
_TABLE_ROWS = 50
_DAILY = "17 3 * * *"


def stored_in_dagster(instance: dg.DagsterInstance) -> "Iterator[StoredRun]":
    """Return the runs that an instance knows, of all jobs."""
    from datetime import UTC

    from floe_tests.cleanup.retention import StoredRun

    cursor: str | None = None
    while records := instance.get_run_records(limit=_BATCH_RUNS, cursor=cursor):
        for record in records:
            run = record.dagster_run
            passed = run.tags.get(CAUSE) == "PASS" if TIER in run.tags else run.is_success
            yield StoredRun(
                place="dagster",
                run_id=run.run_id,
                tier=run.tags.get(TIER, run.job_name),
                series="",
                began=record.create_timestamp.replace(tzinfo=UTC),
                passed=passed,
                stays_because="" if run.is_finished else f"it is {run.status.value.lower()}",
            )
        cursor = records[-1].dagster_run.run_id


def remove_from_dagster(instance: dg.DagsterInstance, old: "Sequence[OldRun]") -> "Iterator[Left]":
    """Remove what an instance keeps of runs: their rows, events and captured logs."""
    from floe_tests.cleanup.prune import Left

    for each in old:
        run_id = each.run.run_id
        try:
            instance.delete_run(run_id)
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            _remove_shard(instance, run_id)
        except Exception as error:  # noqa: BLE001 - a storage of any kind; the others still go
            yield Left(each, f"{type(error).__name__}: {error}")


def _remove_shard(instance: dg.DagsterInstance, run_id: str) -> None:
    """Remove the database that SQLite has for each run: Dagster empties it and lets it be."""
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        shard = Path(storage.path_for_shard(run_id))
        for path in (shard, *shard.parent.glob(f"{shard.name}-*")):
            path.unlink(missing_ok=True)


def all_runs(workspace: "Workspace", instance: dg.DagsterInstance) -> "Iterable[StoredRun]":
    """Return the runs of all places.

    Raises:
        FloeTestsError: The history cannot be read.
    """
    from datetime import UTC, datetime

    from floe_tests.cleanup.prune import stored_files, stored_in_history
    from floe_tests.pipeline.entries import ledger_of

    now = datetime.now(UTC)
    return chain(
        stored_files(workspace, ledger_of(workspace), now=now),
        stored_in_history(workspace),
        stored_in_dagster(instance),
    )


def remove_all(
    workspace: "Workspace", instance: dg.DagsterInstance, old: "Sequence[OldRun]"
) -> "tuple[Left, ...]":
    """Remove old runs from all places, and return what stays."""
    from floe_tests.cleanup.prune import remove, remove_files, remove_from_history
    from floe_tests.pipeline.entries import ledger_of

    removers: Mapping[Place, partial[Iterator[Left]]] = {
        "files": partial(remove_files, workspace, ledger_of(workspace)),
        "history": partial(remove_from_history, workspace),
        "dagster": partial(remove_from_dagster, instance),
    }
    return remove(old, removers)


def prune_definitions(root: Path) -> dg.Definitions:
    """Return the job `prune`, and its daily schedule, which is off until somebody starts it.

    Args:
        root: The project's folder.
    """

    @dg.op(name="remove_old_runs")
    def remove_old_runs(context: dg.OpExecutionContext) -> None:
        """Remove what runs have left that are kept no longer."""
        from floe_tests.cleanup.prune import plan
        from floe_tests.config.loader import read_tiers
        from floe_tests.config.project import Workspace

        workspace = Workspace.from_environment(root, os.environ)
        tiers = read_tiers(root)
        for each in tiers.broken:
            context.log.warning("runs of tier %s stay: %s", each.name, each.text(root))
        runs = all_runs(workspace, context.instance)
        old = plan(runs, tiers.good, leaves_others=bool(tiers.broken))
        left = remove_all(workspace, context.instance, old)
        context.add_output_metadata(
            {
                "removed": dg.MetadataValue.int(len(old) - len(left)),
                "remaining": dg.MetadataValue.int(len(left)),
                "bytes of files": dg.MetadataValue.int(
                    sum(each.run.size_bytes or 0 for each in old)
                ),
                "removals": _table(old),
            }
        )
        if left:
            wrong = [
                f"{each.old.run.place} of {each.old.run.run_id}: {each.error}" for each in left
            ]
            raise dg.Failure(description=str(CleanupError("\n".join(wrong))), allow_retries=False)

    @dg.job(  # pyright: ignore[reportUnknownMemberType] - its metadata is untyped
        name="prune",
        executor_def=dg.in_process_executor,
        description="Removes what old runs have left, as each tier's `retention` says: files, "
        "ledger, history, Dagster's own record.",
    )
    def prune_job() -> None:
        remove_old_runs()

    schedule = dg.ScheduleDefinition(
        name="prune_daily",
        job=prune_job,
        cron_schedule=_DAILY,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Starts `prune` each night.",
    )
    return dg.Definitions(jobs=[prune_job], schedules=[schedule])


def _table(old: "Sequence[OldRun]") -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord(
                {
                    "place": each.run.place,
                    "run": each.run.run_id,
                    "tier": each.run.tier,
                    "began": each.run.began.isoformat(timespec="minutes"),
                    "reason": each.reason,
                }
            )
            for each in old[:_TABLE_ROWS]
        ],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn(name, "string")
                for name in ("place", "run", "tier", "began", "reason")
            ]
        ),
    )
