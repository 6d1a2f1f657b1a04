"""A session's end: in time, and with a report of what has run."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

STACKS_FILE = "timeout-stacks.txt"


def end_in_time(config: pytest.Config, directory: Path) -> None:
    """End the session at FLOE_TESTS_TIMEOUT_SECONDS, with every thread's stack beside the results.

    The pod's own deadline comes later and says only that time was over, not which line hung.

    Args:
        config: The session's.
        directory: Where its results go.
    """
    seconds = os.environ.get("FLOE_TESTS_TIMEOUT_SECONDS")
    if not seconds:
        return
    path = directory / STACKS_FILE
    # Open for the whole session: a thread of faulthandler's own writes the stacks.
    stacks = path.open("w")

    def in_time() -> None:
        faulthandler.cancel_dump_traceback_later()
        stacks.close()
        path.unlink(missing_ok=True)

    config.add_cleanup(in_time)
    faulthandler.dump_traceback_later(float(seconds), exit=True, file=stacks)


def end_when_told(config: pytest.Config) -> None:
    """End the session on SIGTERM with what it has: process 1 of a container would ignore it."""
    if threading.current_thread() is not threading.main_thread():
        return  # no other thread may set a handler

    def stop(_number: int, _frame: FrameType | None) -> None:
        # Once: a second signal must not interrupt the reports that the first one asks for.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pytest.exit("stopped by SIGTERM", returncode=128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)

    def as_before() -> None:
        signal.signal(signal.SIGTERM, before)

    config.add_cleanup(as_before)
