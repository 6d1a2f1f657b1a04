"""A run interrupted: the reason in words, and signals held back while it cleans up.

A second Ctrl-C, or the SIGTERM that CI sends after its SIGINT, would leave half a cluster behind.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType


def no_reason() -> str | None:
    """Say that nobody left a reason for a cancellation."""
    return None


def reason_of(interrupt: BaseException, why: Callable[[], str | None], *, doing: str) -> str:
    """Word why a run ends early: the reason that was left for it, or what interrupted it.

    Args:
        interrupt: What was raised.
        why: Gives the reason that was left.
        doing: What was going on, such as a stage's name.
    """
    left = why()
    return left or f"interrupted in {doing} ({type(interrupt).__name__})"


@contextlib.contextmanager
def held_signals(log: Callable[[str], None]) -> Generator[None]:
    """Hold SIGINT and SIGTERM back for as long as the block runs, and say so when one comes.

    Off the main thread, where Python allows no handlers, this does nothing.

    Args:
        log: Receives a line for each signal that was held back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hold(number: int, _frame: FrameType | None) -> None:
        log(f"{signal.Signals(number).name} held back: the environment is being removed.")

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
