"""The steps on Iceberg: a batch into bronze, that batch cleaned into silver, all of it into gold.

The transformations are those of `floe_platform.orders`, on a DuckDB in memory.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from floe_platform import orders
from floe_platform.lakehouse.commits import Content, Written, replace
from floe_platform.lakehouse.errors import Violation
from floe_platform.lakehouse.tables import BRONZE, GOLD, SILVER, STREAMED, open_table, read
from floe_platform.order_stream import OrderStream

if TYPE_CHECKING:
    import datetime as dt

    import duckdb
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from floe_platform.lakehouse.catalog import Lakehouse

BATCH_LABEL = "floe.batch"
SILVER_SNAPSHOT = "floe.silver-snapshot-id"
# Two runs and the code server share 1536 MiB.
_DUCKDB = {"memory_limit": "256MB", "threads": 2}
_BATCH_OF_ORDERS = """
SELECT CAST($batch AS VARCHAR) AS batch, order_id, day, customer, amount_cents, {streamed}
FROM {table} ORDER BY order_id, amount_cents
"""
_NOT_STREAMED = {
    "product": "CAST(NULL AS VARCHAR) AS product",
    "received_on": "CAST(NULL AS DATE) AS received_on",
    "raw_amount": "CAST(NULL AS VARCHAR) AS raw_amount",
}
_DAILY_TOTALS = "SELECT day, orders, revenue_cents FROM daily_totals ORDER BY day"


@dataclass(frozen=True, order=True)
class DailyTotal:
    """Orders and revenue of one day."""

    day: "dt.date"
    orders: int
    revenue_cents: int


@dataclass(frozen=True)
class GoldTotals:
    """The daily totals at one snapshot of gold.

    Attributes:
        snapshot_id: That snapshot; None when gold has none yet.
        silver_snapshot_id: The snapshot of silver they were computed from, None when silver had
            none or when somebody else wrote them.
        days: The totals, by day.
    """

    snapshot_id: int | None
    silver_snapshot_id: int | None
    days: tuple[DailyTotal, ...]


def ingest(
    lakehouse: "Lakehouse", batch: str, *, rows: int, seed: int, dirty_every: int
) -> Written:
    """Generate raw orders and put them into bronze as a batch, replacing the batch.

    Args:
        lakehouse: Where.
        batch: Its name.
        rows: Number of orders before some are doubled.
        seed: Shifts customers and amounts.
        dirty_every: Every how many orders one is spoilt; 0 for none.

    Returns:
        What was written.

    Raises:
        LakehouseError: The catalog failed, or others were faster each time.
    """

    def compute() -> Content:
        with _duckdb() as connection:
            orders.generate(connection, rows=rows, seed=seed, dirty_every=dirty_every)
            streamed = tuple(_NOT_STREAMED.values())
            return Content(_orders_of(connection, "orders", batch, streamed), _labels(batch))

    return replace(lakehouse, BRONZE, compute, where=_of(batch))


def ingest_part(
    lakehouse: "Lakehouse", batch: str, *, stream: OrderStream, part: int
) -> tuple[Written, float]:
    """Make a part of a stream of production-like orders and put it into bronze as a batch.

    Args:
        lakehouse: Where.
        batch: Its name; what it held before is replaced.
        stream: The stream.
        part: Which part of it, from 0.

    Returns:
        What was written, and how many seconds the orders took to make, the last time.

    Raises:
        ValueError: The stream has no such part.
        LakehouseError: The catalog failed, or others were faster each time.
    """
    import pyarrow as pa

    numbers = stream.part(part)
    seconds = 0.0

    def compute() -> Content:
        nonlocal seconds
        started = time.perf_counter()
        made = pa.Table.from_batches(stream.chunks(numbers))
        seconds = time.perf_counter() - started
        rows = made.add_column(0, "batch", pa.repeat(batch, made.num_rows))
        return Content(rows.select([column.name for column in BRONZE.columns]), _labels(batch))

    return replace(lakehouse, BRONZE, compute, where=_of(batch)), seconds


def clean(lakehouse: "Lakehouse", batch: str, *, highest_amount_cents: int | None) -> Written:
    """Clean a batch of bronze into silver, replacing the batch there.

    Args:
        lakehouse: Where.
        batch: Its name.
        highest_amount_cents: No cleaned order may cost more; None for no limit.

    Returns:
        What was written.

    Raises:
        RuleError: An order costs more. Silver stays at its last snapshot.
        LakehouseError: The catalog failed, or others were faster each time.
    """

    def compute() -> Content:
        bronze = open_table(lakehouse, BRONZE)
        columns = ("order_id", "day", "customer", "amount_cents", *STREAMED)
        with _duckdb() as connection:
            connection.register("orders", read(bronze, columns, where=_of(batch)))
            orders.clean(connection, keep=STREAMED)
            return Content(
                _orders_of(connection, "orders_cleaned", batch, STREAMED), _labels(batch)
            )

    def audit(rows: "pa.Table") -> Violation | None:
        if highest_amount_cents is None:
            return None
        return _too_high(rows, batch=batch, highest_amount_cents=highest_amount_cents)

    return replace(lakehouse, SILVER, compute, where=_of(batch), audit=audit)


def total(lakehouse: "Lakehouse") -> tuple[Written, orders.Totals]:
    """Compute gold anew from all of silver.

    Args:
        lakehouse: Where.

    Returns:
        What was written, and what it adds up to.

    Raises:
        LakehouseError: The catalog failed, or others were faster each time.
    """
    from pyiceberg.expressions import AlwaysTrue

    def compute() -> Content:
        silver = open_table(lakehouse, SILVER)
        snapshot = silver.current_snapshot()
        labels = {SILVER_SNAPSHOT: str(snapshot.snapshot_id)} if snapshot else {}
        return Content(_totals_of(silver, None), labels)

    written = replace(lakehouse, GOLD, compute, where=AlwaysTrue())
    return written, add_up(_days(written.content.rows))


def read_gold(lakehouse: "Lakehouse") -> GoldTotals:
    """Read the newest daily totals.

    Args:
        lakehouse: Where.

    Returns:
        The totals and where they come from.

    Raises:
        LakehouseError: The catalog or the object storage failed.
    """
    gold = open_table(lakehouse, GOLD)
    return _gold_at(gold, gold.current_snapshot())


def read_gold_at(lakehouse: "Lakehouse", snapshot_id: int | None) -> GoldTotals:
    """Read the daily totals of a snapshot.

    Args:
        lakehouse: Where.
        snapshot_id: The snapshot; None for a gold that had none.

    Returns:
        The totals and where they come from; without a snapshot when there is no such one any more.

    Raises:
        LakehouseError: The catalog or the object storage failed.
    """
    if snapshot_id is None:
        return GoldTotals(None, None, ())
    gold = open_table(lakehouse, GOLD)
    return _gold_at(gold, gold.snapshot_by_id(snapshot_id))


def totals_of_silver(
    lakehouse: "Lakehouse", snapshot_id: int | None
) -> tuple[DailyTotal, ...] | None:
    """Compute what gold has to hold for a snapshot of silver, without writing it.

    Args:
        lakehouse: Where.
        snapshot_id: The snapshot; None for a silver that had none.

    Returns:
        The totals, by day; None when there is no such snapshot any more.

    Raises:
        LakehouseError: The catalog or the object storage failed.
    """
    if snapshot_id is None:
        return ()
    silver = open_table(lakehouse, SILVER)
    if silver.snapshot_by_id(snapshot_id) is None:
        return None
    return _days(_totals_of(silver, snapshot_id))


def newest_silver(lakehouse: "Lakehouse") -> int | None:
    """Return silver's newest snapshot, None when it has none."""
    snapshot = open_table(lakehouse, SILVER).current_snapshot()
    return snapshot.snapshot_id if snapshot else None


def add_up(days: tuple[DailyTotal, ...]) -> orders.Totals:
    """Add up daily totals."""
    return orders.Totals(
        orders=sum(day.orders for day in days),
        revenue_cents=sum(day.revenue_cents for day in days),
    )


@contextmanager
def _duckdb() -> "Iterator[duckdb.DuckDBPyConnection]":
    import duckdb

    # What does not fit into memory goes to disk, and the root of a pod is read-only.
    with (
        tempfile.TemporaryDirectory(prefix="floe-duckdb-") as directory,
        duckdb.connect(":memory:", config={**_DUCKDB, "temp_directory": directory}) as connection,
    ):
        yield connection


def _of(batch: str) -> "BooleanExpression":
    from pyiceberg.expressions import EqualTo

    # pyiceberg's own constructor, which pyright does not see behind pydantic's.
    return EqualTo("batch", batch)  # pyright: ignore[reportCallIssue]


def _labels(batch: str) -> dict[str, str]:
    return {BATCH_LABEL: batch}


def _orders_of(
    connection: "duckdb.DuckDBPyConnection", table: str, batch: str, streamed: tuple[str, ...]
) -> "pa.Table":
    query = _BATCH_OF_ORDERS.format(table=table, streamed=", ".join(streamed))
    return connection.sql(query, params={"batch": batch}).to_arrow_table()


def _totals_of(silver: "Table", snapshot_id: int | None) -> "pa.Table":
    with _duckdb() as connection:
        rows = read(silver, ("day", "amount_cents"), snapshot_id=snapshot_id)
        connection.register("orders_cleaned", rows)
        orders.total(connection)
        return connection.sql(_DAILY_TOTALS).to_arrow_table()


def _gold_at(gold: "Table", snapshot: "Snapshot | None") -> GoldTotals:
    if snapshot is None:
        return GoldTotals(None, None, ())
    labels = snapshot.summary.additional_properties if snapshot.summary else {}
    source = labels.get(SILVER_SNAPSHOT)
    rows = read(gold, ("day", "orders", "revenue_cents"), snapshot_id=snapshot.snapshot_id)
    return GoldTotals(snapshot.snapshot_id, int(source) if source else None, _days(rows.read_all()))


def _days(rows: "pa.Table") -> tuple[DailyTotal, ...]:
    return tuple(sorted(DailyTotal(**row) for row in rows.to_pylist()))


def _too_high(rows: "pa.Table", *, batch: str, highest_amount_cents: int) -> Violation | None:
    import pyarrow.compute as pc

    above = rows.filter(pc.field("amount_cents") > highest_amount_cents)
    if above.num_rows == 0:
        return None
    first = above.sort_by("order_id").slice(0, 1).to_pylist()[0]
    return Violation(
        rule=f"highest_amount_cents = {highest_amount_cents}",
        batch=batch,
        order_id=first["order_id"],
        amount_cents=first["amount_cents"],
        orders=above.num_rows,
    )
