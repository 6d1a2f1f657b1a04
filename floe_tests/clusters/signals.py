"""Signals held back while an environment is given back.

A second Ctrl-C, or the SIGTERM that CI sends after its SIGINT, would leave half a cluster behind.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType


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
