"""Asks the history for the tests of a suite's last good runs on the default branch.

Tier, provider, environment, suite and selection are equal; shards and variables do not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from floe_tests.results.history.branches import Branch
from floe_tests.results.history.models import RunRow, SuiteRow
from floe_tests.results.presence.compare import Baseline, GoodRun
from floe_tests.results.presence.losses import PastTest

# Enough to tell what varies from run to run, and few enough to read them at once.
RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """What runs have in common with the one that is compared with them.

    Attributes:
        tier: The tier.
        provider: What the run ran on.
        environment: Name of the cluster or context.
        suite: The suite.
        selection: What it was narrowed to.
        branch: The default branch.
        run_id: The run itself, which is not its own past.
        before: When it began.
    """

    tier: str
    provider: str
    environment: str
    suite: str
    selection: str
    branch: Branch
    run_id: str
    before: datetime


def read_baseline(connection: Connection, like: Like) -> Baseline:
    """Return the last good runs and all their tests: two queries.

    Args:
        connection: To the history.
        like: Which runs.
    """
    query = (
        select(SuiteRow.suite_id, SuiteRow.deselected, RunRow.run_id, RunRow.commit, RunRow.ref)
        .join(RunRow, RunRow.run_id == SuiteRow.run_id)
        .where(
            RunRow.tier == like.tier,
            RunRow.provider == like.provider,
            RunRow.environment == like.environment,
            like.branch.runs(),
            RunRow.run_id != like.run_id,
            RunRow.started_at < like.before,
            SuiteRow.name == like.suite,
            SuiteRow.selection == like.selection,
            SuiteRow.outcome == "passed",
        )
        .order_by(RunRow.started_at.desc(), RunRow.run_id.desc())
        .limit(RUNS)
    )
    found = connection.execute(query).all()
    runs = tuple(GoodRun(row.run_id, row.commit, row.ref, row.deselected) for row in found)
    return Baseline(runs, _tests(connection, [row.suite_id for row in found]))


def _tests(connection: Connection, suites: Sequence[int]) -> tuple[PastTest, ...]:
    """Read the tests past SQLAlchemy, as the grid does: its objects take longer than the rows."""
    if not suites:
        return ()
    bits = " ".join(f"WHEN {suite_id} THEN {1 << bit}" for bit, suite_id in enumerate(suites))
    numbers = ", ".join(str(suite_id) for suite_id in suites)
    bit = f"CASE c.suite_id {bits} END"
    query = (
        "SELECT t.name, t.file, c.seen, c.ran FROM ("  # noqa: S608 - numbers
        f"SELECT c.test_id, SUM({bit}) AS seen, "
        f"SUM(CASE WHEN c.outcome = 'skipped' THEN 0 ELSE {bit} END) AS ran "
        f"FROM history_cases c WHERE c.suite_id IN ({numbers}) GROUP BY c.test_id"
        ") c JOIN history_tests t ON t.test_id = c.test_id WHERE NOT t.is_collection"
    )
    cursor = connection.connection.cursor()
    try:
        cursor.execute(query)
        return tuple(PastTest(*row) for row in cursor.fetchall())
    finally:
        cursor.close()
