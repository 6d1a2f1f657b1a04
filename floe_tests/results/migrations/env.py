"""Runs migrations on a connection that the caller opened.

There is no alembic.ini: the database is the caller's (`results/history/store.py`), who holds the
lock and the transaction as well.
"""

from __future__ import annotations

from alembic import context

from floe_tests.results.history.migration import options

context.configure(**options(context.config.attributes["connection"]))
with context.begin_transaction():
    context.run_migrations()
