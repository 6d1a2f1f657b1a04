"""Which frames came, and those that came before their turn."""

from __future__ import annotations

import bisect
import tempfile
from pathlib import Path


class FrameNumbers:
    """Which frames came, kept as the gaps between them: those are few."""

    def __init__(self) -> None:
        """Begin with no frame, and none expected."""
        self.highest = -1
        self._gaps: list[range] = []

    @property
    def gaps(self) -> tuple[range, ...]:
        """Numbers that did not come, up to the highest that is known of."""
        return tuple(self._gaps)

    def expect(self, number: int) -> None:
        """Note that a frame of this number exists."""
        if number > self.highest:
            self._gaps.append(range(self.highest + 1, number + 1))
            self.highest = number
            self._join_last()

    def has(self, number: int) -> bool:
        """Return whether a frame came."""
        return number <= self.highest and self._find(number) is None

    def add(self, number: int) -> None:
        """Note that a frame came."""
        self.expect(number)
        index = self._find(number)
        if index is not None:
            gap = self._gaps[index]
            halves = (range(gap.start, number), range(number + 1, gap.stop))
            self._gaps[index : index + 1] = [half for half in halves if half]

    def _find(self, number: int) -> int | None:
        index = bisect.bisect_right(self._gaps, number, key=lambda gap: gap.start) - 1
        return index if index >= 0 and number in self._gaps[index] else None

    def _join_last(self) -> None:
        if len(self._gaps) > 1 and self._gaps[-2].stop == self._gaps[-1].start:
            last = self._gaps.pop()
            self._gaps[-1] = range(self._gaps[-1].start, last.stop)


class WaitingLines:
    """Lines whose turn has not come, in a nameless file: a rotation can leave thousands."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        """Keep lines on the disk of a directory, without a name in it."""
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._places: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._file = None

    def put(self, number: int, line: bytes) -> bool:
        """Keep a line; False when there is no room."""
        if self._end + len(line) > self._limit_bytes:
            return False
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - closed by clear()
            self._file.seek(self._end)
            self._file.write(line)
        except OSError:
            return False
        self._places[number] = (self._end, len(line))
        self._end += len(line)
        return True

    def has(self, number: int) -> bool:
        """Return whether a line waits."""
        return number in self._places

    def numbers(self) -> list[int]:
        """Number the lines that wait, lowest first."""
        return sorted(self._places)

    def take(self, number: int) -> bytes:
        """Return a line back, once.

        Raises:
            OSError: The disk failed.
        """
        offset, size = self._places.pop(number)
        if self._file is None:
            return b""
        self._file.seek(offset)
        line = self._file.read(size)
        if not self._places:
            self.clear()
        return line

    def clear(self) -> None:
        """Forget every line, and give the disk back."""
        self._places.clear()
        self._end = 0
        if self._file is not None:
            self._file.close()
            self._file = None
