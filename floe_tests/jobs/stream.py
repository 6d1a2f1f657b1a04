"""Receive a pod's results from the log of its exporter, and prove that they are complete.

The log is the one way out of a pod that needs no volume, no object store and no open port, but it
repeats lines after a reconnect, loses them in a rotation, and is written by a pod that runs other
people's code. So a line is believed only when its checksum fits, a frame is applied once and in
its turn, every size and name is bounded again on this side, and what came is compared with the
manifest at the end. The protocol is described in docs/result-stream.md.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import hashlib
import hmac
import json
import os
import tempfile
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROTOCOL_VERSION = 1
_KIB = 1024
_MIB = 1024 * _KIB
_FRAME_START = b'{"floe":'
_CHECKSUM_START = b',"checksum":"'
_CHECKSUM_DIGITS = 32
_TIMESTAMP_BYTES = 40
_RELEASED_AT_ONCE = 64
_OTHER_LINES = 20
_OTHER_LINE_CHARACTERS = 500

FrameKind = Literal[
    "data", "control", "manifest", "waiting", "duplicate", "stale", "refused", "corrupt", "other"
]


@dataclass(frozen=True)
class StreamLimits:
    """What a stream may cost at most; what exceeds it is refused, not stored.

    Attributes:
        line_bytes: Longest line that is looked at.
        chunk_bytes: Most content of one frame, unpacked.
        file_bytes: Largest file.
        total_bytes: Most content of one session, repeated generations included.
        files: Most files.
        path_bytes: Longest path, in bytes of UTF-8.
        frames: Highest frame number.
        waiting_bytes: Most lines, in bytes, that wait on disk for an earlier one.
        notices: Most notices that are kept.
        manifest_bytes: Largest manifest.
        sessions: How often the exporter may start.
    """

    line_bytes: int = 16 * _KIB
    chunk_bytes: int = 64 * _KIB
    file_bytes: int = 64 * _MIB
    total_bytes: int = 256 * _MIB
    files: int = 2000
    path_bytes: int = 512
    frames: int = 4_000_000
    waiting_bytes: int = 512 * _MIB
    notices: int = 1000
    manifest_bytes: int = 4 * _MIB
    sessions: int = 20


@dataclass(frozen=True)
class Growth:
    """New content of a file, already on disk.

    Attributes:
        path: The file, relative to the stream's directory.
        offset: Where the content begins.
        data: The content.
        restarted: Whether what was reported of this file at and beyond `offset` is void, because
            the pod replaced the file.
    """

    path: str
    offset: int
    data: bytes
    restarted: bool = False


@dataclass(frozen=True)
class FrameReport:
    """What one line of the log was.

    Attributes:
        kind: `data`, `control` and `manifest` frames were applied; a `waiting` one needs an
            earlier one first; `duplicate` and `stale` (of an earlier session) ones are dropped;
            a `refused` one breaks a limit; a `corrupt` line fails its checksum; an `other` line
            is no frame.
        number: The frame's number, where there is one.
        growths: The content that this line released: its own, and that of frames that waited.
        detail: Why a line was not used.
    """

    kind: FrameKind
    number: int | None = None
    growths: tuple[Growth, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class ManifestFile:
    """What the exporter says it sent of a file.

    Attributes:
        path: Relative path.
        role: `result` for what the verdict rests on, `attachment` for all else.
        size: Bytes in the pod.
        sent: Bytes sent; less than `size` when a cap cut the file.
        sha256: Hex digest of what was sent.
        deleted: Whether the file was deleted in the pod after that.
    """

    path: str
    role: Literal["result", "attachment"]
    size: int
    sent: int
    sha256: str
    deleted: bool


@dataclass(frozen=True)
class Manifest:
    """The exporter's account of the whole stream.

    Attributes:
        run_id: The id the exporter was given.
        frames: Number of frames before the manifest.
        settled: Whether the exporter had the time to send and check everything.
        collected: Tests that the suite said it would run; None when it did not say.
        deselected: Tests that the suite left out; None when it did not say.
        files: The files.
        sha256: Hex digest of the manifest itself.
    """

    run_id: str
    frames: int
    settled: bool
    collected: int | None
    deselected: int | None
    files: tuple[ManifestFile, ...]
    sha256: str


@dataclass(frozen=True)
class VerifiedFile:
    """A file on disk that is byte for byte what the exporter sent."""

    path: str
    size_bytes: int
    sha256: str
    role: Literal["result", "attachment"]
    cut: bool


@dataclass(frozen=True)
class Completeness:
    """Whether everything arrived.

    Attributes:
        complete: The manifest came, and every file matches it, no result file cut.
        problems: Why not, one sentence each.
        notices: What a reader should know all the same: cut attachments, refused links, restarts.
        missing: Numbers of frames that never came. No problem when every file matches without.
        verified: The files that match.
    """

    complete: bool
    problems: tuple[str, ...]
    notices: tuple[str, ...]
    missing: tuple[range, ...]
    verified: tuple[VerifiedFile, ...]


class ResultStream:
    """Turns the lines of an exporter's log into files below a directory."""

    def __init__(
        self,
        directory: Path,
        *,
        limits: StreamLimits | None = None,
        key: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to receive.

        Args:
            directory: Where the files go; created when absent, this stream's alone.
            limits: What the stream may cost.
            key: The secret that the exporter was given, if it was given one.
            clock: Monotonic seconds.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.last_frame_monotonic: float | None = None
        self._limits = limits or StreamLimits()
        self._key = key
        self._clock = clock
        self._directory = directory
        self._files = _Files(directory, self._limits)
        self._waiting = _WaitingLines(directory, self._limits.waiting_bytes)
        self._numbers = _Numbers()
        self._next = 0
        self._session = ""
        self._old_sessions: set[str] = set()
        self._manifest: Manifest | None = None
        self._manifest_content = bytearray()
        self._notices: list[str] = []
        self._problems: list[str] = []
        self._other_lines: deque[str] = deque(maxlen=_OTHER_LINES)
        self._corrupt_lines = 0

    @property
    def next_number(self) -> int:
        """The number of the frame that is applied next."""
        return self._next

    @property
    def missing(self) -> tuple[range, ...]:
        """Numbers of frames that did not come while later ones did: to be asked for again."""
        return self._numbers.gaps

    @property
    def manifest(self) -> Manifest | None:
        """The manifest, once it and every frame before it came."""
        return self._manifest

    @property
    def notices(self) -> tuple[str, ...]:
        """What the exporter, or this side, had to say, oldest first."""
        return tuple(self._notices)

    @property
    def other_lines(self) -> tuple[str, ...]:
        """The last lines of the log that were no frames, such as an exporter's traceback."""
        return tuple(self._other_lines)

    def feed(self, line: str | bytes) -> FrameReport:
        """Take in one line of the log; a timestamp of Kubernetes before it is ignored.

        Never raises for what the line holds.
        """
        raw = line.encode("utf-8", "replace") if isinstance(line, str) else line
        raw = _without_timestamp(raw.strip())
        try:
            frame = _decode(raw, self._key, self._limits)
        except _BadFrameError as error:
            self._corrupt_lines += 1
            return FrameReport("corrupt", detail=str(error))
        if frame is None:
            self._keep_other(raw)
            return FrameReport("other")
        self.last_frame_monotonic = self._clock()
        return self._accept(frame, raw)

    def drain(self) -> FrameReport:
        """Apply a few more of the frames that waited; without growths there is nothing to apply.

        `feed` does the same on its way. A loop over this empties what is left before `finish`.
        """
        return FrameReport("control", growths=self._release())

    def finish(self, *, digest: str = "") -> Completeness:
        """Use what came, with the holes it has, and compare it with the manifest.

        Args:
            digest: The exporter's termination message, where the pod's status has one.
        """
        for number in self._waiting.numbers():
            self._apply_waiting(number)
        problems = [*self._problems, *self._digest_problems(digest)]
        notices = list(self._notices)
        verified: list[VerifiedFile] = []
        if self._manifest is None:
            problems.append(self._absence())
        else:
            if not self._manifest.settled:
                problems.append("the exporter ran out of time before it had sent everything")
            for entry in self._manifest.files:
                self._verify(entry, problems=problems, notices=notices, verified=verified)
            listed = {entry.path for entry in self._manifest.files}
            notices += [f"{path}: gone in the pod" for path in self._files.paths() - listed]
        missing = self._numbers.gaps
        if missing:
            (problems or notices).append(_missing_text(missing))
        if self._corrupt_lines:
            notices.append(f"{self._corrupt_lines} lines failed their checksum")
        return Completeness(
            complete=not problems,
            problems=tuple(problems),
            notices=tuple(notices),
            missing=missing,
            verified=tuple(verified),
        )

    # --- Frames in their turn

    def _accept(self, frame: _Frame, raw: bytes) -> FrameReport:
        number = frame.number
        if frame.session != self._session:
            if frame.session in self._old_sessions:
                return FrameReport("stale", number)
            if len(self._old_sessions) >= self._limits.sessions:
                return FrameReport("refused", number, detail="the exporter started too often")
            self._begin_session(frame.session)
        if self._numbers.has(number):
            return FrameReport("duplicate", number, self._release())
        if number != self._next:
            self._numbers.expect(number)
            if not self._waiting.put(number, raw):
                return FrameReport("refused", number, detail="too many frames wait")
            self._numbers.add(number)
            return FrameReport("waiting", number)
        self._numbers.add(number)
        self._next += 1
        kind, growths = self._apply(frame)
        return FrameReport(kind, number, growths + self._release())

    def _begin_session(self, session: str) -> None:
        if self._session:
            self._old_sessions.add(self._session)
            self._note("the exporter was restarted and sends everything again")
        self._session = session
        self._numbers = _Numbers()
        self._next = 0
        self._waiting.clear()
        self._manifest = None
        self._manifest_content.clear()
        self._files.begin_session()

    def _release(self) -> tuple[Growth, ...]:
        """Apply frames whose turn has come; a few at a time, to bound what one line returns."""
        growths: tuple[Growth, ...] = ()
        for _ in range(_RELEASED_AT_ONCE):
            if not self._waiting.has(self._next):
                break
            growths += self._apply_waiting(self._next)
            self._next += 1
        return growths

    def _apply_waiting(self, number: int) -> tuple[Growth, ...]:
        try:
            frame = _decode(self._waiting.take(number), self._key, self._limits)
        except (OSError, _BadFrameError) as error:
            self._problem(f"frame {number} was lost on this machine's disk: {error}")
            return ()
        return () if frame is None else self._apply(frame)[1]

    def _apply(self, frame: _Frame) -> tuple[FrameKind, tuple[Growth, ...]]:
        try:
            if frame.type == "data":
                growth = self._files.write(
                    _place(frame, self._limits), _content(frame, self._limits)
                )
                return "data", (growth,) if growth else ()
            if frame.type == "manifest":
                self._read_manifest(frame)
                return "manifest", ()
            if frame.type in ("replaced", "lost"):
                self._files.mark(_place(frame, self._limits), is_lost=frame.type == "lost")
            elif frame.type == "notice":
                where = frame.text("path")
                self._note(f"{where}: {frame.text('detail')}" if where else frame.text("detail"))
        except _BadFrameError as error:
            self._problem(f"frame {frame.number} ({frame.type}) was refused: {error}")
        except OSError as error:
            self._problem(f"frame {frame.number} could not be stored here: {error}")
        return "control", ()

    def _read_manifest(self, frame: _Frame) -> None:
        offset, total = frame.integer("offset"), frame.integer("total")
        content = _content(frame, self._limits)
        if offset == 0:
            self._manifest_content.clear()
            if total > self._limits.manifest_bytes:
                raise _BadFrameError(reason=f"a manifest of {total} bytes")
        if offset != len(self._manifest_content) or offset + len(content) > total:
            raise _BadFrameError(reason="a part of the manifest is missing")
        self._manifest_content += content
        if len(self._manifest_content) == total:
            whole = bytes(self._manifest_content)
            if hashlib.sha256(whole).hexdigest() != frame.text("sha256"):
                raise _BadFrameError(reason="the manifest does not match its checksum")
            self._manifest = _manifest(whole, self._limits)

    # --- What is said at the end

    def _verify(
        self,
        entry: ManifestFile,
        *,
        problems: list[str],
        notices: list[str],
        verified: list[VerifiedFile],
    ) -> None:
        is_cut = entry.sent < entry.size
        if is_cut:
            cut = f"{entry.path}: {entry.sent} of {entry.size} bytes were sent"
            (problems if entry.role == "result" else notices).append(cut)
        if entry.deleted:
            notices.append(f"{entry.path}: deleted in the pod after {entry.sent} bytes")
        try:
            problem = self._files.difference(entry)
        except OSError as error:
            problem = f"cannot be read back: {error}"
        if problem:
            problems.append(f"{entry.path}: {problem}")
        else:
            verified.append(
                VerifiedFile(entry.path, entry.sent, entry.sha256, entry.role, cut=is_cut)
            )

    def _digest_problems(self, digest: str) -> list[str]:
        fields = _json_object(digest.encode("utf-8", "replace"))
        if fields is None or fields.get("session") != self._session:
            return []
        last = fields.get("last")
        if type(last) is int and 0 <= last <= self._limits.frames:
            self._numbers.expect(last)
        if self._manifest and fields.get("manifest_sha256") != self._manifest.sha256:
            return ["the manifest is not the one that the exporter's last word names"]
        return []

    def _absence(self) -> str:
        if not self._session:
            return "no frame arrived: the exporter did not start, or its log could not be read"
        last = self._numbers.highest
        return f"the manifest did not arrive: the stream ends after frame {last}"

    def _note(self, text: str) -> None:
        if len(self._notices) < self._limits.notices:
            self._notices.append(text)

    def _problem(self, text: str) -> None:
        if len(self._problems) < self._limits.notices:
            self._problems.append(text)

    def _keep_other(self, raw: bytes) -> None:
        if raw:
            self._other_lines.append(raw.decode("utf-8", "replace")[:_OTHER_LINE_CHARACTERS])


# --- Lines ----------------------------------------------------------------------------------------


class _BadFrameError(Exception):
    """A frame that cannot be used."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


@dataclass(frozen=True)
class _Frame:
    session: str
    number: int
    type: str
    fields: dict[str, object] = field(repr=False)

    def integer(self, name: str) -> int:
        value = self.fields.get(name)
        if type(value) is not int or value < 0:
            raise _BadFrameError(reason=f"{name} is no number")
        return value

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise _BadFrameError(reason=f"{name} is no text")
        return value


@dataclass(frozen=True)
class _Place:
    path: str
    generation: int
    offset: int
    size: int


def _without_timestamp(raw: bytes) -> bytes:
    if raw[:1].isdigit():
        start = raw.find(b" ", 0, _TIMESTAMP_BYTES)
        return raw[start + 1 :] if start > 0 else raw
    return raw


def _decode(raw: bytes, key: bytes, limits: StreamLimits) -> _Frame | None:
    """Read a line; None when it is no frame.

    Raises:
        _BadFrameError: It is meant to be a frame, and cannot be believed.
    """
    if not raw.startswith(_FRAME_START):
        return None
    if len(raw) > limits.line_bytes:
        raise _BadFrameError(reason=f"a line of {len(raw)} bytes")
    head, marker, tail = raw.rpartition(_CHECKSUM_START)
    checksum = hmac.new(key, head, "sha256").hexdigest()[:_CHECKSUM_DIGITS]
    if not marker or not hmac.compare_digest(tail, checksum.encode() + b'"}'):
        raise _BadFrameError(reason="the checksum does not fit")
    fields = _json_object(head + b"}")
    if fields is None:
        raise _BadFrameError(reason="no JSON object")
    version = fields.get("floe")
    if version != PROTOCOL_VERSION:
        raise _BadFrameError(
            reason=f"protocol version {version!r}, this side knows {PROTOCOL_VERSION}"
        )
    frame = _Frame("", 0, "", fields)
    frame = _Frame(frame.text("session"), frame.integer("number"), frame.text("type"), fields)
    if not frame.session or frame.number > limits.frames:
        raise _BadFrameError(reason="no session, or a number beyond the limit")
    return frame


def _json_object(content: bytes) -> dict[str, object] | None:
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", document) if isinstance(document, dict) else None


def _content(frame: _Frame, limits: StreamLimits) -> bytes:
    """Unpack a frame's content, however small the line that claims to hold it."""
    size = frame.integer("size")
    if size > limits.chunk_bytes:
        raise _BadFrameError(reason=f"{size} bytes in one frame")
    unpacker = zlib.decompressobj()
    try:
        packed = base64.b64decode(frame.text("body"), validate=True)
        # One byte more than announced tells a bomb without unpacking it; 0 would mean no limit.
        content = unpacker.decompress(packed, size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise _BadFrameError(reason=f"the content cannot be unpacked: {error}") from error
    if len(content) != size or not unpacker.eof:
        raise _BadFrameError(reason="the content has another size than announced")
    return content


def _place(frame: _Frame, limits: StreamLimits) -> _Place:
    path = frame.text("path")
    if problem := _path_problem(path, limits):
        raise _BadFrameError(reason=problem)
    # A `replaced` frame begins a file again, and so has neither place nor size.
    has_place = frame.type != "replaced"
    return _Place(
        path,
        frame.integer("generation"),
        frame.integer("offset") if has_place else 0,
        frame.integer("size") if has_place else 0,
    )


def _path_problem(path: str, limits: StreamLimits) -> str:
    """Say why a path from the pod is not used; empty when it is."""
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return "a path that is not UTF-8"
    if size > limits.path_bytes:
        return f"a path of {size} bytes"
    if any(ord(character) < 32 or ord(character) == 127 for character in path):  # noqa: PLR2004 - ASCII control
        return "a path with control characters"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return f"the path {path!r} could leave the directory"
    return ""


def _manifest(content: bytes, limits: StreamLimits) -> Manifest:
    fields = _json_object(content)
    if fields is None:
        raise _BadFrameError(reason="the manifest is no JSON object")
    entries = fields.get("files")
    if not isinstance(entries, list) or len(cast("list[object]", entries)) > limits.files:
        raise _BadFrameError(reason="the manifest lists no files, or too many")
    document = _Frame("", 0, "manifest", fields)
    return Manifest(
        run_id=document.text("run"),
        frames=document.integer("frames"),
        settled=fields.get("settled") is True,
        collected=_count(document, "collected"),
        deselected=_count(document, "deselected"),
        files=tuple(_manifest_file(item, limits) for item in cast("list[object]", entries)),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _count(document: _Frame, name: str) -> int | None:
    return None if document.fields.get(name) is None else document.integer(name)


def _manifest_file(item: object, limits: StreamLimits) -> ManifestFile:
    if not isinstance(item, dict):
        raise _BadFrameError(reason="the manifest lists something that is no file")
    entry = _Frame("", 0, "manifest", cast("dict[str, object]", item))
    path = entry.text("path")
    if problem := _path_problem(path, limits):
        raise _BadFrameError(reason=f"the manifest lists {problem}")
    return ManifestFile(
        path=path,
        role="attachment" if entry.text("role") == "attachment" else "result",
        size=entry.integer("size"),
        sent=entry.integer("sent"),
        sha256=entry.text("sha256"),
        deleted=entry.fields.get("deleted") is True,
    )


def _missing_text(missing: tuple[range, ...]) -> str:
    shown = ", ".join(
        str(gap.start) if len(gap) == 1 else f"{gap.start}-{gap.stop - 1}" for gap in missing[:20]
    )
    more = ", ..." if len(missing) > 20 else ""  # noqa: PLR2004 - as many as are shown
    return f"{sum(len(gap) for gap in missing)} frames did not arrive: {shown}{more}"


# --- Order ----------------------------------------------------------------------------------------


class _Numbers:
    """Which frames came, kept as the gaps between them: those are few."""

    def __init__(self) -> None:
        self.highest = -1
        self._gaps: list[range] = []

    @property
    def gaps(self) -> tuple[range, ...]:
        return tuple(self._gaps)

    def expect(self, number: int) -> None:
        """Note that a frame of this number exists."""
        if number > self.highest:
            self._gaps.append(range(self.highest + 1, number + 1))
            self.highest = number
            self._join_last()

    def has(self, number: int) -> bool:
        """Tell whether a frame came."""
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


class _WaitingLines:
    """Lines whose turn has not come, in a nameless file: a rotation can leave thousands."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
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
                self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - closed by clear
            self._file.seek(self._end)
            self._file.write(line)
        except OSError:
            return False
        self._places[number] = (self._end, len(line))
        self._end += len(line)
        return True

    def has(self, number: int) -> bool:
        return number in self._places

    def numbers(self) -> list[int]:
        return sorted(self._places)

    def take(self, number: int) -> bytes:
        """Give a line back, once.

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
        self._places.clear()
        self._end = 0
        if self._file is not None:
            self._file.close()
            self._file = None


# --- Files ----------------------------------------------------------------------------------------


@dataclass
class _File:
    generation: int = 0
    end: int = 0  # where the next content of this generation belongs
    size: int = 0  # on disk
    is_restarted: bool = False


class _Files:
    """The received files; no name or size from the pod is used unchecked."""

    def __init__(self, directory: Path, limits: StreamLimits) -> None:
        self._directory = directory
        self._limits = limits
        self._files: dict[str, _File] = {}
        self._written_bytes = 0

    def paths(self) -> set[str]:
        return set(self._files)

    def begin_session(self) -> None:
        """Expect every file from its beginning, and keep what is there until it differs."""
        self._written_bytes = 0
        for file in self._files.values():
            file.generation = file.end = 0

    def mark(self, place: _Place, *, is_lost: bool) -> None:
        """Begin a file again, or leave a hole for content that nobody has any more."""
        file = self._file(place.path)
        if is_lost and place.generation == file.generation:
            file.end = place.offset + place.size
        elif place.generation > file.generation:
            self._begin_again(place, file)

    def write(self, place: _Place, content: bytes) -> Growth | None:
        """Store content; returns what is new in it.

        Raises:
            _BadFrameError: It exceeds a limit.
            OSError: It cannot be stored.
        """
        file = self._file(place.path)
        if place.generation < file.generation:
            return None
        end = place.offset + len(content)
        self._written_bytes += len(content)
        if end > self._limits.file_bytes or self._written_bytes > self._limits.total_bytes:
            raise _BadFrameError(reason=f"{place.path} at {place.offset} exceeds a limit")
        if place.generation > file.generation:
            self._begin_again(place, file)
        is_first = file.size == 0 and place.offset == 0
        start = self._store(self._target(place.path), file, place.offset, content)
        file.end = end
        is_restarted, file.is_restarted = file.is_restarted, False
        fresh = content[start - place.offset :]
        if not (fresh or is_restarted or is_first):
            return None
        return Growth(place.path, start, fresh, restarted=is_restarted)

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

    def _begin_again(self, place: _Place, file: _File) -> None:
        file.generation, file.end = place.generation, 0
        if file.size:
            os.truncate(self._target(place.path), 0)
            file.size, file.is_restarted = 0, True

    def _file(self, path: str) -> _File:
        if path not in self._files:
            if len(self._files) >= self._limits.files:
                raise _BadFrameError(reason=f"more than {self._limits.files} files")
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
            while part := content.read(min(_MIB, entry.sent - content.tell())):
                sha256.update(part)
            if sha256.hexdigest() != entry.sha256:
                return "what arrived does not match its checksum"
            # What an earlier session sent beyond the end is not part of the file.
            content.truncate(entry.sent)
        return ""
