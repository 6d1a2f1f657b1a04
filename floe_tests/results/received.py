"""The received results of an attempt: read once, and by a deadline.

The attempt is judged by them, then its suite, and publishing writes them down: reading a
suite of 50,000 tests takes seconds each time. And a test pod can write files that take minutes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from floe_tests.core.deadline import Deadline
from floe_tests.core.signals import are_held
from floe_tests.results.collate import SuiteResults, collate

DEADLINE_SECONDS = 120.0
HELD_SECONDS = 10.0
"""The deadline while signals are held back: nobody can interrupt the reading then."""

_KEPT = 16
_KEPT_CASES = 50_000
_FILES = 20_000

_State = tuple[tuple[str, int, int, int], ...]


@dataclass
class _Memory:
    """The newest results that were read, as long as their files are as they were."""

    found: OrderedDict[tuple[Path, tuple[str, ...]], tuple[_State, SuiteResults]] = field(
        default_factory=OrderedDict[tuple[Path, tuple[str, ...]], tuple[_State, SuiteResults]]
    )

    def keep(self, key: tuple[Path, tuple[str, ...]], state: _State, results: SuiteResults) -> None:
        self.found[key] = state, results
        while len(self.found) > _KEPT or (len(self.found) > 1 and self._cases() > _KEPT_CASES):
            self.found.popitem(last=False)

    def _cases(self) -> int:
        return sum(len(results.cases) for _, results in self.found.values())


_MEMORY = _Memory()


def read(
    directory: Path, *, cut: Collection[str] = (), deadline_seconds: float | None = None
) -> SuiteResults:
    """Return the results in a folder, as `collate` reads them.

    Args:
        directory: The folder.
        cut: Paths of files whose end is missing.
        deadline_seconds: How long it may take; None for the deadline that holds now.

    Returns:
        What could be read. Where the deadline passed, its doubts say what was not.
    """
    key, state = (directory, tuple(cut)), _state(directory)
    if key in _MEMORY.found and _MEMORY.found[key][0] == state:
        return _MEMORY.found[key][1]
    deadline = Deadline(deadline_seconds or (HELD_SECONDS if are_held() else DEADLINE_SECONDS))
    results = collate(directory, cut=cut, deadline=deadline)
    if deadline.passed:
        return results  # another time there may be more of it
    _MEMORY.keep(key, state, results)
    return results


def forget() -> None:
    """Free the memory of what was read."""
    _MEMORY.found.clear()


def _state(directory: Path) -> _State:
    return tuple(_files(directory))


def _files(directory: Path) -> Iterator[tuple[str, int, int, int]]:
    for number, path in enumerate(sorted(directory.rglob("*"))):
        if number >= _FILES:
            return
        found = path.lstat()
        yield str(path), found.st_size, found.st_mtime_ns, found.st_ino
