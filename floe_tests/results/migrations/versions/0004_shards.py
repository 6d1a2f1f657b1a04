"""How many shards a suite was cut into, and what each of them ran."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go to this version."""
    op.add_column("history_suites", sa.Column("shards", sa.Integer()))
    for name in ("selected", "reported"):
        op.add_column("history_attempts", sa.Column(name, sa.Integer()))


def downgrade() -> None:
    """Go back to the version before."""
    for name in ("selected", "reported"):
        op.drop_column("history_attempts", name)
    op.drop_column("history_suites", "shards")
