"""The integration suite: what floe promises of Dagster and DuckDB, seen from inside the cluster."""
