"""What lies in the warehouse, table by table, as numbers that can be compared."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

# order_id is a name, not a quantity: its sum says nothing.
_QUANTITIES = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'main' AND data_type IN ('BIGINT', 'INTEGER', 'HUGEINT')
  AND column_name <> 'order_id'
ORDER BY table_name, ordinal_position
"""


@dataclass(frozen=True)
class TableDescription:
    """One table.

    Attributes:
        name: Its name.
        rows: Its number of rows.
        sums: The sum of each column that is a quantity, by column; 0 for an empty table.
    """

    name: str
    rows: int
    sums: "Mapping[str, int]"


def describe(connection: "duckdb.DuckDBPyConnection") -> tuple[TableDescription, ...]:
    """Count and add up every table.

    Args:
        connection: The warehouse; reading is enough.

    Returns:
        One description a table, by name.
    """
    names = [
        str(name)
        for (name,) in connection.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'main' ORDER BY table_name"
        ).fetchall()
    ]
    columns = [(str(t), str(c)) for t, c in connection.execute(_QUANTITIES).fetchall()]
    return tuple(
        _describe_table(connection, name, [column for table, column in columns if table == name])
        for name in names
    )


def _describe_table(
    connection: "duckdb.DuckDBPyConnection", name: str, columns: list[str]
) -> TableDescription:
    # The names come from the catalogue itself; quoting keeps odd ones intact.
    sums = "".join(f', coalesce(sum("{column}"), 0)' for column in columns)
    row = connection.execute(f'SELECT count(*){sums} FROM "{name}"').fetchall()[0]  # noqa: S608 - see above
    numbers = [int(value) for value in row]
    return TableDescription(
        name=name, rows=numbers[0], sums=dict(zip(columns, numbers[1:], strict=True))
    )
