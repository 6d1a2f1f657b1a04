"""The steps on real Iceberg tables, against values worked out from the written rules."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from floe_platform.lakehouse import pipeline, tables
from floe_platform.lakehouse.catalog import Lakehouse
from floe_platform.lakehouse.errors import RuleError, StorageError
from floe_platform.order_stream import OrderStream
from floe_platform.orders import Totals
from pyiceberg.expressions import EqualTo
from pyiceberg.types import StringType

from platform_suite.order_rules import DayTotal, OrderRules, totals_by_day
from platform_suite.order_stream import StreamRules, add

from .conftest import LOG, Interrupted, rows_of

if TYPE_CHECKING:
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table

SMALL = OrderRules(rows=300, seed=3, dirty_every=7)
OTHER = OrderRules(rows=120, seed=11, dirty_every=0)


def ingest(lakehouse: Lakehouse, batch: str, rules: OrderRules) -> pipeline.Written:
    return pipeline.ingest(
        lakehouse, batch, rows=rules.rows, seed=rules.seed, dirty_every=rules.dirty_every
    )


def run(lakehouse: Lakehouse, batch: str, rules: OrderRules) -> Totals:
    ingest(lakehouse, batch, rules)
    pipeline.clean(lakehouse, batch, highest_amount_cents=None)
    return pipeline.total(lakehouse)[1]


def of_rules(*rules: OrderRules) -> Totals:
    return Totals(sum(r.cleaned_rows() for r in rules), sum(r.cleaned_cents() for r in rules))


def current(lakehouse: Lakehouse, layout: tables.TableLayout) -> Table:
    return lakehouse.catalog.load_table((layout.namespace, layout.name))


def amounts(table: Table, batch: str, snapshot_id: int | None = None) -> list[int]:
    scan = table.scan(row_filter=EqualTo("batch", batch), snapshot_id=snapshot_id)
    return scan.to_arrow()["amount_cents"].to_pylist()


def data_files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*.parquet"))


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(OrderRules(), id="defaults"),
        pytest.param(OrderRules(rows=1, seed=0, dirty_every=0), id="one-clean-order"),
        pytest.param(OrderRules(rows=100, seed=3, dirty_every=1), id="all-dirty"),
        pytest.param(OrderRules(rows=1, seed=0, dirty_every=1), id="nothing-left"),
    ],
)
def test_each_table_holds_what_the_rules_say(lakehouse: Lakehouse, rules: OrderRules) -> None:
    ingested = ingest(lakehouse, "a", rules)
    cleaned = pipeline.clean(lakehouse, "a", highest_amount_cents=None)
    written, totals = pipeline.total(lakehouse)

    bronze, silver = current(lakehouse, tables.BRONZE), current(lakehouse, tables.SILVER)
    gold = pipeline.read_gold(lakehouse)
    assert ingested.content.rows.num_rows == len(rows_of(bronze)) == rules.raw_rows()
    assert sum(amounts(bronze, "a")) == rules.raw_cents()
    assert cleaned.content.rows.num_rows == len(rows_of(silver)) == rules.cleaned_rows()
    assert sum(amounts(silver, "a")) == rules.cleaned_cents()
    assert written.content.rows.num_rows == len(gold.days) == rules.days()
    assert totals == pipeline.add_up(gold.days) == of_rules(rules)
    assert (ingested.attempts, cleaned.attempts, written.attempts) == (1, 1, 1)
    assert gold.snapshot_id == written.snapshot_id
    assert gold.silver_snapshot_id == cleaned.snapshot_id


def test_tables_have_the_columns_that_others_rely_on(lakehouse: Lakehouse) -> None:
    run(lakehouse, "a", SMALL)

    def columns(layout: tables.TableLayout) -> list[tuple[str, str, bool]]:
        schema = current(lakehouse, layout).schema()
        return [(each.name, str(each.field_type), each.required) for each in schema.fields]

    orders = [
        ("batch", "string", True),
        ("order_id", "long", True),
        ("day", "date", True),
        ("customer", "string", False),
    ]
    streamed = [("product", "string", False), ("received_on", "date", False)]
    raw = [("amount_cents", "long", False), *streamed, ("raw_amount", "string", False)]
    assert columns(tables.BRONZE) == [*orders, *raw]
    assert columns(tables.SILVER) == [*orders, ("amount_cents", "long", True), *streamed]
    assert columns(tables.GOLD) == [
        ("day", "date", True),
        ("orders", "long", True),
        ("revenue_cents", "long", True),
    ]


def test_stream_of_orders_comes_in_by_parts_and_adds_up(lakehouse: Lakehouse) -> None:
    stream, rules = OrderStream(10_000, seed=5), StreamRules(10_000, seed=5)
    run(lakehouse, "by-hand", SMALL)
    for part in range(stream.parts):
        written, seconds = pipeline.ingest_part(lakehouse, f"part-{part}", stream=stream, part=part)
        assert written.content.rows.num_rows == rules.raw_rows(part)
        assert seconds > 0
        pipeline.clean(lakehouse, f"part-{part}", highest_amount_cents=None)
    pipeline.total(lakehouse)

    found = {
        total.day: DayTotal(total.orders, total.revenue_cents)
        for total in pipeline.read_gold(lakehouse).days
    }
    by_hand = totals_by_day(SMALL.cleaned_orders())
    assert found == add(rules.daily_totals(), by_hand)
    bronze = current(lakehouse, tables.BRONZE).scan().to_arrow()
    texts = bronze.filter(bronze["raw_amount"].is_valid())
    assert texts.num_rows > 0
    assert texts["amount_cents"].null_count == texts.num_rows
    silver = current(lakehouse, tables.SILVER).scan(EqualTo("batch", "part-0")).to_arrow()
    assert silver["product"].null_count == silver["received_on"].null_count == 0


def test_table_of_an_older_version_gets_the_columns_that_have_come_since(
    lakehouse: Lakehouse,
) -> None:
    older = tables.TableLayout(
        "bronze",
        "orders",
        tuple(
            tables.Column(each.name, each.type, required=each.name != "customer")
            for each in tables.BRONZE.columns
            if each.name in {"batch", "order_id", "day", "customer", "amount_cents"}
        ),
        partitioned_by="batch",
    )
    made = tables.open_table(lakehouse, older)
    assert made.schema().find_field("amount_cents").required
    stream = OrderStream(10_000, seed=5)

    pipeline.ingest_part(lakehouse, "a", stream=stream, part=0)

    now = current(lakehouse, tables.BRONZE)
    assert [field.name for field in now.schema().fields] == [
        column.name for column in tables.BRONZE.columns
    ]
    assert now.scan().count() == StreamRules(10_000, 5).raw_rows(0)


def test_a_batch_that_comes_again_replaces_itself_and_nothing_else(lakehouse: Lakehouse) -> None:
    assert run(lakehouse, "a", OrderRules()) == of_rules(OrderRules())
    assert run(lakehouse, "b", OTHER) == of_rules(OrderRules(), OTHER)
    before = current(lakehouse, tables.SILVER).current_snapshot()
    assert before is not None

    assert run(lakehouse, "a", SMALL) == of_rules(SMALL, OTHER)

    silver = current(lakehouse, tables.SILVER)
    assert sum(amounts(silver, "a")) == SMALL.cleaned_cents()
    assert sum(amounts(silver, "b")) == OTHER.cleaned_cents()
    then = before.snapshot_id
    assert sum(amounts(silver, "a", then)) == OrderRules().cleaned_cents(), "time travel"


def test_the_same_batch_twice_leaves_the_same_rows(lakehouse: Lakehouse) -> None:
    run(lakehouse, "a", SMALL)
    first = rows_of(current(lakehouse, tables.SILVER))

    run(lakehouse, "a", SMALL)

    assert rows_of(current(lakehouse, tables.SILVER)) == first


def test_silver_fails_in_the_middle_and_stays_where_it_was(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    run(lakehouse, "a", OTHER)
    before = current(lakehouse, tables.SILVER)
    files = data_files(tmp_path / "warehouse" / "silver")
    ingested = ingest(lakehouse, "a", SMALL)

    with pytest.raises(RuleError) as caught:
        pipeline.clean(lakehouse, "a", highest_amount_cents=9000)

    after = current(lakehouse, tables.SILVER)
    error = caught.value
    first = next(n for n in range(1, 301) if 100 + (n * 7919 + 3 * 104729) % 9900 > 9000)
    assert error.violation.order_id == first
    assert str(error).startswith(f"order {first} of batch 'a' has ")
    assert "more than highest_amount_cents = 9000 allows" in str(error)
    assert str(error).endswith(f"silver.orders stays at snapshot {error.snapshot_id}.")
    assert error.data_files == 1, "the rows were in the storage before they were looked at"
    assert after.metadata == before.metadata
    assert error.snapshot_id == before.metadata.current_snapshot_id
    assert data_files(tmp_path / "warehouse" / "silver") == files, "what was written is gone"
    bronze = current(lakehouse, tables.BRONZE)
    assert bronze.metadata.current_snapshot_id == ingested.snapshot_id


def test_the_highest_amount_itself_is_allowed(lakehouse: Lakehouse) -> None:
    ingest(lakehouse, "a", OTHER)
    highest = max(100 + (n * 7919 + 11 * 104729) % 9900 for n in range(1, 121))

    assert pipeline.clean(lakehouse, "a", highest_amount_cents=highest).attempts == 1
    with pytest.raises(RuleError, match="orders of the batch that have: 1"):
        pipeline.clean(lakehouse, "a", highest_amount_cents=highest - 1)


def test_a_silver_that_never_was_stays_empty(lakehouse: Lakehouse) -> None:
    ingest(lakehouse, "a", SMALL)

    with pytest.raises(RuleError, match=r"silver\.orders stays empty\.$"):
        pipeline.clean(lakehouse, "a", highest_amount_cents=1)

    assert current(lakehouse, tables.SILVER).metadata.snapshots == []


def test_columns_that_others_added_are_left_empty(lakehouse: Lakehouse) -> None:
    run(lakehouse, "a", SMALL)
    for layout in (tables.BRONZE, tables.SILVER, tables.GOLD):
        with current(lakehouse, layout).update_schema() as change:
            change.add_column("note", StringType())

    assert run(lakehouse, "a", OTHER) == of_rules(OTHER)
    assert run(lakehouse, "b", SMALL) == of_rules(OTHER, SMALL)

    for layout in (tables.BRONZE, tables.SILVER, tables.GOLD):
        rows = rows_of(current(lakehouse, layout))
        assert {row["note"] for row in rows} == {None}


def test_a_storage_that_takes_no_files_is_named(lakehouse: Lakehouse, tmp_path: Path) -> None:
    table = tables.open_table(lakehouse, tables.BRONZE)
    (tmp_path / "warehouse" / "bronze" / "orders" / "data").write_text("no folder")

    with pytest.raises(StorageError, match=r"^could not write bronze\.orders: .*`object-storage`"):
        ingest(lakehouse, "a", SMALL)

    assert current(lakehouse, tables.BRONZE).metadata == table.metadata


def test_a_data_file_that_is_gone_names_the_table(lakehouse: Lakehouse, tmp_path: Path) -> None:
    ingest(lakehouse, "a", SMALL)
    pipeline.clean(lakehouse, "a", highest_amount_cents=None)
    for path in (tmp_path / "warehouse" / "silver").rglob("*.parquet"):
        path.unlink()

    # DuckDB passes on what the stream of rows says, as an error of its own.
    with pytest.raises(duckdb.Error, match=r"could not read silver\.orders"):
        pipeline.total(lakehouse)


class TestBesideAnotherRun:
    """What one run commits while another one is between its first read and its commit."""

    def interrupted(
        self, catalog: SqlCatalog, table: tuple[str, str], rules: OrderRules, batch: str
    ) -> Lakehouse:
        other = Lakehouse(catalog, LOG)
        proxy = Interrupted(catalog, table, lambda: run(other, batch, rules))
        return Lakehouse(proxy, LOG)  # pyright: ignore[reportArgumentType]

    def test_bronze_keeps_both_batches(
        self, lakehouse: Lakehouse, catalog: SqlCatalog, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(lakehouse, "first", OTHER)
        slow = self.interrupted(catalog, ("bronze", "orders"), SMALL, "b")

        with caplog.at_level(logging.WARNING):
            written = ingest(slow, "a", OTHER)

        bronze = current(lakehouse, tables.BRONZE)
        assert written.attempts == 2
        assert "commit 1 of at most 12 to bronze.orders did not succeed" in caplog.text
        assert sum(amounts(bronze, "a")) == OTHER.raw_cents()
        assert sum(amounts(bronze, "b")) == SMALL.raw_cents()

    def test_the_same_batch_is_there_once(self, lakehouse: Lakehouse, catalog: SqlCatalog) -> None:
        ingest(lakehouse, "first", OTHER)
        slow = self.interrupted(catalog, ("bronze", "orders"), SMALL, "a")

        written = ingest(slow, "a", OTHER)

        assert written.attempts == 2
        assert len(amounts(current(lakehouse, tables.BRONZE), "a")) == OTHER.raw_rows()

    def test_the_first_commits_of_all_keep_both_batches(
        self, lakehouse: Lakehouse, catalog: SqlCatalog
    ) -> None:
        tables.open_table(lakehouse, tables.BRONZE)  # without a snapshot
        slow = self.interrupted(catalog, ("bronze", "orders"), SMALL, "b")

        assert ingest(slow, "a", OTHER).attempts == 2

        assert len(rows_of(current(lakehouse, tables.BRONZE))) == (
            OTHER.raw_rows() + SMALL.raw_rows()
        )

    def test_silver_cleans_what_bronze_holds_by_then(
        self, lakehouse: Lakehouse, catalog: SqlCatalog
    ) -> None:
        """A batch that is ingested again meanwhile must not be undone by the older run."""
        run(lakehouse, "a", OTHER)
        slow = self.interrupted(catalog, ("bronze", "orders"), SMALL, "a")

        cleaned = pipeline.clean(slow, "a", highest_amount_cents=None)

        assert cleaned.attempts == 2
        silver = current(lakehouse, tables.SILVER)
        assert sum(amounts(silver, "a")) == SMALL.cleaned_cents()

    def test_gold_is_never_replaced_by_an_older_view(
        self, lakehouse: Lakehouse, catalog: SqlCatalog, tmp_path: Path
    ) -> None:
        run(lakehouse, "a", OTHER)
        slow = self.interrupted(catalog, ("silver", "orders"), SMALL, "b")

        written, totals = pipeline.total(slow)

        gold = pipeline.read_gold(lakehouse)
        assert written.attempts == 2
        assert totals == pipeline.add_up(gold.days) == of_rules(OTHER, SMALL)
        assert gold.silver_snapshot_id == pipeline.newest_silver(lakehouse)
        # One file for each of the three commits to gold; that of the lost one is gone.
        assert len(data_files(tmp_path / "warehouse" / "gold")) == 3

    def test_a_first_gold_is_not_replaced_by_an_older_view_either(
        self, lakehouse: Lakehouse, catalog: SqlCatalog
    ) -> None:
        """With nothing beneath, pyiceberg's own second try would find nothing in its way."""
        ingest(lakehouse, "a", OTHER)
        pipeline.clean(lakehouse, "a", highest_amount_cents=None)
        tables.open_table(lakehouse, tables.GOLD)
        slow = self.interrupted(catalog, ("silver", "orders"), SMALL, "b")

        written, totals = pipeline.total(slow)

        assert written.attempts == 2
        assert totals == pipeline.add_up(pipeline.read_gold(lakehouse).days)
        assert totals == of_rules(OTHER, SMALL)
