"""The received files on disk; no name or size from the pod is used unchecked."""

from __future__ import annotations

import hashlib
import os
import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from floe_tests.execution.stream.frames import BadFrameError, Place, StreamLimits
from floe_tests.execution.stream.manifest import ManifestFile
from floe_tests.exporter.listing import is_candidate
from floe_tests.results.result_files import BESIDE, REPLACED, is_result

_READ_BYTES = 1024 * 1024
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Growth:
    """New content of a file, already on disk.

    Attributes:
        path: The file, as the pod names it.
        offset: Where the content begins.
        data: The content.
        file: Where the file is on disk.
        restarted: Whether what was reported of this file before is void, because the pod replaced
            it. What stands before the offset then counts anew, and is read from the disk.
    """

    path: str
    offset: int
    data: bytes
    file: Path
    restarted: bool = False


@dataclass
class _File:
    place: str  # relative to the directory; the path itself, unless that place is taken
    is_placed: bool = False
    generation: int = 0
    end: int = 0  # where the next content of this generation belongs
    size: int = 0  # on disk
    is_restarted: bool = False
    versions: int = 0  # earlier ones that were set aside


class ReceivedFiles:
    """The received files; no name or size from the pod is used unchecked."""

    def __init__(self, directory: Path, limits: StreamLimits) -> None:
        """Begin with no file in the directory."""
        self.dropped: dict[str, int] = {}
        """Result files of which earlier versions were not kept, and how many."""
        self._directory = directory
        self._limits = limits
        self._files: dict[str, _File] = {}
        self._places: dict[str, str] = {}
        self._counts = {True: 0, False: 0}
        self._written_bytes = 0
        self._beside = 0
        self._set_aside = 0
        self._set_aside_bytes = 0

    def paths(self) -> set[str]:
        """Name every file that something arrived of."""
        return set(self._files)

    def moved(self) -> dict[str, str]:
        """Say which files are elsewhere than their path says, and where."""
        return {path: file.place for path, file in self._files.items() if path != file.place}

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
        start = self._store(place, file, content)
        file.end = end
        if start == end and not is_first and not file.is_restarted:
            return None
        restarted, file.is_restarted = file.is_restarted, False
        new = content[start - place.offset :]
        return Growth(place.path, start, new, self._target(file), restarted)

    def _store(self, place: Place, file: _File, content: bytes) -> int:
        """Write what is not there yet, and return where that begins."""
        offset = place.offset
        if not file.is_placed:
            self._settle(place, file)
        # After a restart of the exporter the same content comes again.
        known = self._known(file, offset, min(len(content), max(0, file.size - offset)))
        if known != content[: len(known)]:
            self._set_earlier_aside(place.path, file, keep_bytes=offset)
            known = b""
        start = offset + len(known)
        view = memoryview(content)[len(known) :]
        descriptor = os.open(self._target(file), _WRITE_FLAGS, 0o644)
        try:
            while view:
                written = os.pwrite(descriptor, view, offset + len(content) - len(view))
                view = view[written:]
        finally:
            os.close(descriptor)
        file.size = max(file.size, offset + len(content))
        return start

    def _known(self, file: _File, offset: int, size: int) -> bytes:
        if not size:
            return b""
        descriptor = os.open(self._target(file), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)

    def _settle(self, place: Place, file: _File) -> None:
        """Find a place for a new file: a folder, or a file of almost that name, may have it.

        What a process before has left there, a resumed stream writes anew.
        """
        target = self._target(file)
        try:
            is_taken = place.path.partition("/")[0] in (REPLACED, BESIDE)
            if not is_taken:
                target.parent.mkdir(parents=True, exist_ok=True)
                is_taken = target.is_dir() or self._is_of_another(target, place.path)
        except (FileExistsError, NotADirectoryError):
            is_taken = True
        if is_taken:
            self._beside += 1
            file.place = f"{BESIDE}/{self._beside}/{place.path}"
            target = self._target(file)
            target.parent.mkdir(parents=True, exist_ok=True)
        if place.offset == 0:
            target.unlink(missing_ok=True)
        file.is_placed = True

    def _is_of_another(self, target: Path, path: str) -> bool:
        """Whether this machine's file system takes two names for one: by case, or by accents."""
        folded = unicodedata.normalize("NFC", path).casefold()
        other = self._places.setdefault(folded, path)
        if other == path or not target.exists():
            return False
        return target.samefile(self._target(self._files[other]))

    def _begin_again(self, place: Place, file: _File) -> None:
        file.generation, file.end = place.generation, 0
        if file.size:
            self._set_earlier_aside(place.path, file, keep_bytes=0)

    def _set_earlier_aside(self, path: str, file: _File, *, keep_bytes: int) -> None:
        """Begin a file anew; of a result, keep what it held: an account of tests that ran."""
        target = self._target(file)
        if is_result(target, path) and self._has_room(path, file):
            earlier = self._directory / REPLACED / str(file.versions) / path
            earlier.parent.mkdir(parents=True, exist_ok=True)
            target.replace(earlier)
            self._set_aside += 1
            self._set_aside_bytes += file.size
            file.versions += 1
            if keep_bytes:
                shutil.copyfile(earlier, target)
        if target.exists():
            os.truncate(target, keep_bytes)
        file.size, file.is_restarted = keep_bytes, True

    def _has_room(self, path: str, file: _File) -> bool:
        if (
            self._set_aside < self._limits.replaced
            and self._set_aside_bytes + file.size <= self._limits.replaced_bytes
        ):
            return True
        self.dropped[path] = self.dropped.get(path, 0) + 1
        return False

    def set_deleted_aside(self, path: str) -> None:
        """Make a file that the pod deleted an earlier account.

        Raises:
            OSError: It cannot be moved.
        """
        file = self._files.get(path)
        if file is not None and file.size:
            self._set_earlier_aside(path, file, keep_bytes=0)
            self._target(file).unlink(missing_ok=True)

    def _file(self, path: str) -> _File:
        if path not in self._files:
            candidate = is_candidate(path)
            most = self._limits.files if candidate else self._limits.attachments
            if self._counts[candidate] >= most:
                raise BadFrameError(reason=f"more than {most} files")
            self._counts[candidate] += 1
            self._files[path] = _File(path)
        return self._files[path]

    def _target(self, file: _File) -> Path:
        return self._directory / file.place

    def difference(self, entry: ManifestFile) -> str:
        """Say how a file differs from what was sent; empty when it does not.

        Raises:
            OSError: It cannot be read.
        """
        file = self._files.get(entry.path)
        if file is None:
            return "did not arrive" if entry.sent else ""
        if file.end < entry.sent or file.size < entry.sent:
            return f"{min(file.end, file.size)} of {entry.sent} bytes arrived"
        sha256 = hashlib.sha256()
        with self._target(file).open("rb") as content:
            while part := content.read(min(_READ_BYTES, entry.sent - content.tell())):
                sha256.update(part)
        if sha256.hexdigest() != entry.sha256:
            return "what arrived does not match its checksum"
        if file.size > entry.sent:
            # What an earlier session sent beyond the end is not part of the file any more.
            self._set_earlier_aside(entry.path, file, keep_bytes=entry.sent)
        return ""
