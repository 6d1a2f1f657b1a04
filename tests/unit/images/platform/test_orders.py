"""The pipelines' tables, against expectations worked out from the written rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest
from floe_platform import order_import, orders, tables


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        yield opened


def expected_clean(*, rows: int, seed: int, dirty_every: int) -> dict[int, tuple[str, int]]:
    """Day and cents of each order that survives cleaning, in plain Python."""
    first_day = dt.date(2026, 1, 1)
    clean = {}
    for number in range(1, rows + 1):
        cents = 100 + (number * 7919 + seed * 104729) % 9900
        dirty = dirty_every > 0 and number % dirty_every == 0
        kind = (number // dirty_every) % 3 if dirty else None
        if kind in (0, 1):
            continue
        clean[number] = ((first_day + dt.timedelta(days=(number - 1) % 31)).isoformat(), cents)
    return clean


@pytest.mark.parametrize(
    ("rows", "seed", "dirty_every"),
    [
        pytest.param(1000, 7, 10, id="defaults"),
        pytest.param(1, 0, 0, id="one-clean-order"),
        pytest.param(100, 3, 1, id="all-dirty"),
        pytest.param(2500, 999_999, 7, id="big-seed"),
    ],
)
def test_the_pipeline_keeps_each_usable_order_once(
    connection: duckdb.DuckDBPyConnection, rows: int, seed: int, dirty_every: int
) -> None:
    expected = expected_clean(rows=rows, seed=seed, dirty_every=dirty_every)
    doubled = sum(
        1
        for n in range(1, rows + 1)
        if dirty_every and n % dirty_every == 0 and n // dirty_every % 3 == 2
    )

    raw_rows = orders.generate(connection, rows=rows, seed=seed, dirty_every=dirty_every)
    clean_rows = orders.clean(connection)
    orders.total(connection)

    found = connection.execute(
        "SELECT order_id, CAST(day AS VARCHAR), amount_cents FROM orders_cleaned"
    ).fetchall()
    assert raw_rows == rows + doubled
    assert clean_rows == len(expected)
    assert {number: (day, cents) for number, day, cents in found} == expected
    totals = orders.totals_of_days(connection)
    assert totals == orders.Totals(len(expected), sum(cents for _, cents in expected.values()))
    assert totals == orders.totals_of_orders(connection)


def test_running_twice_gives_the_same_rows(connection: duckdb.DuckDBPyConnection) -> None:
    def run() -> list[tuple[object, ...]]:
        orders.generate(connection, rows=200, seed=5, dirty_every=9)
        orders.clean(connection)
        orders.total(connection)
        return connection.execute("SELECT * FROM daily_totals ORDER BY day").fetchall()

    assert run() == run()


def test_totals_of_older_orders_differ(connection: duckdb.DuckDBPyConnection) -> None:
    """What the asset check has to notice."""
    orders.generate(connection, rows=100, seed=1, dirty_every=0)
    orders.clean(connection)
    orders.total(connection)
    orders.generate(connection, rows=100, seed=2, dirty_every=0)
    orders.clean(connection)

    assert orders.totals_of_days(connection) != orders.totals_of_orders(connection)


def test_tables_are_described_by_rows_and_sums(connection: duckdb.DuckDBPyConnection) -> None:
    orders.generate(connection, rows=10, seed=0, dirty_every=0)
    connection.execute("CREATE TABLE empty (amount_cents BIGINT, name VARCHAR)")

    described = {table.name: table for table in tables.describe(connection)}

    cents = sum(100 + (n * 7919) % 9900 for n in range(1, 11))
    assert described["orders"] == tables.TableDescription("orders", 10, {"amount_cents": cents})
    assert described["empty"] == tables.TableDescription("empty", 0, {"amount_cents": 0})


HEADER = "order_id,customer,day,amount\n"


def test_good_text_is_read_to_the_cent() -> None:
    parsed = order_import.parse(f"{HEADER}1,ann,2026-02-01,0.29\n\n2,bob,2026-02-02,4\n")

    assert parsed == (
        order_import.ImportedOrder(1, "ann", dt.date(2026, 2, 1), 29),
        order_import.ImportedOrder(2, "bob", dt.date(2026, 2, 2), 400),
    )


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        pytest.param(
            "", ["line 1: the header is nothing, not order_id,customer,day,amount"], id="empty"
        ),
        pytest.param(HEADER, ["line 2: there is no order after the header"], id="only-header"),
        pytest.param(
            f"{HEADER}1,a,2026-01-01,3.20\n2,b,2026-01-02,abc\n",
            ["line 3: amount 'abc' is not a number"],
            id="amount",
        ),
        pytest.param(
            f"{HEADER}1,a,2026-01-01,-1\n", ["line 2: amount '-1' is not a number"], id="sign"
        ),
        pytest.param(f"{HEADER}1,a,2026-01-01\n", ["line 2: 3 fields instead of 4"], id="fields"),
        pytest.param(
            f"{HEADER}x,,2026-13-01,1\n",
            [
                "line 2: order_id 'x' is not a whole number",
                "line 2: customer is empty",
                "line 2: day '2026-13-01' is not a date like 2026-01-31",
            ],
            id="all-of-a-line",
        ),
        pytest.param(
            f"{HEADER}1,a,2026-01-01,1\n1,a,2026-01-01,1\n",
            ["line 3: order_id 1 is already on line 2"],
            id="twice",
        ),
    ],
)
def test_wrong_text_names_every_problem_with_its_line(text: str, problems: list[str]) -> None:
    with pytest.raises(order_import.BadOrdersError) as caught:
        order_import.parse(text)

    assert list(caught.value.problems) == problems
