"""How long each test of a suite takes, by the history."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from sqlalchemy import Connection, select

from floe_tests.results.history.models import CaseRow, RunRow, SuiteRow, TestRow

# Enough for a median that one slow machine does not move; few enough to read at once for 50,000
# tests.
RECENT_RUNS = 5


def read_durations(
    connection: Connection, *, tier: str, provider: str, suite: str
) -> Mapping[str, float | None]:
    """Return the tests of a suite's newest runs with the median of their passed durations.

    Args:
        connection: To the history.
        tier: The tier.
        provider: What the runs ran on: durations on another one say little.
        suite: The suite.

    Returns:
        Seconds by test; None for one that has not passed in these runs.
    """
    newest = (
        select(SuiteRow.suite_id)
        .join(RunRow, RunRow.run_id == SuiteRow.run_id)
        .where(
            RunRow.tier == tier,
            RunRow.provider == provider,
            SuiteRow.name == suite,
            SuiteRow.tests > 0,
        )
        .order_by(RunRow.started_at.desc(), RunRow.run_id.desc())
        .limit(RECENT_RUNS)
    )
    suites = list(connection.execute(newest).scalars())
    query = (
        select(TestRow.name, CaseRow.outcome, CaseRow.seconds)
        .join(TestRow, TestRow.test_id == CaseRow.test_id)
        .where(CaseRow.suite_id.in_(suites), TestRow.is_collection.is_(False))
    )
    passed: dict[str, list[float]] = {}
    for row in connection.execute(query):
        seconds = passed.setdefault(row.name, [])
        if row.outcome == "passed":
            seconds.append(row.seconds)
    return {name: median(seconds) if seconds else None for name, seconds in passed.items()}
