"""The tables of the history.

All tables carry the prefix `history_`, and the schema's version stands in `history_schema`, so that
the history can live in the same Postgres database as Dagster's own storage (which has a table
`runs` and an `alembic_version`).

A million cases must stay small and quick to read in two directions: all tests of some runs (the
grid), and all runs of one test. So a case is five narrow columns, clustered by suite; the test's
name stands once, in `history_tests`; texts stand apart, because only failures and skips have them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

TABLE_PREFIX = "history_"
VERSION_TABLE = "history_schema"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time: stored in UTC, given back in UTC, also by SQLite, which knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        """Turn an aware time into UTC for the database.

        Raises:
            ValueError: The time is naive: nobody can say which moment it means.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"{value.isoformat()} has no time zone. Pass an aware time."
            raise ValueError(message)
        return value.astimezone(UTC)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        """Give the database's time as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    # Names that a migration can refer to on every database.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own form
        datetime: UtcDateTime(),
        str: Text(),
        float: Float(53),
        bool: Boolean(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


class RunRow(Base):
    """A run of a tier."""

    __tablename__ = "history_runs"
    __table_args__ = (
        # The newest runs of a tier on one provider: every page begins with these.
        Index(None, "tier", "provider", "started_at"),
        # Pass and fail on one commit is what makes a test flaky.
        Index(None, "commit"),
    )

    run_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    tier: Mapped[str] = mapped_column(String(63))
    provider: Mapped[str] = mapped_column(String(63))
    environment: Mapped[str]
    outcome: Mapped[str] = mapped_column(String(63))
    cause: Mapped[str] = mapped_column(String(63))
    fault: Mapped[str | None] = mapped_column(String(63))
    summary: Mapped[str]
    ref: Mapped[str | None]
    commit: Mapped[str | None] = mapped_column(String(255))
    trigger: Mapped[str | None]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    stage_seconds: Mapped[dict[str, Any]]
    first_test_seconds: Mapped[float | None]
    overhead_seconds: Mapped[float | None]
    platform: Mapped[dict[str, Any]]
    retained_lease: Mapped[str | None]


class SuiteRow(Base):
    """A suite of a run."""

    __tablename__ = "history_suites"
    __table_args__ = (UniqueConstraint("run_id", "name"),)

    suite_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("history_runs.run_id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(63))
    outcome: Mapped[str] = mapped_column(String(63))
    cause: Mapped[str] = mapped_column(String(63))
    fault: Mapped[str | None] = mapped_column(String(63))
    tests: Mapped[int]
    passed: Mapped[int]
    failed: Mapped[int]
    errors: Mapped[int]
    skipped: Mapped[int]
    case_seconds: Mapped[float]
    seconds: Mapped[float | None]
    source: Mapped[str] = mapped_column(String(15))
    collected: Mapped[int | None]
    deselected: Mapped[int | None]
    reported: Mapped[int]
    in_flight: Mapped[list[Any]]
    session_finished: Mapped[bool]
    exit_status: Mapped[int | None]
    notices: Mapped[list[Any]]
    # The default is for rows that were there before the column.
    quarantined: Mapped[list[Any]] = mapped_column(server_default="[]")


class AttemptRow(Base):
    """An attempt to run a suite."""

    __tablename__ = "history_attempts"

    suite_id: Mapped[int] = mapped_column(
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"), primary_key=True
    )
    shard: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    cause: Mapped[str] = mapped_column(String(63))
    fault: Mapped[str | None] = mapped_column(String(63))
    evidence: Mapped[list[Any]]
    job: Mapped[str | None]
    pod: Mapped[str | None]
    node: Mapped[str | None]
    exit_code: Mapped[int | None]
    started_at: Mapped[datetime | None]
    seconds: Mapped[float | None]


class TestRow(Base):
    """A test of a suite of a tier; its runs are in `history_cases`."""

    __test__ = False  # no test class of pytest's, though its name begins like one
    __tablename__ = "history_tests"
    __table_args__ = (UniqueConstraint("tier", "suite", "name"),)

    test_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    tier: Mapped[str] = mapped_column(String(63))
    suite: Mapped[str] = mapped_column(String(63))
    name: Mapped[str]
    is_collection: Mapped[bool]
    file: Mapped[str | None]
    line: Mapped[int | None]


class CaseRow(Base):
    """What a test did in a suite of a run."""

    __tablename__ = "history_cases"
    __table_args__ = (
        CheckConstraint("outcome IN ('passed', 'failed', 'error', 'skipped')", name="outcome"),
        # All runs of one test.
        Index(None, "test_id", "suite_id"),
        # Clustered by suite: the grid reads the cases of a run from neighbouring pages.
        {"sqlite_with_rowid": False},
    )

    suite_id: Mapped[int] = mapped_column(
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"), primary_key=True
    )
    test_id: Mapped[int] = mapped_column(
        ForeignKey("history_tests.test_id", ondelete="CASCADE"), primary_key=True
    )
    outcome: Mapped[str] = mapped_column(String(7))
    seconds: Mapped[float]
    reruns: Mapped[int]


class CaseTextRow(Base):
    """Message and text of a case that has any: failures, errors, skips."""

    __tablename__ = "history_case_texts"

    suite_id: Mapped[int] = mapped_column(
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"), primary_key=True
    )
    test_id: Mapped[int] = mapped_column(
        ForeignKey("history_tests.test_id", ondelete="CASCADE"), primary_key=True
    )
    message: Mapped[str]
    text: Mapped[str]
