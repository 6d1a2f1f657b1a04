"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# `unknown` is an answer: what cannot be seen from here is neither there nor missing.
State = Literal["ok", "warning", "failed", "unknown"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        state: Whether a run can do with it.
        found: What was found.
        remedy: What to do, with the command to paste; empty where nothing is to be done.
    """

    name: str
    state: State
    found: str
    remedy: str = ""
