"""The history: every run and test, on SQLAlchemy."""
