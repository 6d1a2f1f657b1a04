"""Alembic's migrations of the history, shipped with the package and run by `History.open`."""
