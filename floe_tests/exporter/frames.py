"""Frames: numbered lines with a checksum, written at a bounded pace and noted for a resend."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import struct
import time
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import FileIO

from .settings import (
    CHUNK_BYTES,
    COMPRESSION_LEVEL,
    FRAME_BYTES,
    PROTOCOL_VERSION,
    Settings,
)


def compact(fields: Mapping[str, object]) -> bytes:
    """Write a JSON object without spaces, in ASCII."""
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def frame_line(key: bytes, fields: Mapping[str, object]) -> bytes:
    """Write one frame as a line; its checksum covers every byte before `,"checksum"`."""
    head = compact(fields)[:-1]
    checksum = hmac.new(key, head, "sha256").hexdigest()[:32]
    return head + b',"checksum":"' + checksum.encode("ascii") + b'"}\n'


def pack(content: bytes, *, budget: int, guess: int) -> tuple[str, int]:
    """Compress as much of the content as fits.

    Args:
        content: What is to be sent next.
        budget: Most bytes of the packed form, in base64.
        guess: How many bytes of content are likely to fit; saves compressing twice.

    Returns:
        The packed form, and how many bytes of the content are in it.
    """
    room = budget // 4 * 3
    taken = min(len(content), max(guess, room - 64))
    while True:
        packed = zlib.compress(content[:taken], COMPRESSION_LEVEL)
        if len(packed) <= room:
            return base64.b64encode(packed).decode("ascii"), taken
        # Incompressible content grows by less than 64 bytes, so this ends.
        taken = max(room - 64, min(taken - 1, int(taken * room / len(packed) * 0.95)))


class Pace:
    """Holds the average rate of a stream, with a burst of a quarter of a second."""

    def __init__(self, bytes_per_second: int) -> None:
        """Begin with the whole burst to spend."""
        self._rate = max(bytes_per_second, 1)
        self._burst = self._rate / 4
        self._credit = self._burst
        self._seen = time.monotonic()

    def spend(self, size: int) -> None:
        """Account for some bytes, and pause while they are ahead of the rate."""
        now = time.monotonic()
        self._credit = min(self._burst, self._credit + (now - self._seen) * self._rate) - size
        self._seen = now
        if self._credit < 0:
            time.sleep(-self._credit / self._rate)


class Place(NamedTuple):
    """Where content belongs, and where it was read.

    Attributes:
        path: The path that is sent.
        source: The path below the directory.
        generation: How often the file was replaced before.
        offset: Where the content begins in it.
    """

    path: str
    source: str
    generation: int
    offset: int

    def fields(self) -> dict[str, object]:
        """Return what a frame says of it."""
        return {"path": self.path, "generation": self.generation, "offset": self.offset}


class Journal:
    """Remembers on disk which frame holds what, so that a frame can be built again.

    A data frame costs 24 bytes: where its content stands in which file. The other frames are
    few and are kept as they are. Without a writable directory the journal is off.
    """

    RECORD = struct.Struct("<IIQII")
    WHOLE = 0xFFFFFFFF

    def __init__(self, state: str, session: str) -> None:
        """Begin a new journal in a directory; an empty name means none."""
        self.on = False
        self._paths: dict[str, int] = {}
        self._control_bytes = 0
        if not state:
            return
        with contextlib.suppress(OSError):
            os.makedirs(state, mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(state, "done"))
            with open(os.path.join(state, "session"), "w", encoding="ascii") as file:
                file.write(session)
            self._index = self._open(state, "index")
            self._control = self._open(state, "control")
            self._names = self._open(state, "paths")
            self.on = True

    @staticmethod
    def _open(state: str, name: str) -> FileIO:
        # Open as long as the process lives, and unbuffered: a `resend` reads it at any time.
        return open(os.path.join(state, name), "wb", buffering=0)

    def data(self, place: Place, content: bytes) -> None:
        """Remember a data frame."""
        if not self.on:
            return
        same = place.path == place.source
        known = place.path if same else f"{place.path}\0{place.source}"
        if known not in self._paths:
            self._paths[known] = len(self._paths)
            names = json.dumps((place.path, place.source))
            self._write(self._names, names.encode("ascii") + b"\n")
        number, size = self._paths[known], len(content)
        self._record(number, place.generation, place.offset, size, zlib.crc32(content))

    def control(self, line: bytes) -> None:
        """Remember any other frame."""
        if not self.on:
            return
        self._write(self._control, line)
        self._record(self.WHOLE, 0, self._control_bytes, len(line), 0)
        self._control_bytes += len(line)

    def _record(self, path: int, generation: int, offset: int, size: int, crc: int) -> None:
        self._write(self._index, self.RECORD.pack(path, generation, offset, size, crc))

    def _write(self, file: FileIO, content: bytes) -> None:
        try:
            if file.write(content) != len(content):
                self.on = False
        except OSError:
            self.on = False


class FrameWriter:
    """Numbers frames and writes each one at once, none faster than the pace."""

    def __init__(self, settings: Settings, *, session: str, write: Callable[[bytes], None]) -> None:
        """Begin a session with frame 0.

        Args:
            settings: For the key, the pace and the journal.
            session: Tells this stream from that of an earlier start.
            write: Takes each line, whole.
        """
        self.number = 0
        self.written_bytes = 0
        self.session = session
        self.last_monotonic = time.monotonic()
        self.journal = Journal(settings.state, session)
        self._key = settings.key.encode()
        self._pace = Pace(settings.bytes_per_second)
        self._write = write

    def control(self, kind: str, **fields: object) -> None:
        """Send a frame that is no file content."""
        line = frame_line(self._key, {**header(self.session, self.number, kind), **fields})
        self.journal.control(line)
        self._send(line)

    def data(self, place: Place, content: bytes, *, guess: int) -> int:
        """Send the beginning of some content and return how many bytes of it went."""
        head = header(self.session, self.number, "data")
        line, taken = data_line(self._key, head, place.fields(), content=content, guess=guess)
        self.journal.data(place, content[:taken])
        self._send(line)
        return taken

    def document(self, kind: str, content: bytes | bytearray) -> None:
        """Send a document in as many frames as it needs."""
        sha256 = hashlib.sha256(content).hexdigest()
        offset = 0
        while offset < len(content):
            line, taken = data_line(
                self._key,
                header(self.session, self.number, kind),
                {"offset": offset, "total": len(content), "sha256": sha256},
                content=bytes(content[offset : offset + CHUNK_BYTES]),
                guess=CHUNK_BYTES,
            )
            self.journal.control(line)
            self._send(line)
            offset += taken

    def _send(self, line: bytes) -> None:
        self._pace.spend(len(line))
        self._write(line)
        self.number += 1
        self.written_bytes += len(line)
        self.last_monotonic = time.monotonic()


def header(session: str, number: int, kind: str) -> dict[str, object]:
    """Begin a frame's fields."""
    return {"floe": PROTOCOL_VERSION, "session": session, "number": number, "type": kind}


def data_line(
    key: bytes,
    head: Mapping[str, object],
    place: Mapping[str, object],
    *,
    content: bytes,
    guess: int,
) -> tuple[bytes, int]:
    """Write a frame with as much of the content as fits, and say how much that is."""
    fields = {**head, **place, "size": len(content), "body": ""}
    body, taken = pack(content, budget=FRAME_BYTES - len(frame_line(key, fields)), guess=guess)
    fields.update(size=taken, body=body)
    return frame_line(key, fields), taken


def write_standard_output(line: bytes) -> None:
    """Write a line with no buffer that a kill could lose."""
    view = memoryview(line)
    while view:
        view = view[os.write(1, view) :]
