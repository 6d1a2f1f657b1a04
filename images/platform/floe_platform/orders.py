"""Orders, from raw to daily totals: plain DuckDB, no Dagster.

The raw orders follow fixed rules, so that anybody can work out what a run must produce. For order
number n, from 1 to `rows`:

    order_id      n
    day           2026-01-01 plus (n - 1) modulo 31 days
    customer      'c' followed by (n * 7 + seed) modulo 50
    amount_cents  100 + (n * 7919 + seed * 104729) modulo 9900

Every `dirty_every`-th order (none when it is 0) is spoilt; k = n / dirty_every says how:

    k modulo 3 = 0   amount_cents is negated
    k modulo 3 = 1   customer is missing
    k modulo 3 = 2   the order appears twice, the second time with one cent more

Cleaning drops the first two kinds and keeps the lower amount of an order that appears twice.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_GENERATE = """
CREATE OR REPLACE TABLE orders AS
WITH numbered AS (
    SELECT
        n AS order_id,
        DATE '2026-01-01' + CAST((n - 1) % 31 AS INTEGER) AS day,
        'c' || ((n * 7 + CAST($seed AS BIGINT)) % 50) AS customer,
        100 + (n * 7919 + CAST($seed AS BIGINT) * 104729) % 9900 AS amount_cents,
        CASE WHEN $dirty_every > 0 AND n % greatest($dirty_every, 1) = 0
             THEN (n // greatest($dirty_every, 1)) % 3 END AS dirt
    FROM range(1, CAST($rows AS BIGINT) + 1) AS numbers(n)
)
SELECT order_id, day,
       CASE WHEN dirt = 1 THEN NULL ELSE customer END AS customer,
       CASE WHEN dirt = 0 THEN -amount_cents ELSE amount_cents END AS amount_cents
FROM numbered
UNION ALL
SELECT order_id, day, customer, amount_cents + 1 FROM numbered WHERE dirt = 2
"""

_CLEAN = """
CREATE OR REPLACE TABLE orders_cleaned AS
SELECT order_id, day, customer, min(amount_cents) AS amount_cents{kept}
FROM orders
WHERE customer IS NOT NULL AND amount_cents > 0
GROUP BY order_id, day, customer
ORDER BY order_id
"""

_TOTAL = """
CREATE OR REPLACE TABLE daily_totals AS
SELECT day, count(*) AS orders, CAST(sum(amount_cents) AS BIGINT) AS revenue_cents
FROM orders_cleaned
GROUP BY day
ORDER BY day
"""


@dataclass(frozen=True)
class Totals:
    """What a set of orders adds up to.

    Attributes:
        orders: Number of orders.
        revenue_cents: Sum of their amounts, in cents.
    """

    orders: int
    revenue_cents: int


def generate(
    connection: "duckdb.DuckDBPyConnection", *, rows: int, seed: int, dirty_every: int
) -> int:
    """Write the raw orders by the rules above, replacing what was there.

    Args:
        connection: Where to write.
        rows: Number of orders before some are doubled.
        seed: Shifts customers and amounts.
        dirty_every: Every how many orders one is spoilt; 0 for none.

    Returns:
        Rows written, doubled ones included.
    """
    connection.execute(_GENERATE, {"rows": rows, "seed": seed, "dirty_every": dirty_every})
    return count(connection, "orders")


def clean(connection: "duckdb.DuckDBPyConnection", *, keep: tuple[str, ...] = ()) -> int:
    """Write the orders that can be used, each once.

    Args:
        connection: Where to read and write.
        keep: Further columns that go with an order; both copies of one that appears twice have the
            same in them.

    Returns:
        Rows written.
    """
    kept = "".join(f", any_value({column}) AS {column}" for column in keep)
    connection.execute(_CLEAN.format(kept=kept))
    return count(connection, "orders_cleaned")


def total(connection: "duckdb.DuckDBPyConnection") -> int:
    """Write orders and revenue of each day.

    Returns:
        Days written.
    """
    connection.execute(_TOTAL)
    return count(connection, "daily_totals")


def totals_of_days(connection: "duckdb.DuckDBPyConnection") -> Totals:
    """Add up the daily totals."""
    return _totals(
        connection,
        "SELECT coalesce(sum(orders), 0), coalesce(sum(revenue_cents), 0) FROM daily_totals",
    )


def totals_of_orders(connection: "duckdb.DuckDBPyConnection") -> Totals:
    """Add up the cleaned orders themselves."""
    return _totals(
        connection, "SELECT count(*), coalesce(sum(amount_cents), 0) FROM orders_cleaned"
    )


def count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    """Count the rows of a table."""
    return int(connection.table(table).count("*").fetchall()[0][0])


def _totals(connection: "duckdb.DuckDBPyConnection", query: str) -> Totals:
    orders, revenue_cents = connection.execute(query).fetchall()[0]
    return Totals(orders=int(orders), revenue_cents=int(revenue_cents))
