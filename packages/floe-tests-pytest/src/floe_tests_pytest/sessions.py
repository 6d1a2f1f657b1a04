"""What every pytest session of a pod collected: a pod may run several, beside or after each other.

Each adds a line of its own to one hidden file, and collection.json is written from all lines, both
under a lock: whichever session ends last, or never ends, no test of the others is forgotten.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from floe_tests_pytest.results import write

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import pytest

FILE = "collection.json"
SESSIONS_FILE = ".collection.jsonl"
"""The exporter leaves it out by this name."""

_KEY_DIGITS = 16


@dataclass(frozen=True)
class Session:
    """What one session is about to run.

    Attributes:
        id: Its own, drawn anew each time.
        report: Where it reports to. Sessions with one report are tries of the same tests; with a
            report of its own, each test of a session is one more.
        collected: Keys of the tests that it is about to run; None while it collects.
        deselected: Keys of those that were left out on request; None where nobody knows.
    """

    id: str
    report: str
    collected: tuple[str, ...] | None = None
    deselected: tuple[str, ...] | None = None


def report_of(config: pytest.Config) -> str:
    """Return where a session reports to; empty where it does not say."""
    path = config.getoption("xmlpath", None) or config.getoption("report_log", None)
    return os.path.abspath(os.path.expanduser(os.path.expandvars(path))) if path else ""  # noqa: PTH100, PTH111 - as pytest does


def keys_of(config: pytest.Config, node_ids: Iterable[str]) -> tuple[str, ...]:
    """Return what tells tests apart: their node id below its root, and how often it came before."""
    times: Counter[str] = Counter()
    keys: list[str] = []
    for node_id in node_ids:
        times[node_id] += 1
        name = f"{config.rootpath}\0{node_id}\0{times[node_id]}"
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass"))
        keys.append(digest.hexdigest()[:_KEY_DIGITS])
    return tuple(keys)


def add(directory: Path, session: Session) -> None:
    """Write down that a session began or what it collected, and how many tests all sessions did.

    Args:
        directory: Where the results go.
        session: What it collected; to what it said before, this is added.
    """
    try:
        with _locked(directory / SESSIONS_FILE) as file:
            known = _Known()
            for each in _read(file):
                known.add(each)
            # The line before may have been cut off with its session.
            file.write(b"\n" + _line(known.news(session)) + b"\n")
            file.flush()
            known.add(session)
            known.write(directory)
    except (OSError, ImportError):
        # Another user's file, or a volume without locks: one session's count is better than none.
        alone = _Known()
        alone.add(session)
        alone.write(directory, is_alone=True)


class _Known:
    """What some sessions collected together."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._collecting: dict[str, str] = {}
        self._collected: set[tuple[str, str]] = set()
        self._deselected: set[str] = set()
        self._knows_deselected = True

    def add(self, session: Session) -> None:
        """Add what a session said, in the order in which sessions did."""
        self._ids.add(session.id)
        if session.collected is None:
            self._collecting[session.id] = session.report
            return
        # A later try stands for one that never came so far.
        done = [id_ for id_, report in self._collecting.items() if report == session.report]
        for id_ in done:
            del self._collecting[id_]
        self._collected.update((session.report, key) for key in session.collected)
        self._deselected.update(session.deselected or ())
        self._knows_deselected &= session.deselected is not None

    def news(self, session: Session) -> Session:
        """Return what a session adds: a loop of a thousand sessions must not fill the volume."""
        return replace(
            session,
            collected=None
            if session.collected is None
            else tuple(
                key for key in session.collected if (session.report, key) not in self._collected
            ),
            deselected=None
            if session.deselected is None
            else tuple(key for key in session.deselected if key not in self._deselected),
        )

    def write(self, directory: Path, *, is_alone: bool = False) -> None:
        """Write collection.json, once there is something to count."""
        if len(self._collecting) == len(self._ids):
            return
        # What one session left out, another may have run.
        left_out = self._deselected - {key for _, key in self._collected}
        counts = {
            "collected": len(self._collected),
            "deselected": len(left_out) if self._knows_deselected else None,
        }
        if not is_alone:
            counts["sessions"] = len(self._ids)
        if self._collecting:
            counts["collecting"] = len(self._collecting)
        write(directory / FILE, json.dumps(counts) + "\n")


@contextlib.contextmanager
def _locked(path: Path) -> Generator[BinaryIO]:
    import fcntl  # not on Windows, where nothing else stops this plugin

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "r+b") as file:
        with contextlib.suppress(PermissionError):
            # Another container of the pod may run as another user.
            os.fchmod(descriptor, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield file


def _line(session: Session) -> bytes:
    fields = [session.id, session.report, session.collected, session.deselected]
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def _read(file: BinaryIO) -> Iterator[Session]:
    file.seek(0)
    for line in file:
        with contextlib.suppress(ValueError, TypeError, RecursionError):
            name, report, collected, deselected = cast("Sequence[Any]", json.loads(line))
            yield Session(
                str(name),
                str(report),
                None if collected is None else tuple(map(str, collected)),
                None if deselected is None else tuple(map(str, deselected)),
            )
