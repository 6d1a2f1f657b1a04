"""The reaper on a Dagster instance: looks every five minutes, and removes in a run of its own.

Dagster reads annotations when it builds an op, so they are not postponed here.
"""

import functools
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from floe_tests.core.errors import CleanupError

if TYPE_CHECKING:
    from floe_tests.cleanup.expiry import RunState, RunStateOf
    from floe_tests.cleanup.plan import Leftover, Scope

_INTERVAL_SECONDS = 300
_TABLE_ROWS = 50


def reaper_definitions(root: Path) -> dg.Definitions:
    """Return the sensor `reaper`, which is off until somebody starts it, and the job `reap`.

    Args:
        root: The project's folder.
    """

    @dg.op(name="remove_leftovers")
    def remove_leftovers(context: dg.OpExecutionContext) -> None:
        """Remove what killed and expired runs have left."""
        from floe_tests.cleanup.reaper import reap
        from floe_tests.config.project import Workspace
        from floe_tests.pipeline.orphaned_run import remember_orphaned_run

        workspace = Workspace.from_environment(root, os.environ)
        done = reap(
            _scope(root, context.instance),
            log=context.log.info,
            on_killed=functools.partial(remember_orphaned_run, workspace),
        )
        for item in done.removed:
            context.log.info("removed: %s %s (%s)", item.what, item.name, item.reason)
        context.add_output_metadata(
            {
                "removed": dg.MetadataValue.int(len(done.removed)),
                "remaining": dg.MetadataValue.int(len(done.remaining)),
                "removals": _table(done.removed),
                "looked at": dg.MetadataValue.text("; ".join(done.looked_at)),
            }
        )
        wrong = [*(f"{_words(left.item)}: {left.error}" for left in done.remaining), *done.problems]
        if wrong:
            raise dg.Failure(description=str(CleanupError("\n".join(wrong))), allow_retries=False)

    @dg.job(  # pyright: ignore[reportUnknownMemberType] - its metadata is untyped
        name="reap",
        executor_def=dg.in_process_executor,
        description="Removes what killed and expired runs have left; touches nothing of others.",
    )
    def reap_job() -> None:
        remove_leftovers()

    @dg.sensor(  # pyright: ignore[reportUnknownMemberType] - its metadata is untyped
        name="reaper",
        job=reap_job,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Starts `reap` when killed or expired runs have left something.",
    )
    def reaper(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        from floe_tests.cleanup.reaper import plan

        found = plan(_scope(root, context.instance))
        if not found.removable:
            looked_at = "; ".join((*found.looked_at, *found.problems))
            unproved = [_words(item) for item in found.staying if item.word == "unproved"]
            more = f" Not proved to be a run's: {'; '.join(unproved)}." if unproved else ""
            return dg.SkipReason(f"Nothing to remove. Looked at {looked_at}.{more}")
        return dg.RunRequest(run_key=run_key(found.removable), tags={"floe-tests/reaper": "true"})

    return dg.Definitions(jobs=[reap_job], sensors=[reaper])


def run_key(removable: "tuple[Leftover, ...]", *, hour: str | None = None) -> str:
    """Return a key that is the same for the same things within an hour.

    So a tick does not ask again while a run removes them, and what could not be removed is tried
    again an hour later, not every five minutes.

    Args:
        removable: What may go.
        hour: The hour; None for the current one.
    """
    from datetime import UTC, datetime

    names = "\n".join(sorted("/".join(item.key) for item in removable))
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    return f"{hour or f'{datetime.now(UTC):%Y-%m-%dT%H}'}-{digest}"


def run_state_of(instance: dg.DagsterInstance) -> "RunStateOf":
    """Return what an instance says of a run: over, live, or that it does not know it."""

    def run_state(run_id: str) -> "RunState":
        run = instance.get_run_by_id(run_id)
        if run is None:
            return "unknown"
        return "over" if run.is_finished else "live"

    return run_state


def _scope(root: Path, instance: dg.DagsterInstance) -> "Scope":
    from floe_tests.cleanup.plan import Scope
    from floe_tests.config.loader import platforms_of, read_tiers
    from floe_tests.config.project import Workspace
    from floe_tests.environments.ownership import platform_namespaces
    from floe_tests.kube.access import ClusterAccess
    from floe_tests.pipeline.entries import ledger_of

    # In a pod the cluster around it is where runs of other pods, with ledgers of their own, are.
    around = (ClusterAccess(),) if "KUBERNETES_SERVICE_HOST" in os.environ else ()
    # What a tier that cannot be read would name is not looked at; its own job says so.
    tiers = read_tiers(root).good
    return Scope(
        ledger=ledger_of(Workspace.from_environment(root, os.environ)),
        clusters=around,
        platforms=platforms_of(tiers),
        run_state=run_state_of(instance),
        protected=platform_namespaces(tiers),
    )


def _words(item: "Leftover") -> str:
    return f"{item.what} {item.name} of run {item.run_id[:8]} stays; `{item.command}` removes it"


def _table(items: "tuple[Leftover, ...]") -> dg.TableMetadataValue:
    columns = ("what", "name", "run_id", "tier", "reason")
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({name: str(getattr(item, name)) for name in columns})
            for item in items[:_TABLE_ROWS]
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in columns]),
    )
