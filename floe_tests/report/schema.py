"""The history's tables as a page: docs/history-schema.md is made here, never written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import JSON, Boolean, DateTime, Float, Integer, String
from sqlalchemy.orm import DeclarativeBase

from floe_tests.results.history import migration
from floe_tests.results.history.models import (
    AttemptRow,
    CaseRow,
    CaseTextRow,
    MeasurementRow,
    RenameRow,
    RunRow,
    SoakRow,
    SuiteRow,
    TestRow,
)

_TABLES: tuple[type[DeclarativeBase], ...] = (
    RunRow,
    SuiteRow,
    AttemptRow,
    TestRow,
    CaseRow,
    CaseTextRow,
    MeasurementRow,
    SoakRow,
    RenameRow,
)
_INTRODUCTION = """\
<!-- Made by `make docs` from floe_tests/results/history/models.py: change the columns there. -->

# The history's tables

SQLite and Postgres have the same, at schema version {version}; `history_schema` holds the version.
A database is brought to it when it is opened, by [Alembic](https://alembic.sqlalchemy.org) and the
scripts in `floe_tests/results/migrations/`, each of which goes down as well. A database that a
newer version wrote is refused and left as it is. All names begin with `history_`, so that the
history can live in the database of Dagster's own storage.

Times are UTC. A run goes with all that belongs to it: `DELETE FROM history_runs WHERE …`.
To read it by hand, open it read-only: `sqlite3 'file:dagster_home/floe_tests.db?mode=ro'`.

The failures of the last week, by test:

```sql
SELECT t.suite, t.name, count(*)
FROM history_runs r
JOIN history_suites s ON s.run_id = r.run_id
JOIN history_cases c ON c.suite_id = s.suite_id
JOIN history_tests t ON t.test_id = c.test_id
WHERE c.outcome IN ('failed', 'error') AND s.fault IN ('none', 'test')
  AND r.started_at > '2026-11-17'
GROUP BY t.suite, t.name ORDER BY count(*) DESC;
```
"""


def markdown() -> str:
    """Return the page: a table for each table."""
    lines = [_INTRODUCTION.format(version=migration.head())]
    for row in _TABLES:
        lines += _table(row)
    return "\n".join(lines)


def _table(row: type[DeclarativeBase]) -> Iterator[str]:
    table: Any = row.__table__
    yield f"## {table.name}"
    yield ""
    yield (row.__doc__ or "").strip()
    yield ""
    yield "| column | is | meaning |"
    yield "| --- | --- | --- |"
    for column in table.columns:
        words = [_kind(column.type)]
        if column.primary_key:
            words.append("key")
        if column.nullable:
            words.append("may be null")
        words += [f"→ {key.target_fullname}" for key in column.foreign_keys]
        yield f"| `{column.name}` | {', '.join(words)} | {column.doc} |"
    yield ""


def _kind(kind: Any) -> str:
    kind = getattr(kind, "impl", kind)
    if isinstance(kind, String):
        return f"text of at most {kind.length}" if kind.length else "text"
    names = {
        Integer: "integer",
        Float: "float",
        Boolean: "boolean",
        DateTime: "time",
        JSON: "JSON",
    }
    return next((name for known, name in names.items() if isinstance(kind, known)), "text")
