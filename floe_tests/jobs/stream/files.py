"""The received files on disk; no name or size from the pod is used unchecked."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from floe_tests.jobs.stream.frames import BadFrameError, Place, StreamLimits
from floe_tests.jobs.stream.manifest import ManifestFile

_READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Growth:
    """New content of a file, already on disk.

    Attributes:
        path: The file, relative to the stream's directory.
        offset: Where the content begins.
        data: The content.
        restarted: Whether what was reported of this file before is void, because the pod replaced
            it; the content then begins at 0.
    """

    path: str
    offset: int
    data: bytes
    restarted: bool = False


@dataclass
class _File:
    generation: int = 0
    end: int = 0  # where the next content of this generation belongs
    size: int = 0  # on disk
    is_restarted: bool = False


class ReceivedFiles:
    """The received files; no name or size from the pod is used unchecked."""

    def __init__(self, directory: Path, limits: StreamLimits) -> None:
        """Begin with no file in the directory."""
        self._directory = directory
        self._limits = limits
        self._files: dict[str, _File] = {}
        self._written_bytes = 0

    def paths(self) -> set[str]:
        """Name every file that something arrived of."""
        return set(self._files)

    def begin_session(self) -> None:
        """Expect every file from its beginning, and keep what is there until it differs."""
        self._written_bytes = 0
        for file in self._files.values():
            file.generation = file.end = 0

    def mark(self, place: Place, *, is_lost: bool) -> None:
        """Begin a file again, or leave a hole for content that nobody has any more."""
        file = self._file(place.path)
        if is_lost and place.generation == file.generation:
            file.end = place.offset + place.size
        elif place.generation > file.generation:
            self._begin_again(place, file)

    def write(self, place: Place, content: bytes) -> Growth | None:
        """Store content; returns what is new in it.

        Raises:
            BadFrameError: It exceeds a limit.
            OSError: It cannot be stored.
        """
        file = self._file(place.path)
        if place.generation < file.generation:
            return None
        end = place.offset + len(content)
        total = self._written_bytes + len(content)
        if end > self._limits.file_bytes or total > self._limits.total_bytes:
            raise BadFrameError(reason=f"{place.path} at {place.offset} exceeds a limit")
        self._written_bytes = total
        if place.generation > file.generation:
            self._begin_again(place, file)
        is_first = file.size == 0 and place.offset == 0
        target = self._target(place.path)
        start = self._store(target, file, place.offset, content)
        file.end = end
        if file.is_restarted:
            file.is_restarted = False
            return Growth(place.path, 0, target.read_bytes(), restarted=True)
        if start == end and not is_first:
            return None
        return Growth(place.path, start, content[start - place.offset :])

    def _store(self, target: Path, file: _File, offset: int, content: bytes) -> int:
        """Write what is not there yet, and return where that begins."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(target, flags, 0o644)
        try:
            # After a restart of the exporter the same content comes again.
            known = os.pread(descriptor, len(content), offset)
            if known != content[: len(known)]:
                os.ftruncate(descriptor, offset)
                file.size, file.is_restarted, known = offset, True, b""
            start = offset + len(known)
            view = memoryview(content)[len(known) :]
            while view:
                written = os.pwrite(descriptor, view, offset + len(content) - len(view))
                view = view[written:]
        finally:
            os.close(descriptor)
        file.size = max(file.size, offset + len(content))
        return start

    def _begin_again(self, place: Place, file: _File) -> None:
        file.generation, file.end = place.generation, 0
        if file.size:
            os.truncate(self._target(place.path), 0)
            file.size, file.is_restarted = 0, True

    def _file(self, path: str) -> _File:
        if path not in self._files:
            if len(self._files) >= self._limits.files:
                raise BadFrameError(reason=f"more than {self._limits.files} files")
            self._files[path] = _File()
        return self._files[path]

    def _target(self, path: str) -> Path:
        target = self._directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def difference(self, entry: ManifestFile) -> str:
        """Say how a file differs from what was sent; empty when it does not.

        Raises:
            OSError: It cannot be read.
        """
        file = self._files.get(entry.path)
        if file is None:
            return "did not arrive" if entry.sent else ""
        target = self._directory / entry.path
        if file.end < entry.sent or file.size < entry.sent:
            return f"{min(file.end, file.size)} of {entry.sent} bytes arrived"
        sha256 = hashlib.sha256()
        with target.open("r+b") as content:
            while part := content.read(min(_READ_BYTES, entry.sent - content.tell())):
                sha256.update(part)
            if sha256.hexdigest() != entry.sha256:
                return "what arrived does not match its checksum"
            # What an earlier session sent beyond the end is not part of the file.
            content.truncate(entry.sent)
        return ""
