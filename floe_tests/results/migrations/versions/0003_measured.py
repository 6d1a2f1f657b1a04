"""What benchmarks measured, and what the components of a soak did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    _create_measurements()
    _create_soaks()


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("history_soaks")
    op.drop_table("history_measurements")


def _create_measurements() -> None:
    op.create_table(
        "history_measurements",
        sa.Column("suite_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(63), nullable=False),
        sa.Column("better", sa.String(15), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("median", sa.Float(53)),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(63), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("finding", sa.String(63), nullable=False),
        sa.Column("change", sa.Float(53)),
        sa.Column("change_low", sa.Float(53)),
        sa.Column("change_high", sa.Float(53)),
        _belongs_to_suite("history_measurements"),
        sa.PrimaryKeyConstraint("suite_id", "name", name="pk_history_measurements"),
    )


def _create_soaks() -> None:
    op.create_table(
        "history_soaks",
        sa.Column("suite_id", sa.Integer(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("metric", sa.String(63), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(63), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("hours", sa.Float(53), nullable=False),
        sa.Column("median", sa.Float(53)),
        sa.Column("largest", sa.Float(53)),
        sa.Column("limit", sa.Float(53)),
        sa.Column("slope_per_hour", sa.Float(53)),
        sa.Column("slope_low", sa.Float(53)),
        sa.Column("slope_high", sa.Float(53)),
        sa.Column("sigma", sa.Float(53)),
        sa.Column("hours_to_limit", sa.Float(53)),
        sa.Column("fingerprint", sa.String(63), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("finding", sa.String(63), nullable=False),
        _belongs_to_suite("history_soaks"),
        sa.PrimaryKeyConstraint("suite_id", "component", "metric", name="pk_history_soaks"),
    )


def _belongs_to_suite(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["suite_id"],
        ["history_suites.suite_id"],
        name=f"fk_{table}_suite_id",
        ondelete="CASCADE",
    )
