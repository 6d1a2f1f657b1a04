"""Lines of JSON out of a byte stream that arrives in pieces, however long the lines are.

A test that prints 100 MB makes one event line of 100 MB. Its outcome must not be lost for that, so
the long strings of such a line are shortened on the way and the line stays valid JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Beyond this a line's strings are shortened; shorter lines take the fast path.
_LONG_LINE_BYTES = 1024 * 1024
_STRING_BYTES = 128 * 1024
_LINE_BYTES = 16 * 1024 * 1024
# Brackets and numbers: an empty list of two bytes takes 64 in memory.
_STRUCTURE_BYTES = 1024 * 1024

# An escape is one token, so that a string is never cut inside one.
_TOKEN = re.compile(rb'"|\\u[0-9a-fA-F]{4}|\\[^u]|\\u|[^"\\]+', re.DOTALL)
_LONGEST_ESCAPE = 6
_CUT = b" [... cut ...]"


class _LongLine:
    """A line that grew too long: what is kept of it."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self._carry = b""
        self._in_string = False
        self._string_bytes = 0
        self._structure_bytes = 0

    @property
    def is_lost(self) -> bool:
        """Whether even shortened strings leave too much, or something else than strings does."""
        return len(self.kept) > _LINE_BYTES or self._structure_bytes > _STRUCTURE_BYTES

    def add(self, data: bytes) -> None:
        if self.is_lost:
            return
        data = self._carry + data
        self._carry = b""
        # An escape may continue in the next piece.
        backslash = data.rfind(b"\\", max(0, len(data) - _LONGEST_ESCAPE))
        if backslash >= 0 and not self._is_escaped(data, backslash):
            data, self._carry = data[:backslash], data[backslash:]
        for match in _TOKEN.finditer(data):
            self._take(match.group())

    def close(self) -> bytes:
        """Return the shortened line."""
        rest, self._carry = self._carry, b""
        for match in _TOKEN.finditer(rest):
            self._take(match.group())
        return bytes(self.kept)

    @staticmethod
    def _is_escaped(data: bytes, index: int) -> bool:
        """Whether the backslash at this place is the second of a pair."""
        before = data[:index]
        return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1

    def _take(self, token: bytes) -> None:
        if token == b'"':
            self._in_string = not self._in_string
            self._string_bytes = 0
        elif self._in_string:
            room = _STRING_BYTES - self._string_bytes
            self._string_bytes += len(token)
            if room <= 0:
                return
            if len(token) > room:
                # An escape goes whole. A character may be cut; who decodes the line replaces it.
                token = (b"" if token.startswith(b"\\") else token[:room]) + _CUT
        else:
            self._structure_bytes += len(token)
        self.kept += token


class JsonLines:
    """Cuts a byte stream into lines."""

    def __init__(self) -> None:
        """Start at the beginning of a line."""
        self._rest = bytearray()
        self._long: _LongLine | None = None
        self.lost_lines = 0
        """Lines that were too long even with shortened strings."""

    @property
    def has_partial_line(self) -> bool:
        """Whether the stream stands inside a line."""
        return bool(self._rest) or self._long is not None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and give the lines that they complete, without empty ones."""
        first, end, rest = data.partition(b"\n")
        self._extend(first)
        if not end:
            return []
        lines = [self._finish_line()]
        whole, _, partial = rest.rpartition(b"\n")
        # Millions of short lines: no call for each.
        lines += whole.split(b"\n") if len(whole) <= _LONG_LINE_BYTES else self._cut(whole)
        self._extend(partial)
        return [line for line in lines if line and not line.isspace()]

    def _cut(self, whole: bytes) -> Iterator[bytes]:
        for piece in whole.split(b"\n"):
            self._extend(piece)
            yield self._finish_line()

    def close(self) -> bytes:
        """Return what stands behind the last line end; empty when nothing does."""
        return self._finish_line()

    def _extend(self, piece: bytes) -> None:
        if self._long is None and len(self._rest) + len(piece) > _LONG_LINE_BYTES:
            self._long = _LongLine()
            self._long.add(bytes(self._rest))
            self._rest.clear()
        if self._long is not None:
            self._long.add(piece)
        else:
            self._rest += piece

    def _finish_line(self) -> bytes:
        if self._long is None:
            line = bytes(self._rest)
            self._rest.clear()
            return line
        line = self._long.close()
        if self._long.is_lost:
            self.lost_lines += 1
            line = b""
        self._long = None
        return line
