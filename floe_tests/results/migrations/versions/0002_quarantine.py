"""Which failures a suite's gate let pass."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    op.add_column(
        "history_suites", sa.Column("quarantined", sa.JSON(), nullable=False, server_default="[]")
    )


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_column("history_suites", "quarantined")
