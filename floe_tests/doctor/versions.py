"""Versions as programs print them."""

from __future__ import annotations

import re

Version = tuple[int, int, int]

_NUMBERS = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def version_in(text: str) -> Version | None:
    """Return the first version in a text; None when there is none."""
    found = _NUMBERS.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def shown(version: Version) -> str:
    """Return a version as people write it."""
    return ".".join(str(number) for number in version)
