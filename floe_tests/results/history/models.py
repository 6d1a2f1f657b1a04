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
    false,
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
        """Return the database's time as UTC."""
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

    run_id: Mapped[str] = mapped_column(
        String(255), primary_key=True, doc="Id of the Dagster run; `junit-…` for an import."
    )
    tier: Mapped[str] = mapped_column(String(63), doc="The tier.")
    provider: Mapped[str] = mapped_column(
        String(63), doc="Provider of its environment, such as `kind`; never mixed."
    )
    environment: Mapped[str] = mapped_column(doc="Name of the cluster or context.")
    outcome: Mapped[str] = mapped_column(
        String(63), doc="`passed`, `failed`, `inconclusive` or `cancelled`."
    )
    cause: Mapped[str] = mapped_column(String(63), doc="Cause of the [verdict](verdicts.md).")
    fault: Mapped[str | None] = mapped_column(String(63), doc="Whose fault a red run is.")
    summary: Mapped[str] = mapped_column(doc="The verdict in a sentence.")
    ref: Mapped[str | None] = mapped_column(doc="Branch or tag.")
    commit: Mapped[str | None] = mapped_column(String(255), doc="Commit under test.")
    trigger: Mapped[str | None] = mapped_column(doc="What started it.")
    started_at: Mapped[datetime] = mapped_column(doc="Begin of its first stage.")
    finished_at: Mapped[datetime | None] = mapped_column(doc="When its verdict was given.")
    stage_seconds: Mapped[dict[str, Any]] = mapped_column(doc="Seconds by stage.")
    first_test_seconds: Mapped[float | None] = mapped_column(
        doc="From its begin to its first test."
    )
    overhead_seconds: Mapped[float | None] = mapped_column(
        doc="What it took beyond the pods' own time."
    )
    platform: Mapped[dict[str, Any]] = mapped_column(doc="Charts, versions, digests.")
    retained_lease: Mapped[str | None] = mapped_column(
        doc="The lease of an environment that was kept."
    )


class SuiteRow(Base):
    """A suite of a run."""

    __tablename__ = "history_suites"
    __table_args__ = (UniqueConstraint("run_id", "name"),)

    suite_id: Mapped[int] = mapped_column(Integer, primary_key=True, doc="A number of its own.")
    run_id: Mapped[str] = mapped_column(
        ForeignKey("history_runs.run_id", ondelete="CASCADE"), doc="Its run."
    )
    position: Mapped[int] = mapped_column(doc="Its place in the run, from 0.")
    name: Mapped[str] = mapped_column(String(63), doc="Name of the suite.")
    outcome: Mapped[str] = mapped_column(String(63), doc="As of the run.")
    cause: Mapped[str] = mapped_column(String(63), doc="Cause of the suite's verdict.")
    fault: Mapped[str | None] = mapped_column(String(63), doc="Whose fault it was.")
    tests: Mapped[int] = mapped_column(doc="Cases in all.")
    passed: Mapped[int] = mapped_column(doc="Cases that passed.")
    failed: Mapped[int] = mapped_column(doc="Cases that failed, those in quarantine included.")
    errors: Mapped[int] = mapped_column(doc="Cases that broke outside of the test.")
    skipped: Mapped[int] = mapped_column(doc="Cases that were skipped.")
    case_seconds: Mapped[float] = mapped_column(doc="Sum of the cases' seconds.")
    seconds: Mapped[float | None] = mapped_column(doc="On the wall clock.")
    source: Mapped[str] = mapped_column(String(15), doc="Where its cases come from.")
    collected: Mapped[int | None] = mapped_column(doc="Tests that were about to run.")
    deselected: Mapped[int | None] = mapped_column(doc="Tests left out on request.")
    reported: Mapped[int] = mapped_column(doc="Tests that reported.")
    in_flight: Mapped[list[Any]] = mapped_column(doc="Names of tests that were running at the end.")
    session_finished: Mapped[bool] = mapped_column(doc="Whether the test tool came to its own end.")
    exit_status: Mapped[int | None] = mapped_column(doc="The test tool's exit status.")
    notices: Mapped[list[Any]] = mapped_column(
        doc="What was cut, unreadable, contradictory or let pass."
    )
    # The default is for rows that were there before the column.
    quarantined: Mapped[list[Any]] = mapped_column(
        server_default="[]", doc="Names of failed tests that the quarantine list let fail."
    )
    shards: Mapped[int | None] = mapped_column(
        doc="How many shards it was cut into; none where it ran whole."
    )
    selection: Mapped[str | None] = mapped_column(
        doc="Groups that it was narrowed to, empty for all; none where unknown."
    )


class AttemptRow(Base):
    """An attempt to run a suite."""

    __tablename__ = "history_attempts"

    suite_id: Mapped[int] = mapped_column(
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"),
        primary_key=True,
        doc="Its suite.",
    )
    shard: Mapped[int] = mapped_column(primary_key=True, doc="Which part of the suite, from 0.")
    number: Mapped[int] = mapped_column(primary_key=True, doc="From 1.")
    cause: Mapped[str] = mapped_column(String(63), doc="Cause of its verdict.")
    fault: Mapped[str | None] = mapped_column(String(63), doc="Whose fault it was.")
    evidence: Mapped[list[Any]] = mapped_column(doc="What the verdict rests on.")
    job: Mapped[str | None] = mapped_column(doc="Name of the Job.")
    pod: Mapped[str | None] = mapped_column(doc="Name of the pod.")
    node: Mapped[str | None] = mapped_column(doc="Name of the node.")
    exit_code: Mapped[int | None] = mapped_column(doc="Exit code of the test container.")
    started_at: Mapped[datetime | None] = mapped_column(doc="When it began.")
    seconds: Mapped[float | None] = mapped_column(doc="How long it took.")
    selected: Mapped[int | None] = mapped_column(doc="Tests that were the shard's.")
    reported: Mapped[int | None] = mapped_column(doc="Tests of these that reported.")


class TestRow(Base):
    """A test of a suite of a tier; its runs are in `history_cases`."""

    __test__ = False  # no test class of pytest's, though its name begins like one
    __tablename__ = "history_tests"
    __table_args__ = (UniqueConstraint("tier", "suite", "name"),)

    test_id: Mapped[int] = mapped_column(Integer, primary_key=True, doc="A number of its own.")
    tier: Mapped[str] = mapped_column(String(63), doc="Its tier.")
    suite: Mapped[str] = mapped_column(String(63), doc="Its suite.")
    name: Mapped[str] = mapped_column(doc="`classname::name`, as in JUnit.")
    is_collection: Mapped[bool] = mapped_column(doc="Whether it is a module, not a test.")
    file: Mapped[str | None] = mapped_column(doc="Source file, as last reported.")
    line: Mapped[int | None] = mapped_column(doc="Line in it.")


class RenameRow(Base):
    """A test's old name, which somebody linked to the name that it has now."""

    __tablename__ = "history_renames"

    test_id: Mapped[int] = mapped_column(
        ForeignKey("history_tests.test_id", ondelete="CASCADE"),
        primary_key=True,
        doc="The test by its old name.",
    )
    renamed_to: Mapped[int] = mapped_column(
        ForeignKey("history_tests.test_id", ondelete="CASCADE"), doc="The test by its new name."
    )


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
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"),
        primary_key=True,
        doc="The suite of a run.",
    )
    test_id: Mapped[int] = mapped_column(
        ForeignKey("history_tests.test_id", ondelete="CASCADE"), primary_key=True, doc="The test."
    )
    outcome: Mapped[str] = mapped_column(String(7), doc="`passed`, `failed`, `error` or `skipped`.")
    seconds: Mapped[float] = mapped_column(doc="Set-up, call and clean-up.")
    reruns: Mapped[int] = mapped_column(doc="How often the test tool ran it again before that.")
    passed_later: Mapped[bool] = mapped_column(
        server_default=false(), doc="Whether it failed, and passed in a later attempt of the run."
    )


class CaseTextRow(Base):
    """Message and text of a case that has any: failures, errors, skips."""

    __tablename__ = "history_case_texts"

    suite_id: Mapped[int] = mapped_column(
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"),
        primary_key=True,
        doc="The suite of a run.",
    )
    test_id: Mapped[int] = mapped_column(
        ForeignKey("history_tests.test_id", ondelete="CASCADE"), primary_key=True, doc="The test."
    )
    message: Mapped[str] = mapped_column(doc="Why it failed or was skipped, at most 4 KiB.")
    text: Mapped[str] = mapped_column(doc="Traceback and output, at most 64 KiB.")


class MeasurementRow(Base):
    """A measurement of a benchmark, compared with its baseline."""

    __tablename__ = "history_measurements"

    suite_id: Mapped[int] = mapped_column(
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"),
        primary_key=True,
        doc="The suite of a run.",
    )
    name: Mapped[str] = mapped_column(primary_key=True, doc="What was measured.")
    position: Mapped[int] = mapped_column(doc="Its place in the file, from 0.")
    unit: Mapped[str] = mapped_column(String(63), doc="Unit of its values.")
    better: Mapped[str] = mapped_column(String(15), doc="`lower` or `higher`.")
    samples: Mapped[int] = mapped_column(doc="Repetitions, the warm-up left out.")
    median: Mapped[float | None] = mapped_column(doc="Their median.")
    values: Mapped[list[Any]] = mapped_column(
        doc="The repetitions; of more than 200, 200 quantiles."
    )
    fingerprint: Mapped[str] = mapped_column(
        String(63), doc="Digest of what must be equal for two runs to be compared."
    )
    platform: Mapped[str] = mapped_column(doc="Charts, versions, digest of the images.")
    finding: Mapped[str] = mapped_column(
        String(63),
        doc="`recorded`, `unchanged`, `regressed`, `improved`, `too few samples`, `incomparable`.",
    )
    change: Mapped[float | None] = mapped_column(doc="Against the baseline, as a share.")
    change_low: Mapped[float | None] = mapped_column(doc="Lower bound of its interval.")
    change_high: Mapped[float | None] = mapped_column(doc="Upper bound.")


class SoakRow(Base):
    """What a component or an operation did over a soak, in one respect."""

    __tablename__ = "history_soaks"

    suite_id: Mapped[int] = mapped_column(
        ForeignKey("history_suites.suite_id", ondelete="CASCADE"),
        primary_key=True,
        doc="The suite of a run.",
    )
    component: Mapped[str] = mapped_column(
        primary_key=True, doc="The component; of latency and errors the operation."
    )
    metric: Mapped[str] = mapped_column(
        String(63),
        primary_key=True,
        doc="`memory`, `disk`, `cpu`, `restarts`, `latency` or `errors`.",
    )
    position: Mapped[int] = mapped_column(doc="Its place in the soak's account, from 0.")
    unit: Mapped[str] = mapped_column(String(63), doc="Unit of its values; `1` for a number.")
    samples: Mapped[int] = mapped_column(doc="Values seen, the warm-up left out.")
    hours: Mapped[float] = mapped_column(doc="Time that they span.")
    median: Mapped[float | None] = mapped_column(doc="Their median; of a count the total.")
    largest: Mapped[float | None] = mapped_column(doc="The largest.")
    limit: Mapped[float | None] = mapped_column(doc="What it must not reach.")
    slope_per_hour: Mapped[float | None] = mapped_column(doc="Growth of its lower envelope.")
    slope_low: Mapped[float | None] = mapped_column(doc="Lower bound of its interval.")
    slope_high: Mapped[float | None] = mapped_column(doc="Upper bound.")
    sigma: Mapped[float | None] = mapped_column(doc="Spread about that line.")
    hours_to_limit: Mapped[float | None] = mapped_column(doc="At that growth, from its end.")
    fingerprint: Mapped[str] = mapped_column(
        String(63), doc="Digest of what must be equal for two runs to be compared."
    )
    platform: Mapped[str] = mapped_column(doc="Charts, versions, digest of the images.")
    finding: Mapped[str] = mapped_column(
        String(63), doc="`within`, `broken`, `drift`, `exempt` or `too few samples`."
    )
