"""Asks the history what earlier runs measured: only runs that may be compared with each other.

Two runs are compared when tier, provider, cluster, suite and fingerprint are equal, and the
earlier one was on the default branch: a pull request is judged by the baseline and is no part of
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from floe_tests.results.history import rows
from floe_tests.results.history.branches import Branch
from floe_tests.results.history.models import MeasurementRow, RunRow, SoakRow, SuiteRow
from floe_tests.results.measurements.compared import Past
from floe_tests.results.records import SoakRecord

_REGRESSION = "REGRESSION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where a suite ran, and when: what it is compared with comes from the same, and from before.

    Attributes:
        tier: The tier.
        provider: What the run ran on.
        environment: Name of the cluster or context.
        suite: The suite.
        run_id: The run itself, which is not its own past.
        before: When it began.
        fingerprint: What must be equal.
        branch: The default branch.
    """

    tier: str
    provider: str
    environment: str
    suite: str
    run_id: str
    before: datetime
    fingerprint: str
    branch: Branch


def past_measurements(
    connection: Connection, ground: Ground, *, runs: int
) -> Mapping[str, tuple[Past, ...]]:
    """Return what earlier runs measured, by name, newest first.

    Args:
        connection: To the history.
        ground: What may be compared.
        runs: How many runs at most.
    """
    newest = (
        _suites(ground)
        .where(
            select(MeasurementRow.suite_id)
            .where(
                MeasurementRow.suite_id == SuiteRow.suite_id,
                MeasurementRow.fingerprint == ground.fingerprint,
            )
            .exists()
        )
        .limit(runs)
        .subquery()
    )
    query = (
        select(
            *MeasurementRow.__table__.columns,
            newest.c.run_id,
            newest.c.started_at,
            newest.c.commit,
            newest.c.outcome,
            newest.c.cause,
        )
        .join(newest, newest.c.suite_id == MeasurementRow.suite_id)
        .where(MeasurementRow.fingerprint == ground.fingerprint)
        .order_by(newest.c.started_at.desc(), newest.c.run_id.desc(), MeasurementRow.position)
    )
    found: dict[str, list[Past]] = {}
    for row in connection.execute(query):
        found.setdefault(row.name, []).append(
            Past(
                record=rows.measurement_record(row),
                run_id=row.run_id,
                started_at=row.started_at,
                commit=row.commit,
                is_good=row.outcome == "passed",
                is_regression=row.cause == _REGRESSION,
            )
        )
    return {name: tuple(each) for name, each in found.items()}


def last_good_soak(connection: Connection, ground: Ground) -> Mapping[tuple[str, str], SoakRecord]:
    """Return what the components did in the newest good run, by component and metric.

    Args:
        connection: To the history.
        ground: What may be compared.
    """
    newest = (
        _suites(ground)
        .where(
            SuiteRow.outcome == "passed",
            select(SoakRow.suite_id)
            .where(SoakRow.suite_id == SuiteRow.suite_id, SoakRow.fingerprint == ground.fingerprint)
            .exists(),
        )
        .limit(1)
        .subquery()
    )
    query = select(*SoakRow.__table__.columns).join(newest, newest.c.suite_id == SoakRow.suite_id)
    records = [rows.soak_record(row) for row in connection.execute(query)]
    return {(each.component, each.metric): each for each in records}


def _suites(ground: Ground) -> Select[Any]:
    return (
        select(
            SuiteRow.suite_id,
            SuiteRow.outcome,
            SuiteRow.cause,
            RunRow.run_id,
            RunRow.started_at,
            RunRow.commit,
        )
        .join(RunRow, RunRow.run_id == SuiteRow.run_id)
        .where(
            RunRow.tier == ground.tier,
            RunRow.provider == ground.provider,
            RunRow.environment == ground.environment,
            SuiteRow.name == ground.suite,
            RunRow.run_id != ground.run_id,
            RunRow.started_at < ground.before,
            ground.branch.runs(),
        )
        .order_by(RunRow.started_at.desc(), RunRow.run_id.desc())
    )
