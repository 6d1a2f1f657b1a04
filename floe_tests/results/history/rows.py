"""Records of the history as rows of its tables, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    SQLColumnExpression,
    String,
    Table,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from floe_tests.core.errors import ConfigurationError
from floe_tests.core.evidence import Evidence
from floe_tests.results.cases import CaseOutcome, CaseResult, Tally, legible
from floe_tests.results.history.models import (
    AttemptRow,
    Base,
    CaseRow,
    CaseTextRow,
    MeasurementRow,
    RunRow,
    SoakRow,
    SuiteRow,
    TestRow,
)
from floe_tests.results.records import (
    AttemptRecord,
    MeasurementRecord,
    RunRecord,
    SoakRecord,
    SuiteRecord,
)

_Item = TypeVar("_Item")

_BATCH_ROWS = 1_000
_LARGEST_INTEGER = 2**31 - 1

_RUN_COLUMNS = tuple(column.name for column in RunRow.__table__.columns)
# The columns that hold a suite's tally, and what they are called in it.
_TALLY_COLUMNS = {
    "tests": "tests",
    "passed": "passed",
    "failed": "failed",
    "errors": "errors",
    "skipped": "skipped",
    "case_seconds": "seconds",
}
_SUITE_COLUMNS = tuple(
    column.name
    for column in SuiteRow.__table__.columns
    if column.name not in {"suite_id", "run_id", "position", *_TALLY_COLUMNS}
)
_ATTEMPT_COLUMNS = tuple(
    column.name for column in AttemptRow.__table__.columns if column.name != "suite_id"
)
# Of a case, what is the test's in every run, and what it did in one.
_TEST_COLUMNS = tuple(
    column.name
    for column in TestRow.__table__.columns
    if column.name not in {"test_id", "tier", "suite"}
)
_CASE_COLUMNS = tuple(
    column.name
    for column in CaseRow.__table__.columns
    if column.name not in {"suite_id", "test_id"}
)

_MEASUREMENT_COLUMNS = tuple(
    column.name
    for column in MeasurementRow.__table__.columns
    if column.name not in {"suite_id", "position"}
)
_SOAK_COLUMNS = tuple(
    column.name
    for column in SoakRow.__table__.columns
    if column.name not in {"suite_id", "position"}
)


def insert_run(connection: Connection, run: RunRecord) -> None:
    """Write a run that is not there yet, with all that belongs to it."""
    values = {name: getattr(run, name) for name in _RUN_COLUMNS}
    connection.execute(insert(RunRow).values(_storable(RunRow, values)))
    for position, suite in enumerate(run.suites):
        _insert_suite(connection, run=run, position=position, suite=suite)


def _insert_suite(
    connection: Connection, *, run: RunRecord, position: int, suite: SuiteRecord
) -> None:
    values = {name: getattr(suite, name) for name in _SUITE_COLUMNS}
    for column, name in _TALLY_COLUMNS.items():
        values[column] = getattr(suite.tally, name)
    result = connection.execute(
        insert(SuiteRow)
        .values(_storable(SuiteRow, {"run_id": run.run_id, "position": position, **values}))
        .returning(SuiteRow.suite_id)
    )
    suite_id = result.scalar_one()
    if suite.attempts:
        connection.execute(
            insert(AttemptRow), [_attempt_values(suite_id, attempt) for attempt in suite.attempts]
        )
    _insert_measured(connection, suite=suite, suite_id=suite_id)
    if suite.cases:
        _insert_cases(connection, run=run, suite=suite, suite_id=suite_id)


def _insert_measured(connection: Connection, *, suite: SuiteRecord, suite_id: int) -> None:
    for row, columns, records in (
        (MeasurementRow, _MEASUREMENT_COLUMNS, suite.measurements),
        (SoakRow, _SOAK_COLUMNS, suite.soak),
    ):
        if records:
            connection.execute(
                insert(row),
                [
                    _storable(
                        row,
                        {
                            "suite_id": suite_id,
                            "position": position,
                            **{name: getattr(record, name) for name in columns},
                        },
                    )
                    for position, record in enumerate(records)
                ],
            )


def _attempt_values(suite_id: int, attempt: AttemptRecord) -> dict[str, Any]:
    values = {name: getattr(attempt, name) for name in _ATTEMPT_COLUMNS}
    values["evidence"] = [asdict(fact) for fact in attempt.evidence]
    return _storable(AttemptRow, {"suite_id": suite_id, **values})


def _insert_cases(
    connection: Connection, *, run: RunRecord, suite: SuiteRecord, suite_id: int
) -> None:
    names = {case.name for case in suite.cases}
    if len(names) != len(suite.cases):
        message = f"suite {suite.name!r} has two cases of one name. Collate its results first."
        raise ValueError(message)
    test_ids = _test_ids(connection, tier=run.tier, suite=suite)
    for cases in _batches(suite.cases):
        connection.execute(
            insert(CaseRow),
            [
                _storable(
                    CaseRow,
                    {
                        "suite_id": suite_id,
                        "test_id": test_ids[case.name],
                        **{name: getattr(case, name) for name in _CASE_COLUMNS},
                    },
                )
                for case in cases
            ],
        )
        texts = [
            {
                "suite_id": suite_id,
                "test_id": test_ids[case.name],
                "message": case.message,
                "text": case.text,
            }
            for case in cases
            if case.message or case.text
        ]
        if texts:
            connection.execute(insert(CaseTextRow), texts)


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Cut a list into parts: a statement's parameters are copied, several times over."""
    for start in range(0, len(items), _BATCH_ROWS):
        yield items[start : start + _BATCH_ROWS]


def _test_ids(connection: Connection, *, tier: str, suite: SuiteRecord) -> dict[str, int]:
    """Return the id of each test of a suite; new ones are added, moved ones get their place."""
    query = select(TestRow.name, TestRow.test_id, TestRow.file, TestRow.line).where(
        TestRow.tier == tier, TestRow.suite == suite.name
    )
    known = {row.name: row for row in connection.execute(query)}
    added = [
        {
            "tier": tier,
            "suite": suite.name,
            **{name: getattr(case, name) for name in _TEST_COLUMNS},
        }
        for case in suite.cases
        if case.name not in known
    ]
    if added:
        # Another process may add the same tests just now. Sorted, so that two that add the same
        # tests in different order do not wait for each other.
        added.sort(key=lambda values: str(values["name"]))
        dialect_insert = (
            postgres_insert if connection.dialect.name == "postgresql" else sqlite_insert
        )
        for rows in _batches(added):
            connection.execute(dialect_insert(TestRow).on_conflict_do_nothing(), rows)
        known = {row.name: row for row in connection.execute(query)}
    moved = [
        {"moved_id": known[case.name].test_id, "file": case.file, "line": case.line}
        for case in suite.cases
        if case.file and (case.file, case.line) != (known[case.name].file, known[case.name].line)
    ]
    for rows in _batches(moved):
        connection.execute(update(TestRow).where(TestRow.test_id == bindparam("moved_id")), rows)
    return {name: row.test_id for name, row in known.items()}


def case_query(*columns: SQLColumnExpression[Any]) -> Select[Any]:
    """Select cases with what `case_result` needs, and further columns of suite or run."""
    return (
        select(
            *(getattr(TestRow, name) for name in _TEST_COLUMNS),
            *(getattr(CaseRow, name) for name in _CASE_COLUMNS),
            CaseTextRow.message,
            CaseTextRow.text,
            *columns,
        )
        .select_from(CaseRow)
        .join(TestRow, TestRow.test_id == CaseRow.test_id)
        .join(SuiteRow, SuiteRow.suite_id == CaseRow.suite_id)
        .outerjoin(
            CaseTextRow,
            (CaseTextRow.suite_id == CaseRow.suite_id) & (CaseTextRow.test_id == CaseRow.test_id),
        )
    )


def case_result(row: Row[Any]) -> CaseResult:
    """Build a case from a row of `case_query`."""
    values = {name: getattr(row, name) for name in (*_TEST_COLUMNS, *_CASE_COLUMNS)}
    values["outcome"] = CaseOutcome(row.outcome)
    return CaseResult(**values, message=row.message or "", text=row.text or "")


def run_records(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[RunRecord, ...]:
    """Build runs with all but their cases: a query a table, however many runs."""
    run_ids = [row.run_id for row in rows]
    suites = _suite_records(connection, run_ids)
    return tuple(
        RunRecord(
            **{name: getattr(row, name) for name in _RUN_COLUMNS},
            suites=tuple(suites.get(row.run_id, ())),
        )
        for row in rows
    )


def _suite_records(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[SuiteRecord]]:
    attempts = _attempt_records(connection, run_ids)
    measurements = _measured(connection, MeasurementRow, run_ids, measurement_record)
    soaks = _measured(connection, SoakRow, run_ids, soak_record)
    query = (
        select(SuiteRow.__table__)
        .where(SuiteRow.run_id.in_(run_ids))
        .order_by(SuiteRow.run_id, SuiteRow.position)
    )
    suites: dict[str, list[SuiteRecord]] = {}
    for row in connection.execute(query):
        found = {name: getattr(row, name) for name in _SUITE_COLUMNS}
        values: dict[str, Any] = {
            name: tuple(cast("list[Any]", value)) if isinstance(value, list) else value
            for name, value in found.items()
        }
        tally = {name: getattr(row, column) for column, name in _TALLY_COLUMNS.items()}
        record = SuiteRecord(
            **values,
            tally=Tally(**tally),
            attempts=tuple(attempts.get(row.suite_id, ())),
            measurements=tuple(measurements.get(row.suite_id, ())),
            soak=tuple(soaks.get(row.suite_id, ())),
        )
        suites.setdefault(row.run_id, []).append(record)
    return suites


def measurement_record(row: Row[Any]) -> MeasurementRecord:
    """Build a measurement from a row with all columns of its table."""
    found: dict[str, Any] = {name: getattr(row, name) for name in _MEASUREMENT_COLUMNS}
    found["values"] = tuple(found["values"])
    return MeasurementRecord(**found)


def soak_record(row: Row[Any]) -> SoakRecord:
    """Build what a component did from a row with all columns of its table."""
    return SoakRecord(**{name: getattr(row, name) for name in _SOAK_COLUMNS})


def _measured(
    connection: Connection,
    table: type[MeasurementRow | SoakRow],
    run_ids: Sequence[str],
    build: Callable[[Row[Any]], _Item],
) -> dict[int, list[_Item]]:
    query = (
        select(table.__table__)
        .join(SuiteRow, SuiteRow.suite_id == table.suite_id)
        .where(SuiteRow.run_id.in_(run_ids))
        .order_by(table.suite_id, table.position)
    )
    found: dict[int, list[_Item]] = {}
    for row in connection.execute(query):
        found.setdefault(row.suite_id, []).append(build(row))
    return found


def _attempt_records(
    connection: Connection, run_ids: Iterable[str]
) -> dict[int, list[AttemptRecord]]:
    query = (
        select(AttemptRow.__table__)
        .join(SuiteRow, SuiteRow.suite_id == AttemptRow.suite_id)
        .where(SuiteRow.run_id.in_(run_ids))
        .order_by(AttemptRow.suite_id, AttemptRow.shard, AttemptRow.number)
    )
    attempts: dict[int, list[AttemptRecord]] = {}
    for row in connection.execute(query):
        values = {name: getattr(row, name) for name in _ATTEMPT_COLUMNS}
        values["evidence"] = tuple(Evidence(**fact) for fact in row.evidence)
        attempts.setdefault(row.suite_id, []).append(AttemptRecord(**values))
    return attempts


def _storable(model: type[Base], values: dict[str, Any]) -> dict[str, Any]:
    """Return values that every database takes, whatever the cluster or a test wrote into them.

    Raises:
        ConfigurationError: One is longer or larger than its column. SQLite would take it, Postgres
            would not: a history is to mean the same on both.
    """
    table = cast("Table", model.__table__)
    stored = {name: _storable_value(value) for name, value in values.items()}
    for name, value in stored.items():
        problem = _problem(table, name, value)
        if problem:
            message = f"{table.name}.{name} cannot be kept in the history: {problem}."
            raise ConfigurationError(message)
    return stored


def _problem(table: Table, name: str, value: Any) -> str | None:
    """Say why a column cannot take a value; None when it can."""
    may_be_none, longest, is_integer = _bounds(table, name)
    if value is None:
        return None if may_be_none else "it has no value"
    if isinstance(value, str):
        if longest is not None and len(value) > longest:
            return f"it has {len(value)} characters, and at most {longest} fit"
    elif is_integer and isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return f"it is beyond {_LARGEST_INTEGER}"
    elif isinstance(value, datetime):
        try:
            value.astimezone(UTC)
        except (OverflowError, ValueError):
            return f"{value.isoformat()} is beyond the calendar in UTC"
    return None


@cache
def _bounds(table: Table, name: str) -> tuple[bool, int | None, bool]:
    """Return whether a column takes None, its longest text, and whether it takes integers."""
    column = table.columns[name]
    longest = column.type.length if isinstance(column.type, String) else None
    is_integer = isinstance(column.type, Integer)
    return bool(column.nullable or column.primary_key), longest, is_integer


def _storable_value(value: Any) -> Any:
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, float):
        # JSON has no word for infinity, and an average none for "not a number".
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, Any]", value)
        return {legible(str(name)): _storable_value(inner) for name, inner in mapping.items()}
    if isinstance(value, list | tuple):
        return [_storable_value(inner) for inner in cast("Sequence[Any]", value)]
    return value
