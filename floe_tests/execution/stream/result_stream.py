"""The stream as a whole: frames in their turn, and the proof at the end."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from floe_tests.execution.stream.completeness import Comparison, Completeness
from floe_tests.execution.stream.files import Growth, ReceivedFiles
from floe_tests.execution.stream.frames import (
    BadFrameError,
    Frame,
    Place,
    StreamLimits,
    content_of,
    decode,
    json_object,
    place_of,
    without_timestamp,
)
from floe_tests.execution.stream.manifest import Manifest, read_manifest
from floe_tests.execution.stream.order import FrameNumbers, WaitingLines
from floe_tests.execution.stream.remarks import Remarks

_RELEASED_AT_ONCE = 64
_OTHER_LINES = 20
_OTHER_LINE_CHARACTERS = 500

FrameKind = Literal[
    "data", "control", "manifest", "waiting", "duplicate", "stale", "refused", "corrupt", "other"
]


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
        self._files = ReceivedFiles(directory, self._limits)
        self._waiting = WaitingLines(directory, self._limits.waiting_bytes)
        self._numbers = FrameNumbers()
        self._next = 0
        self._session = ""
        self._old_sessions: set[str] = set()
        self._manifest: Manifest | None = None
        self._manifest_content = bytearray()
        self._remarks = Remarks(self._limits.notices)
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
        return (*self._remarks.notices, *self._remarks.cuts)

    @property
    def other_lines(self) -> tuple[str, ...]:
        """The last lines of the log that were no frames, such as an exporter's traceback."""
        return tuple(self._other_lines)

    def feed(self, line: str | bytes) -> FrameReport:
        """Take in one line of the log; a timestamp of Kubernetes before it is ignored.

        Never raises for what the line holds.
        """
        raw = line.encode("utf-8", "replace") if isinstance(line, str) else line
        raw = without_timestamp(raw.strip())
        try:
            frame = decode(raw, self._key, self._limits)
        except BadFrameError as error:
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
        contradictions = self._digest_problems(digest)
        return Comparison(self._manifest, self._files, self._remarks).completeness(
            contradictions=contradictions,
            absence=self._absence(),
            missing=self._numbers.gaps,
            corrupt_lines=self._corrupt_lines,
        )

    # --- Frames in their turn

    def _accept(self, frame: Frame, raw: bytes) -> FrameReport:
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
            self._remarks.note("the exporter was restarted and sends everything again")
        self._session = session
        self._numbers = FrameNumbers()
        self._next = 0
        self._waiting.clear()
        self._manifest = None
        self._manifest_content.clear()
        self._remarks.begin_session()
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
            frame = decode(self._waiting.take(number), self._key, self._limits)
        except (OSError, BadFrameError) as error:
            self._remarks.problem(f"frame {number} was lost on this machine's disk: {error}")
            return ()
        return () if frame is None else self._apply(frame)[1]

    def _apply(self, frame: Frame) -> tuple[FrameKind, tuple[Growth, ...]]:
        try:
            if frame.type in ("data", "replaced", "lost"):
                return self._apply_to_file(frame, place_of(frame, self._limits))
            if frame.type == "manifest":
                self._read_manifest(frame)
                return "manifest", ()
            if frame.type == "notice":
                self._take_notice(frame)
        except BadFrameError as error:
            self._remarks.problem(f"frame {frame.number} ({frame.type}) was refused: {error}")
        return "control", ()

    def _apply_to_file(self, frame: Frame, place: Place) -> tuple[FrameKind, tuple[Growth, ...]]:
        try:
            if frame.type == "data":
                growth = self._files.write(place, content_of(frame, self._limits))
                return "data", (growth,) if growth else ()
            self._files.mark(place, is_lost=frame.type == "lost")
        except BadFrameError as error:
            text = f"frame {frame.number} ({frame.type}) was refused: {error}"
        except OSError as error:
            text = f"frame {frame.number} could not be stored here: {error}"
        else:
            return "control", ()
        self._remarks.problem_of(place.path, text)
        return "control", ()

    def _take_notice(self, frame: Frame) -> None:
        where, detail = frame.text("path"), frame.text("detail")
        text = f"{where}: {detail}" if where else detail
        if frame.fields.get("reason") != "cut":
            self._remarks.note(text)
        else:
            self._remarks.cut(where, text)

    def _read_manifest(self, frame: Frame) -> None:
        offset, total = frame.integer("offset"), frame.integer("total")
        content = content_of(frame, self._limits)
        if offset == 0:
            self._manifest_content.clear()
            if total > self._limits.manifest_bytes:
                raise BadFrameError(reason=f"a manifest of {total} bytes")
        if offset != len(self._manifest_content) or offset + len(content) > total:
            raise BadFrameError(reason="a part of the manifest is missing")
        self._manifest_content += content
        if len(self._manifest_content) == total:
            whole = bytes(self._manifest_content)
            if hashlib.sha256(whole).hexdigest() != frame.text("sha256"):
                raise BadFrameError(reason="the manifest does not match its checksum")
            self._manifest = read_manifest(whole, self._limits)

    # --- What is said at the end

    def _digest_problems(self, digest: str) -> list[str]:
        fields = json_object(digest.encode("utf-8", "replace"))
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

    def _keep_other(self, raw: bytes) -> None:
        if raw:
            self._other_lines.append(raw.decode("utf-8", "replace")[:_OTHER_LINE_CHARACTERS])
