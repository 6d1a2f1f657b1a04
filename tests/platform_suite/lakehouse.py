"""The Iceberg tables as anybody reads them: over the catalog's REST API and object storage.

What pyiceberg answers becomes plain values here. A catalog whose database was away answers its
first request with a 5xx, from a connection that is gone; it is asked again within a deadline.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import NoSuchTableError, ServerError, ServiceUnavailableError
from pyiceberg.expressions import AlwaysTrue, EqualTo

from .deadline import NotYet, wait_for
from .order_rules import DayTotal, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyiceberg.table import Table

    from .order_rules import DailyTotals

    T = TypeVar("T")

BRONZE = "bronze.orders"
SILVER = "silver.orders"
GOLD = "gold.daily_totals"
_ASK_SECONDS = 45.0
_REQUEST_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table, as the table's manifests describe it."""

    path: str
    size_bytes: int
    rows: int


@dataclass(frozen=True)
class Column:
    """A column of a table's schema; the type is Iceberg's name for it."""

    name: str
    type: str
    is_required: bool


class _TimedCatalog(RestCatalog):
    """pyiceberg would wait for an answer for ever, and a pod that went away gives none."""

    def _create_session(self) -> requests.Session:
        session = super()._create_session()
        session.request = functools.partial(session.request, timeout=_REQUEST_TIMEOUT_SECONDS)
        return session


class Lakehouse:
    """The tables of one catalog.

    Args:
        settings: How pyiceberg reaches it, as `catalog_settings` gives them.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._catalog = _asked_again(lambda: _TimedCatalog("floe", **settings))

    @classmethod
    def of_this_pod(cls) -> Lakehouse:
        """Open the catalog that the pod's environment names."""
        return cls(catalog_settings(os.environ))

    def namespaces(self) -> set[str]:
        """List the namespaces."""
        return {".".join(name) for name in _asked_again(self._catalog.list_namespaces)}

    def tables(self, namespace: str) -> set[str]:
        """List the tables of a namespace, by their names in it."""
        return {name[-1] for name in _asked_again(lambda: self._catalog.list_tables(namespace))}

    def location(self, table: str) -> str:
        """Return the address under which a table's files lie."""
        return self._table(table).location()

    def columns(self, table: str) -> list[Column]:
        """Describe a table's schema."""
        fields = self._table(table).schema().fields
        return [Column(field.name, str(field.field_type), field.required) for field in fields]

    def snapshot(self, table: str) -> int:
        """Return the id of a table's current snapshot; a table without one fails the test."""
        current = self._table(table).current_snapshot()
        assert current is not None, f"{table} has no snapshot"
        return current.snapshot_id

    def snapshots(self, table: str) -> list[int]:
        """List the ids of all snapshots of a table, the oldest first."""
        return [entry.snapshot_id for entry in self._table(table).history()]

    def orders(
        self, table: str, *, batch: str | None = None, snapshot: int | None = None
    ) -> list[Order]:
        """Read orders, sorted.

        Args:
            table: `bronze.orders` or `silver.orders`.
            batch: Of this batch alone; None for all.
            snapshot: As this snapshot has them; None for the current one.
        """
        rows = self.rows(table, batch=batch, snapshot=snapshot)
        orders = [
            Order(row["order_id"], row["day"], row["customer"], row["amount_cents"]) for row in rows
        ]
        return sorted(orders, key=lambda order: (order.order_id, order.amount_cents))

    def daily_totals(self, *, snapshot: int | None = None) -> DailyTotals:
        """Read the gold table, now or as a snapshot has it; a day that is there twice fails."""
        rows = self.rows(GOLD, snapshot=snapshot)
        days = {row["day"]: DayTotal(row["orders"], row["revenue_cents"]) for row in rows}
        assert len(days) == len(rows), f"{len(rows) - len(days)} days are in {GOLD} twice"
        return days

    def totals_by_batch(self) -> dict[str, DailyTotals]:
        """Add up the silver table as it is now, by batch and day, file after file.

        Returns:
            The daily totals of each batch that has orders.
        """
        return _asked_again(self._totals_by_batch)

    def _totals_by_batch(self) -> dict[str, DailyTotals]:
        import duckdb

        scan = self._catalog.load_table(SILVER).scan(
            selected_fields=("batch", "day", "amount_cents")
        )
        with duckdb.connect(config={"memory_limit": "256MB", "threads": 1}) as connection:
            connection.register("silver", scan.to_arrow_batch_reader())
            rows = connection.execute(
                "SELECT batch, day, count(*), sum(amount_cents) FROM silver GROUP BY batch, day"
            ).fetchall()
        found: dict[str, DailyTotals] = {}
        for batch, day, orders, cents in rows:
            found.setdefault(batch, {})[day] = DayTotal(int(orders), int(cents))
        return found

    def scan(self, table: str, columns: tuple[str, ...]) -> int:
        """Read columns of a table to its end, and count the rows."""
        reader = self._catalog.load_table(table).scan(selected_fields=columns)
        return sum(batch.num_rows for batch in reader.to_arrow_batch_reader())

    def commit(self, table: str, properties: Mapping[str, str]) -> None:
        """Commit properties to a table of its own, which is created when it is missing."""
        from pyiceberg.schema import Schema
        from pyiceberg.types import LongType, NestedField

        namespace = table.partition(".")[0]
        try:
            found = self._catalog.load_table(table)
        except NoSuchTableError:
            self._catalog.create_namespace_if_not_exists(namespace)
            schema = Schema(NestedField(1, "number", LongType(), required=True))
            found = self._catalog.create_table_if_not_exists(table, schema=schema)
        with found.transaction() as transaction:
            transaction.set_properties(dict(properties))

    def drop(self, table: str) -> str | None:
        """Drop a table with the files that it names, where it is there.

        Returns:
            Its address in the object storage, where files of its past may be left: it names the
            metadata of its newest hundred commits.
        """
        try:
            address = self._catalog.load_table(table).location()
            self._catalog.purge_table(table)
        except NoSuchTableError:
            return None
        return address

    def rows(
        self, table: str, *, batch: str | None = None, snapshot: int | None = None
    ) -> list[Mapping[str, Any]]:
        """Read rows with all columns that the table has, or had at the snapshot."""
        return _asked_again(lambda: self.read_once(table, batch=batch, snapshot=snapshot))

    def read_once(
        self, table: str, *, batch: str | None = None, snapshot: int | None = None
    ) -> list[Mapping[str, Any]]:
        """Read rows as above, or fail with the first answer that is none.

        Raises:
            OSError: Object storage refuses, or does not answer.
        """
        wanted = AlwaysTrue() if batch is None else EqualTo("batch", batch)
        scan = self._catalog.load_table(table).scan(row_filter=wanted, snapshot_id=snapshot)
        return scan.to_arrow().to_pylist()

    def data_files(self, table: str) -> list[DataFile]:
        """List the files that a reader of the table's current snapshot opens."""

        def plan() -> list[DataFile]:
            tasks = list(self._catalog.load_table(table).scan().plan_files())
            # Reading the files alone is reading the table only when no row of them is deleted.
            assert not any(task.delete_files for task in tasks), f"{table} has delete files"
            files = (task.file for task in tasks)
            return [DataFile(f.file_path, f.file_size_in_bytes, f.record_count) for f in files]

        return _asked_again(plan)

    def add_column(self, table: str, name: str) -> None:
        """Add a column of text that may be null."""
        from pyiceberg.types import StringType

        with self._table(table).update_schema() as update:
            update.add_column(name, StringType())

    def drop_column(self, table: str, name: str) -> None:
        """Take a column away again, where it is there."""
        try:
            found = self._table(table)
        except NoSuchTableError:
            return
        if any(field.name == name for field in found.schema().fields):
            with found.update_schema() as update:
                update.delete_column(name)

    def _table(self, name: str) -> Table:
        return _asked_again(lambda: self._catalog.load_table(name))


def catalog_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Translate the ConfigMap `floe-lakehouse` and its Secrets into pyiceberg's settings.

    Source: https://py.iceberg.apache.org/configuration/
    """
    settings = {
        "uri": environment["FLOE_CATALOG_URI"],
        "warehouse": environment["FLOE_CATALOG_WAREHOUSE"],
        # Files are opened with the keys below. For a table's own the catalog would need an STS.
        "header.X-Iceberg-Access-Delegation": "",
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
        "s3.endpoint": environment["FLOE_S3_ENDPOINT"],
        "s3.region": environment["FLOE_S3_REGION"],
        "s3.access-key-id": environment["AWS_ACCESS_KEY_ID"],
        "s3.secret-access-key": environment["AWS_SECRET_ACCESS_KEY"],
        "s3.force-virtual-addressing": "false",
        "s3.connect-timeout": "5",
        "s3.request-timeout": "20",
    }
    if environment.get("FLOE_CATALOG_CLIENT_ID"):
        client = environment["FLOE_CATALOG_CLIENT_ID"]
        settings["credential"] = f"{client}:{environment['FLOE_CATALOG_CLIENT_SECRET']}"
        settings["scope"] = environment["FLOE_CATALOG_SCOPE"]
        settings["oauth2-server-uri"] = f"{settings['uri']}/v1/oauth/tokens"
    return settings


def _asked_again(ask: Callable[[], T]) -> T:
    def probe() -> T:
        try:
            return ask()
        # OSError is what requests raises without an HTTP answer, and pyarrow for object storage.
        except (ServerError, ServiceUnavailableError, OSError) as error:
            raise NotYet(f"{type(error).__name__}: {error}") from error

    return wait_for(probe, what="an answer of the catalog", deadline_seconds=_ASK_SECONDS)
