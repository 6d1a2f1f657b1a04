"""Lists in sentences, as long as people read them."""

from __future__ import annotations

from collections.abc import Sequence


def listed(words: Sequence[str], *, shown: int, separator: str = ", ") -> str:
    """Return the first words of a list, and how many more there are: `a, b and 3 more`.

    Args:
        words: The list.
        shown: How many are named.
        separator: What stands between them.
    """
    more = len(words) - shown
    return separator.join(words[:shown]) + (f" and {more} more" if more > 0 else "")
