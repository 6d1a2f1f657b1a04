"""The queue between the threads that read and the one that decides."""

from __future__ import annotations

import queue
import threading
from typing import Generic, TypeVar

from floe_tests.core.signals import deferred_signals

_Message = TypeVar("_Message")

_PAUSE_SECONDS = 0.5
# A piece of a log has up to 64 KiB: this bounds what waits in memory to 16 MiB.
_WAITING_MESSAGES = 256


class MessageQueue(Generic[_Message]):
    """A bounded queue: a pod that writes faster than its frames are stored has to wait."""

    def __init__(self) -> None:
        """Begin empty."""
        self._messages: queue.Queue[_Message] = queue.Queue(maxsize=_WAITING_MESSAGES)

    def put(self, message: _Message, *, stopped: threading.Event) -> None:
        """Put a message in; wait for room, unless nobody takes any more.

        Args:
            message: What was heard.
            stopped: Set when the messages of whoever puts it are not wanted any more.
        """
        while not stopped.is_set():
            try:
                self._messages.put(message, timeout=_PAUSE_SECONDS)
            except queue.Full:
                continue
            return

    def next(self, *, timeout_seconds: float) -> _Message | None:
        """Return the next message; None when there is none within the time."""
        try:
            with deferred_signals():
                return self._messages.get(timeout=timeout_seconds)
        except queue.Empty:
            return None
