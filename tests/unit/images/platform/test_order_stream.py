"""Production-like orders, against the written rules in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from floe_platform import order_stream, orders
from floe_platform.order_stream import OrderStream

from platform_suite.order_rules import DayTotal
from platform_suite.order_stream import StreamRules, add, subtract

STREAM = OrderStream(20_000, seed=11)


def rows(
    stream: OrderStream, numbers: range | None = None, *, chunk_rows: int = 100_000
) -> pa.Table:
    return pa.Table.from_batches(stream.chunks(numbers, chunk_rows=chunk_rows))


@pytest.fixture
def own_memory() -> Iterator[pa.MemoryPool]:
    """Counts what Arrow takes during one test."""
    before = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    pa.set_memory_pool(pool)
    yield pool
    pa.set_memory_pool(before)


@pytest.mark.parametrize(
    ("scale", "seed"),
    [
        pytest.param(10_000, 0, id="smallest"),
        pytest.param(20_000, 11, id="small"),
        pytest.param(30_001, 2**32 - 1, id="largest-seed"),
    ],
)
def test_pipeline_keeps_what_the_rules_say(scale: int, seed: int) -> None:
    rules = StreamRules(scale, seed)
    made = rows(OrderStream(scale, seed))

    with duckdb.connect(":memory:") as connection:
        connection.register("orders", made)
        orders.clean(connection, keep=("product", "received_on"))
        orders.total(connection)
        found = {
            day: DayTotal(number, cents)
            for day, number, cents in connection.sql("SELECT * FROM daily_totals").fetchall()
        }

    assert made.num_rows == rules.raw_rows()
    assert found == rules.daily_totals()


@pytest.mark.parametrize("chunk_rows", [1_000, 7_777, 19_999])
def test_rows_do_not_depend_on_the_size_of_a_chunk(chunk_rows: int) -> None:
    whole, chunked = rows(STREAM), rows(STREAM, chunk_rows=chunk_rows)

    assert chunked.combine_chunks().equals(whole.combine_chunks())


def test_parts_are_the_stream_and_nothing_twice() -> None:
    parts = [rows(STREAM, STREAM.part(number)) for number in range(STREAM.parts)]

    assert pa.concat_tables(parts).combine_chunks().equals(rows(STREAM).combine_chunks())
    rules = StreamRules(STREAM.scale, STREAM.seed)
    assert add(*(rules.daily_totals(part) for part in range(rules.parts))) == rules.daily_totals()
    assert rules.parts == STREAM.parts


def test_another_seed_is_another_stream() -> None:
    other = OrderStream(STREAM.scale, STREAM.seed + 1)

    assert not rows(other)["amount_cents"].equals(rows(STREAM)["amount_cents"])


def test_rates_are_those_that_the_rules_state() -> None:
    made = rows(OrderStream(200_000, seed=3))
    seen: Counter[str] = Counter()
    days, received = made["day"].to_pylist(), made["received_on"].to_pylist()
    seen["late"] = sum(day < on for day, on in zip(days, received, strict=True))
    seen["no customer"] = made["customer"].null_count
    seen["no number"] = made.num_rows - made["raw_amount"].null_count
    cents = made["amount_cents"].to_pylist()
    seen["negative"] = sum(each is not None and each < 0 for each in cents)
    seen["twice"] = made.num_rows - 200_000

    stated = {"late": 20, "no customer": 5, "no number": 3, "negative": 4, "twice": 8}
    per_mille = {name: count / 200 for name, count in seen.items()}
    assert per_mille == pytest.approx(stated, rel=0.1)
    text = next(value for value in made["raw_amount"].to_pylist() if value)
    assert text.endswith(" EUR"), text
    assert made["amount_cents"].null_count == seen["no number"]


@pytest.mark.parametrize(("column", "digits"), [("customer", 15), ("product", 12)])
def test_few_customers_and_products_have_most_of_the_orders(column: str, digits: int) -> None:
    """A share of 1 / digits for the first, half of it for the second and third, and so on."""
    made = rows(OrderStream(200_000, seed=3))
    counts = Counter(name for name in made[column].to_pylist() if name)
    (first, most), *_ = counts.most_common(1)

    assert first == f"{column[0]}1"
    assert most / counts.total() == pytest.approx(1 / digits, rel=0.05)
    assert counts[f"{column[0]}2"] / most == pytest.approx(0.5, rel=0.1)
    assert counts[f"{column[0]}9"] / most == pytest.approx(1 / 8, rel=0.2)


@pytest.mark.parametrize("scale", [10_000, 1_000_000])
def test_memory_is_that_of_a_chunk_whatever_the_scale(
    own_memory: pa.MemoryPool, scale: int
) -> None:
    chunk_rows = 10_000
    for _ in OrderStream(scale, seed=1).chunks(chunk_rows=chunk_rows):
        pass

    peak = own_memory.max_memory()
    assert 0 < peak < chunk_rows * order_stream.BYTES_A_ROW, f"{peak / chunk_rows:.0f} B a row"


@pytest.mark.parametrize(
    ("scale", "seed", "said"),
    [
        pytest.param(9_999, 1, "scale is 9999; it goes from 10000 to 100000000", id="too-small"),
        pytest.param(100_000_001, 1, "scale is 100000001", id="too-large"),
        pytest.param(10_000, -1, "seed is -1; it goes from 0 to", id="seed"),
    ],
)
def test_what_the_rules_do_not_cover_is_refused(scale: int, seed: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        OrderStream(scale, seed)


def test_part_that_there_is_not_is_refused() -> None:
    assert OrderStream(100_000_000, seed=1).parts == 200
    with pytest.raises(ValueError, match="part 4: a stream of 20000 has the parts 0 to 3"):
        STREAM.part(4)


def test_what_is_taken_away_again_leaves_the_rest() -> None:
    rules = StreamRules(10_000, 5)
    first, second = rules.daily_totals(0), rules.daily_totals(1)

    assert subtract(add(first, second), second) == first
