"""The Iceberg tables: what they are made of, how they come to be and how they are read.

Tables belong to others, too: somebody may add columns. Writes leave such columns empty, and reads
name the columns they want.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from floe_platform.lakehouse.errors import storage_errors

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.types import PrimitiveType

    from floe_platform.lakehouse.catalog import Lakehouse


@dataclass(frozen=True)
class Column:
    """A column; a required one is never null."""

    name: str
    type: Literal["string", "long", "date"]
    required: bool = True


@dataclass(frozen=True)
class TableLayout:
    """What a table is made of.

    Attributes:
        namespace: Where it lies in the catalog.
        name: Its name there.
        columns: Its columns, in order.
        partitioned_by: The column whose values have data files of their own; None for none.
    """

    namespace: str
    name: str
    columns: tuple[Column, ...]
    partitioned_by: str | None = None

    def __str__(self) -> str:
        """Return the name that the catalog knows."""
        return f"{self.namespace}.{self.name}"


# What a stream of production-like orders says beside the rest.
STREAMED = ("product", "received_on")
_ORDERS = (
    Column("batch", "string"),
    Column("order_id", "long"),
    Column("day", "date"),
    Column("customer", "string", required=False),
)
_STREAMED = (
    Column("product", "string", required=False),
    Column("received_on", "date", required=False),
)
# With files of its own a batch is replaced without reading or rewriting any other.
BRONZE = TableLayout(
    "bronze",
    "orders",
    (
        *_ORDERS,
        # An amount that arrived as text which is no number stands in the last column.
        Column("amount_cents", "long", required=False),
        *_STREAMED,
        Column("raw_amount", "string", required=False),
    ),
    partitioned_by="batch",
)
SILVER = TableLayout(
    "silver",
    "orders",
    (*_ORDERS, Column("amount_cents", "long"), *_STREAMED),
    partitioned_by="batch",
)
GOLD = TableLayout(
    "gold",
    "daily_totals",
    (Column("day", "date"), Column("orders", "long"), Column("revenue_cents", "long")),
)


def open_table(lakehouse: "Lakehouse", layout: TableLayout) -> "Table":
    """Load a table as it is now; create it when it is missing, and what it lacks.

    A table that an older version made gets the columns that have come since, and a column that may
    be null now may be so in it.

    Args:
        lakehouse: Where.
        layout: Which.

    Returns:
        The table. Others may have created it at the same moment.

    Raises:
        CatalogError: The catalog did not answer within the deadline.
    """
    from pyiceberg.exceptions import NoSuchTableError

    def load() -> "Table":
        return lakehouse.ask(
            f"load {layout}", lambda: lakehouse.catalog.load_table((layout.namespace, layout.name))
        )

    try:
        table = load()
    except NoSuchTableError:
        return lakehouse.ask(f"create {layout}", lambda: _create(lakehouse, layout))
    if _is_older(table, layout):
        lakehouse.ask(f"renew the columns of {layout}", lambda: _renew(load(), layout))
        return load()
    return table


def arrow_schema(layout: TableLayout) -> "pa.Schema":
    """Return the Arrow schema that a write to the table has."""
    import pyarrow as pa

    types = {"string": pa.string(), "long": pa.int64(), "date": pa.date32()}
    return pa.schema(
        [
            pa.field(column.name, types[column.type], nullable=not column.required)
            for column in layout.columns
        ]
    )


def read(
    table: "Table",
    columns: tuple[str, ...],
    *,
    where: "BooleanExpression | None" = None,
    snapshot_id: int | None = None,
) -> "pa.RecordBatchReader":
    """Read a table file by file, so that its size does not matter.

    Args:
        table: The table as loaded; what others commit meanwhile is not seen.
        columns: Which columns.
        where: Which rows; None for all.
        snapshot_id: Which snapshot; None for the one the table was loaded at.

    Returns:
        A stream of rows that can be read once.
    """
    import pyarrow as pa
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow

    scan = table.scan(
        row_filter=where or AlwaysTrue(), selected_fields=columns, snapshot_id=snapshot_id
    )
    projection = scan.projection()
    # The scan's own reader fetches all files at once, and keeps them until they are asked for.
    files = ArrowScan(table.metadata, table.io, projection, scan.row_filter)

    what = f"read {'.'.join(table.name())}"
    with storage_errors(what):
        tasks = list(scan.plan_files())

    def batches() -> "Iterator[pa.RecordBatch]":
        with storage_errors(what):
            for task in tasks:
                yield from files.to_record_batches([task])

    schema = schema_to_pyarrow(projection, include_field_ids=False)
    return pa.RecordBatchReader.from_batches(schema, (batch.cast(schema) for batch in batches()))


def _create(lakehouse: "Lakehouse", layout: TableLayout) -> "Table":
    from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
    from pyiceberg.transforms import IdentityTransform

    schema = _iceberg_schema(layout)
    spec = UNPARTITIONED_PARTITION_SPEC
    if layout.partitioned_by is not None:
        column = schema.find_field(layout.partitioned_by)
        spec = PartitionSpec(
            PartitionField(
                source_id=column.field_id,
                field_id=1000,  # Iceberg counts partition fields from here
                transform=IdentityTransform(),
                name=column.name,
            )
        )
    lakehouse.catalog.create_namespace_if_not_exists((layout.namespace,))
    return lakehouse.catalog.create_table_if_not_exists(
        (layout.namespace, layout.name), schema=schema, partition_spec=spec
    )


def _is_older(table: "Table", layout: TableLayout) -> bool:
    found = {field.name: field.required for field in table.schema().fields}
    return any(
        column.name not in found or (found[column.name] and not column.required)
        for column in layout.columns
    )


def _renew(table: "Table", layout: TableLayout) -> None:
    from pyiceberg.exceptions import CommitFailedException

    found = {field.name: field.required for field in table.schema().fields}
    try:
        with table.update_schema() as update:
            for column in layout.columns:
                if column.name not in found:
                    update.add_column(column.name, _iceberg_type(column))
                elif found[column.name] and not column.required:
                    update.make_column_optional(column.name)
    except CommitFailedException:
        # Another run was faster, with these columns or with others.
        if _is_older(table.refresh(), layout):
            raise


def _iceberg_type(column: Column) -> "PrimitiveType":
    from pyiceberg.types import DateType, LongType, StringType

    types = {"string": StringType(), "long": LongType(), "date": DateType()}
    return types[column.type]


def _iceberg_schema(layout: TableLayout) -> "Schema":
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    return Schema(
        *(
            NestedField(number, column.name, _iceberg_type(column), required=column.required)
            for number, column in enumerate(layout.columns, start=1)
        )
    )
