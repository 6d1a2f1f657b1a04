"""Frames built again from the journal and the files, for those who missed some."""

from __future__ import annotations

import json
import os
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

from .directory import read_beneath
from .frames import (
    Journal,
    Place,
    data_line,
    frame_line,
    header,
    write_standard_output,
)
from .settings import Settings


class Archive:
    """Builds frames again, from the journal and the files."""

    def __init__(self, settings: Settings) -> None:
        """Open the journal of the exporter that runs beside this process.

        Raises:
            OSError: There is no journal, or no results directory.
        """
        self._key = settings.key.encode()
        self._root = os.open(settings.results, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._state = settings.state
        self._session = self._read("session").decode("ascii")
        self._paths: list[tuple[str, str]] = []

    def _read(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        with open(os.path.join(self._state, name), "rb") as file:
            file.seek(offset)
            return file.read(size)

    def _names(self, index: int) -> tuple[str, str]:
        if index >= len(self._paths):
            self._paths = [tuple(json.loads(line)) for line in self._read("paths").splitlines()]
        return self._paths[index]

    def line(self, number: int) -> bytes:
        """Build a frame again; empty when it was never sent.

        A data frame whose content is no longer in its file becomes a `lost` frame.
        """
        size = Journal.RECORD.size
        record = self._read("index", number * size, size)
        if len(record) < size:
            return b""
        index, generation, offset, size, crc = Journal.RECORD.unpack(record)
        if index == Journal.WHOLE:
            return self._read("control", offset, size)
        place = Place(*self._names(index), generation, offset)
        content = read_beneath(self._root, place.source, offset=offset, size=size)
        if len(content) == size and zlib.crc32(content) == crc:
            head = header(self._session, number, "data")
            return data_line(self._key, head, place.fields(), content=content, guess=size)[0]
        head = header(self._session, number, "lost")
        return frame_line(self._key, {**head, **place.fields(), "size": size})


def resend(settings: Settings, *, first: int, last: int) -> None:
    """Print frames again, as far as they were sent."""
    archive = Archive(settings)
    for number in range(first, last + 1):
        line = archive.line(number)
        if not line:
            break
        write_standard_output(line)
