"""Runs migrations on a connection that the caller opened.

There is no alembic.ini: the database is the caller's (`floe_tests.results.history`), who holds the
lock and the transaction as well.
"""

from __future__ import annotations

from alembic import context

from floe_tests.results.migration import options

context.configure(**options(context.config.attributes["connection"]))
with context.begin_transaction():
    context.run_migrations()
