"""What the catalog says of the tables, and what lies in object storage under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.lakehouse import SILVER, Column
from platform_suite.object_storage import BUCKET

from .batches import CLEANED, TABLES
from .story import NEW_COLUMN

if TYPE_CHECKING:
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.object_storage import ObjectStorage

    from .story import Evolution, Replacement

pytestmark = pytest.mark.kubernetes

_ORDERS = [
    ("batch", "string"),
    ("order_id", "long"),
    ("day", "date"),
    ("customer", "string"),
    ("amount_cents", "long"),
]
_TOTALS = [("day", "date"), ("orders", "long"), ("revenue_cents", "long")]
_STREAMED = [("product", "string"), ("received_on", "date")]
SCHEMAS = {
    "bronze.orders": [*_ORDERS, *_STREAMED, ("raw_amount", "string")],
    "silver.orders": [*_ORDERS, *_STREAMED],
    "gold.daily_totals": _TOTALS,
}


def test_catalog_has_a_namespace_for_each_stage(
    lakehouse: Lakehouse, replacement: Replacement
) -> None:
    """Bronze, silver and gold, each with its table."""
    assert replacement.run.run.status == "SUCCESS", replacement.run.reasons()
    assert lakehouse.namespaces() >= {"bronze", "silver", "gold"}
    assert {
        f"{namespace}.{table}"
        for namespace in ("bronze", "silver", "gold")
        for table in lakehouse.tables(namespace)
    } == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_schema_is_what_readers_rely_on(
    lakehouse: Lakehouse, replacement: Replacement, table: str
) -> None:
    """Names and types, in order."""
    assert replacement.run.run.status == "SUCCESS", replacement.run.reasons()
    columns = [column for column in lakehouse.columns(table) if column.name != NEW_COLUMN]
    assert [(column.name, column.type) for column in columns] == SCHEMAS[table]


@pytest.mark.parametrize("table", TABLES)
def test_every_data_file_is_in_object_storage_as_the_catalog_describes_it(
    lakehouse: Lakehouse, storage: ObjectStorage, evolution: Evolution, table: str
) -> None:
    """A file that is missing or cut off would be found by the first reader otherwise."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
    assert lakehouse.location(table).startswith(f"s3://{BUCKET}/")
    files = lakehouse.data_files(table)
    assert files, f"{table} has no data file"
    stored = storage.sizes(lakehouse.location(table))
    assert {file.path: file.size_bytes for file in files} == {
        file.path: stored.get(file.path) for file in files
    }
    made = evolution.run.about("MaterializationEvent")[table.replace(".", "/")]
    rows = sum(file.rows for file in files)
    assert rows >= made.metadata["rows"] > 0


def test_silver_holds_the_batches_of_the_runs_that_succeeded_and_no_others(
    lakehouse: Lakehouse, evolution: Evolution
) -> None:
    """The numbers below are of these batches; a failed run's is not among them."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
    found = {row["batch"] for row in lakehouse.rows(SILVER)}
    assert found == {batch.name for batch in CLEANED}


def test_order_without_customer_is_null_in_the_raw_table_alone(
    lakehouse: Lakehouse, evolution: Evolution
) -> None:
    """The column may be null, and cleaning leaves no null in it."""
    assert evolution.run.run.status == "SUCCESS", evolution.run.reasons()
    (customer,) = [c for c in lakehouse.columns("bronze.orders") if c.name == "customer"]
    assert customer == Column("customer", "string", is_required=False)
    assert None in {row["customer"] for row in lakehouse.rows("bronze.orders")}
    assert None not in {row["customer"] for row in lakehouse.rows(SILVER)}
