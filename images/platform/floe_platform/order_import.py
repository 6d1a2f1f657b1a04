"""Orders from somebody else's CSV: checked whole before anything is written."""

import csv
import datetime as dt
import io
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

COLUMNS = ("order_id", "customer", "day", "amount")
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]{1,2})?")


@dataclass(frozen=True)
class ImportedOrder:
    """One order of the file; the amount is in cents."""

    order_id: int
    customer: str
    day: dt.date
    amount_cents: int


class BadOrdersError(Exception):
    """The text cannot be imported.

    Attributes:
        problems: One sentence a problem, with its line; the header is line 1.
    """

    def __init__(self, problems: "Sequence[str]") -> None:
        """Keep every problem, so that the file can be repaired in one go."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def parse(text: str) -> tuple[ImportedOrder, ...]:
    """Read orders from CSV text.

    Args:
        text: CSV with the header `order_id,customer,day,amount`.

    Returns:
        The orders, in the order of the file.

    Raises:
        BadOrdersError: Something in the text is wrong; it names every problem.
    """
    reader = csv.reader(io.StringIO(text))
    header = tuple(name.strip() for name in next(reader, []))
    if header != COLUMNS:
        found = ",".join(header) or "nothing"
        raise BadOrdersError([f"line 1: the header is {found}, not {','.join(COLUMNS)}"])
    orders: list[ImportedOrder] = []
    problems: list[str] = []
    first_line: dict[int, int] = {}
    for fields in reader:
        if not fields:
            continue
        line = reader.line_num
        order, found_problems = _parse_line([field.strip() for field in fields])
        if order is not None and order.order_id in first_line:
            found_problems = [
                f"order_id {order.order_id} is already on line {first_line[order.order_id]}"
            ]
        problems += [f"line {line}: {problem}" for problem in found_problems]
        if order is not None and not found_problems:
            first_line[order.order_id] = line
            orders.append(order)
    if problems:
        raise BadOrdersError(problems)
    if not orders:
        raise BadOrdersError(["line 2: there is no order after the header"])
    return tuple(orders)


def _parse_line(fields: list[str]) -> tuple[ImportedOrder | None, list[str]]:
    if len(fields) != len(COLUMNS):
        return None, [f"{len(fields)} fields instead of {len(COLUMNS)}"]
    order_id, customer, day, amount = fields
    problems: list[str] = []
    if not order_id.isascii() or not order_id.isdigit():
        problems.append(f"order_id '{order_id}' is not a whole number")
    if not customer:
        problems.append("customer is empty")
    parsed_day = _parse_day(day)
    if parsed_day is None:
        problems.append(f"day '{day}' is not a date like 2026-01-31")
    if not amount.isascii() or not _AMOUNT.fullmatch(amount):
        problems.append(f"amount '{amount}' is not a number")
    if problems or parsed_day is None:
        return None, problems
    cents = int(Decimal(amount) * 100)
    return ImportedOrder(int(order_id), customer, parsed_day, cents), []


def _parse_day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def write(connection: "duckdb.DuckDBPyConnection", orders: "Sequence[ImportedOrder]") -> int:
    """Replace the table `imported_orders`.

    Args:
        connection: Where to write, inside a transaction.
        orders: What to write.

    Returns:
        Rows written.
    """
    connection.execute(
        "CREATE OR REPLACE TABLE imported_orders "
        "(order_id BIGINT PRIMARY KEY, customer VARCHAR, day DATE, amount_cents BIGINT)"
    )
    connection.executemany(
        "INSERT INTO imported_orders VALUES (?, ?, ?, ?)",
        [(order.order_id, order.customer, order.day, order.amount_cents) for order in orders],
    )
    return len(orders)
