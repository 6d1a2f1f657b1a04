"""The floe platform's code location: pipelines that move orders through DuckDB and Iceberg.

This package imports nothing by itself: the start-up and health programs in it run without Dagster.
"""
