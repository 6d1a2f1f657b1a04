"""The first tables: runs, suites, attempts, tests and cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    _create_runs()
    _create_suites()
    _create_attempts()
    _create_tests()
    _create_cases()


def downgrade() -> None:
    """Go back to the version before."""
    for table in ("case_texts", "cases", "tests", "attempts", "suites", "runs"):
        op.drop_table(f"history_{table}")


def _create_runs() -> None:
    op.create_table(
        "history_runs",
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("tier", sa.String(63), nullable=False),
        sa.Column("provider", sa.String(63), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(63), nullable=False),
        sa.Column("cause", sa.String(63), nullable=False),
        sa.Column("fault", sa.String(63)),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text()),
        sa.Column("commit", sa.String(255)),
        sa.Column("trigger", sa.Text()),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("stage_seconds", sa.JSON(), nullable=False),
        sa.Column("first_test_seconds", sa.Float(53)),
        sa.Column("overhead_seconds", sa.Float(53)),
        sa.Column("platform", sa.JSON(), nullable=False),
        sa.Column("retained_lease", sa.Text()),
        sa.PrimaryKeyConstraint("run_id", name="pk_history_runs"),
    )
    op.create_index(
        "ix_history_runs_tier_provider_started_at",
        "history_runs",
        ["tier", "provider", "started_at"],
    )
    op.create_index("ix_history_runs_commit", "history_runs", ["commit"])


def _create_suites() -> None:
    op.create_table(
        "history_suites",
        sa.Column("suite_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("outcome", sa.String(63), nullable=False),
        sa.Column("cause", sa.String(63), nullable=False),
        sa.Column("fault", sa.String(63)),
        sa.Column("tests", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("case_seconds", sa.Float(53), nullable=False),
        sa.Column("seconds", sa.Float(53)),
        sa.Column("source", sa.String(15), nullable=False),
        sa.Column("collected", sa.Integer()),
        sa.Column("deselected", sa.Integer()),
        sa.Column("reported", sa.Integer(), nullable=False),
        sa.Column("in_flight", sa.JSON(), nullable=False),
        sa.Column("session_finished", sa.Boolean(), nullable=False),
        sa.Column("exit_status", sa.Integer()),
        sa.Column("notices", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["history_runs.run_id"],
            name="fk_history_suites_run_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("suite_id", name="pk_history_suites"),
        sa.UniqueConstraint("run_id", "name", name="uq_history_suites_run_id_name"),
    )


def _create_attempts() -> None:
    op.create_table(
        "history_attempts",
        sa.Column("suite_id", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(63), nullable=False),
        sa.Column("fault", sa.String(63)),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("job", sa.Text()),
        sa.Column("pod", sa.Text()),
        sa.Column("node", sa.Text()),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("seconds", sa.Float(53)),
        _belongs_to_suite("history_attempts"),
        sa.PrimaryKeyConstraint("suite_id", "shard", "number", name="pk_history_attempts"),
    )


def _create_tests() -> None:
    op.create_table(
        "history_tests",
        sa.Column("test_id", sa.Integer(), nullable=False),
        sa.Column("tier", sa.String(63), nullable=False),
        sa.Column("suite", sa.String(63), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_collection", sa.Boolean(), nullable=False),
        sa.Column("file", sa.Text()),
        sa.Column("line", sa.Integer()),
        sa.PrimaryKeyConstraint("test_id", name="pk_history_tests"),
        sa.UniqueConstraint("tier", "suite", "name", name="uq_history_tests_tier_suite_name"),
    )


def _create_cases() -> None:
    op.create_table(
        "history_cases",
        sa.Column("suite_id", sa.Integer(), nullable=False),
        sa.Column("test_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(7), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("reruns", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('passed', 'failed', 'error', 'skipped')",
            name=op.f("ck_history_cases_outcome"),
        ),
        _belongs_to_suite("history_cases"),
        _belongs_to_test("history_cases"),
        sa.PrimaryKeyConstraint("suite_id", "test_id", name="pk_history_cases"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_history_cases_test_id_suite_id", "history_cases", ["test_id", "suite_id"])
    op.create_table(
        "history_case_texts",
        sa.Column("suite_id", sa.Integer(), nullable=False),
        sa.Column("test_id", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _belongs_to_suite("history_case_texts"),
        _belongs_to_test("history_case_texts"),
        sa.PrimaryKeyConstraint("suite_id", "test_id", name="pk_history_case_texts"),
    )


def _belongs_to_suite(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["suite_id"],
        ["history_suites.suite_id"],
        name=f"fk_{table}_suite_id",
        ondelete="CASCADE",
    )


def _belongs_to_test(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["test_id"], ["history_tests.test_id"], name=f"fk_{table}_test_id", ondelete="CASCADE"
    )
