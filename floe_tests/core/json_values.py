"""Values that came from JSON somebody else wrote, narrowed to a type before they are used."""

from __future__ import annotations

import math
from typing import TypeGuard


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Whether the value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether the value is a JSON array."""
    return isinstance(value, list)


def text_of(value: object) -> str:
    """Return a string; empty for anything else."""
    return value if isinstance(value, str) else ""


def count_of(value: object, *, largest: int) -> int | None:
    """Return a whole number from 0 to the largest; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= largest:
        return value
    return None


def number_of(value: object, *, smallest: float = 0, largest: float) -> float | None:
    """Return a finite number between two others; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of a thousand digits
        return None
    return number if math.isfinite(number) and smallest <= number <= largest else None
