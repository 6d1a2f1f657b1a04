"""docs/history-schema.md: the page that is there is the one that the tables make."""

from __future__ import annotations

from pathlib import Path

from floe_tests.report import schema
from floe_tests.results.history.models import Base

PAGE = Path(__file__).parents[3] / "docs" / "history-schema.md"


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == schema.markdown()


def test_every_column_of_every_table_is_explained() -> None:
    page = schema.markdown()
    for table in Base.metadata.tables.values():
        assert f"## {table.name}" in page
        assert all(column.doc for column in table.columns)
