"""Which test was renamed to which, by the user's word."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    op.create_table(
        "history_renames",
        sa.Column("test_id", sa.Integer(), nullable=False),
        sa.Column("renamed_to", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["test_id"],
            ["history_tests.test_id"],
            name=op.f("fk_history_renames_test_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["renamed_to"],
            ["history_tests.test_id"],
            name=op.f("fk_history_renames_renamed_to"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("test_id", name=op.f("pk_history_renames")),
    )


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("history_renames")
