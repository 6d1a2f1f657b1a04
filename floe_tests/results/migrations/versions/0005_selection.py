"""Which groups of tests a suite was narrowed to: only like is compared with like."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    op.add_column("history_suites", sa.Column("selection", sa.Text()))


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_column("history_suites", "selection")
