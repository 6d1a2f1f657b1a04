"""Text of tests and clusters in Markdown: escaped, whatever stands in it."""

from __future__ import annotations

import re

# Source: https://spec.commonmark.org/0.31.2/#ascii-punctuation-character
_PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
_BACKTICKS = re.compile(r"`+")


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it, on one line and whatever stands in it."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return a text as a code span; more backticks around it than in it."""
    text = " ".join(text.split())
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"
