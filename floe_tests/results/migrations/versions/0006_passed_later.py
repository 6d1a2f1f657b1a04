"""Which failed tests passed in a later attempt of their run: failed, and flaky."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    op.add_column(
        "history_cases",
        sa.Column("passed_later", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_column("history_cases", "passed_later")
