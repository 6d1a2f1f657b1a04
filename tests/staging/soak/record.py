"""The record of a soak, soak.jsonl: one JSON object a line, written as it happens.

A line that is there is whole, whatever becomes of the pod: what was seen until then can be judged.
"""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Kind = Literal["start", "sample", "load", "gap", "end"]


class Record:
    """Writes lines of one soak.

    Args:
        path: The file, which is begun anew.
        elapsed: Gives the seconds since the soak began.
        now: Gives the time, aware.
    """

    def __init__(
        self,
        path: Path,
        *,
        elapsed: Callable[[], float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._elapsed = elapsed
        self._now = now
        self._lock = threading.Lock()
        self._ended = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    def write(self, kind: Kind, **values: object) -> None:
        """Write a line with the time, and flush it. After the end there is none."""
        line = {
            "kind": kind,
            "at": self._now().isoformat(timespec="milliseconds"),
            "elapsed": round(self._elapsed(), 3),
            **values,
        }
        with self._lock:
            if self._ended:
                return
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def end(self, reason: Literal["completed", "terminated"]) -> None:
        """Write the last line, once."""
        self.write("end", reason=reason)
        with self._lock:
            if not self._ended:
                self._ended = True
                self._file.close()
