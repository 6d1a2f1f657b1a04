"""A deadline on the monotonic clock: every wait of this package has one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Deadline:
    """A moment that something must have happened by.

    Attributes:
        seconds: How long it was, for messages.
        clock: The clock it runs on, monotonic seconds.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Start the clock."""
        object.__setattr__(self, "_start", self.clock())

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._start

    @property
    def remaining_seconds(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.seconds - self.elapsed_seconds)

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.remaining_seconds <= 0
