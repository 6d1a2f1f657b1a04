"""Words that others have written, in a terminal: as they are, and obeyed by nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_tests.results.cases import legible

if TYPE_CHECKING:
    from rich.text import Text


def cell(text: str) -> Text:
    """Return a text for a table: no markup of rich's, no escape sequence of a terminal's."""
    from rich.text import Text

    return Text(legible(text))
