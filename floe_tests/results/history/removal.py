"""Remove old runs from the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, select

from floe_tests.results.history.models import CaseRow, RunRow, TestRow

_BATCH = 200


@dataclass(frozen=True)
class StoredRunRow:
    """What decides whether a run stays.

    Attributes:
        run_id: The run.
        tier: Its tier.
        series: Provider, environment and ref: what it is compared within.
        began: When it began (UTC).
        passed: Whether its verdict is PASS.
    """

    run_id: str
    tier: str
    series: str
    began: datetime
    passed: bool


def stored_runs(connection: Connection) -> tuple[StoredRunRow, ...]:
    """Return every run of the history, without its tests."""
    columns = (RunRow.run_id, RunRow.tier, RunRow.provider, RunRow.environment, RunRow.ref)
    query = select(*columns, RunRow.started_at, RunRow.outcome)
    return tuple(
        StoredRunRow(
            run_id=row.run_id,
            tier=row.tier,
            series="/".join((row.provider, row.environment, row.ref or "")),
            began=row.started_at,
            passed=row.outcome == "passed",
        )
        for row in connection.execute(query)
    )


def remove_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """Remove runs with all that belongs to them, then tests that no run has any more."""
    for start in range(0, len(run_ids), _BATCH):
        batch = run_ids[start : start + _BATCH]
        connection.execute(delete(RunRow).where(RunRow.run_id.in_(batch)))
    connection.execute(delete(TestRow).where(~exists().where(CaseRow.test_id == TestRow.test_id)))
