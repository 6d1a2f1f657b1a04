"""The data that a staging platform holds: one stream of production-like orders, part by part.

Every suite of staging keeps the same batches at the same size, `volume-0` and so on, so that one
finds the platform as another left it, and none makes it grow. Batches of others are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_suite.deadline import NotYet, wait_for
from platform_suite.lakehouse import BRONZE, GOLD, SILVER
from platform_suite.order_stream import StreamRules, add

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.dagster_api import DagsterApi
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.order_rules import DailyTotals

PIPELINE = "lakehouse_pipeline"
MAINTENANCE = "lakehouse_maintenance"
RUN_SECONDS = 300.0
# The shortest that the maintenance takes; it leaves the newest snapshot, and what was served.
_SETTLED_MINUTES = 0.25
_SETTLED_SNAPSHOTS = 4


class RunFailed(Exception):  # noqa: N818 - what Dagster says of it
    """A run did not succeed; the text says which and why."""


def batch_of(part: int) -> str:
    """Name the batch that a part is."""
    return f"volume-{part}"


def run_config(rules: StreamRules, part: int) -> dict[str, object]:
    """Return the run config of the pipeline that brings a part in."""
    stream = {"scale": rules.scale, "seed": rules.seed, "part": part}
    return {"ops": {"bronze__orders": {"config": {"batch": batch_of(part), "stream": stream}}}}


def finish(
    dagster: DagsterApi, run_id: str, *, deadline_seconds: float = RUN_SECONDS, pause: float = 0.5
) -> None:
    """Wait for a run's success.

    Raises:
        RunFailed: It ended otherwise; with the reasons of its steps.
        DeadlineExceeded: It did not end in time.
    """
    run = dagster.wait_for_run(run_id, deadline_seconds=deadline_seconds, pause_seconds=pause)
    if run.status != "SUCCESS":
        events = dagster.events(run_id)
        reasons = [reason for event in events for reason in event.reasons[-1:]]
        raise RunFailed(f"{run.job} {run_id} is {run.status}: {'; '.join(reasons)[:500]}")


def bring_in(dagster: DagsterApi, rules: StreamRules, part: int) -> None:
    """Run the pipeline for a part, to its success.

    Raises:
        RunFailed: It ended otherwise.
    """
    finish(dagster, dagster.launch(PIPELINE, run_config(rules, part)))


def prepare(dagster: DagsterApi, lakehouse: Lakehouse, rules: StreamRules) -> tuple[int, ...]:
    """Bring in every part that the platform does not hold.

    Returns:
        The parts that were brought in.

    Raises:
        RunFailed: A pipeline did not succeed.
    """
    from pyiceberg.exceptions import NoSuchTableError

    try:
        held = lakehouse.totals_by_batch()
    except NoSuchTableError:  # nothing has ever run here
        held = {}
    missing = tuple(
        part for part in range(rules.parts) if held.get(batch_of(part)) != rules.daily_totals(part)
    )
    for part in missing:
        bring_in(dagster, rules, part)
    return missing


def settle(dagster: DagsterApi, lakehouse: Lakehouse) -> None:
    """Bring the tables to where every measurement begins: the newest snapshots, and no others.

    Each commit of a pipeline writes the list of all snapshots anew. Without this, a run is slower
    than the one before it by what that one has left.

    Raises:
        RunFailed: The maintenance did not succeed, as while other runs are under way.
        DeadlineExceeded: Somebody goes on writing.
    """
    keep: dict[str, object] = {"keep_minutes": _SETTLED_MINUTES, "keep_snapshots": 1}
    config = {"ops": {"expire_and_delete": {"config": keep}}}

    def try_it() -> None:
        finish(dagster, dagster.launch(MAINTENANCE, config))
        left = {table: len(lakehouse.snapshots(table)) for table in (BRONZE, SILVER, GOLD)}
        if max(left.values()) > _SETTLED_SNAPSHOTS:
            raise NotYet(f"{left} snapshots")

    what = f"at most {_SETTLED_SNAPSHOTS} snapshots a table"
    wait_for(try_it, what=what, deadline_seconds=120, pause_seconds=5)


def whole(by_batch: Mapping[str, DailyTotals], expected: Mapping[str, DailyTotals]) -> DailyTotals:
    """Return the daily totals that the platform must tell: those expected, and those of others."""
    others = (days for batch, days in by_batch.items() if batch not in expected)
    return add(*expected.values(), *others)
