"""The stream as a whole: frames in their turn, and the proof at the end."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
from floe_tests.execution.stream.manifest import Manifest, ManifestFile, read_manifest
from floe_tests.execution.stream.order import FrameNumbers, WaitingLines
from floe_tests.exporter.results import is_named_like_result, is_xml
from floe_tests.results.cases import legible

_RELEASED_AT_ONCE = 64
_OTHER_LINES = 20
_OTHER_LINE_CHARACTERS = 500
_SHOWN_GAPS = 20
_FILE_PROBLEMS = 5
_SHOWN_REFUSALS = 20

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


@dataclass(frozen=True)
class VerifiedFile:
    """A file on disk that is byte for byte what the exporter sent."""

    path: str
    size_bytes: int
    sha256: str
    role: Literal["result", "attachment"]
    cut: bool


@dataclass(frozen=True)
class CutResult:
    """A result file that a cap cut: as far as it came it matches, and its end is missing."""

    path: str
    sent_bytes: int
    size_bytes: int

    def __str__(self) -> str:
        """Say how far it came."""
        return f"{self.path}: {self.sent_bytes} of {self.size_bytes} bytes were sent"


@dataclass(frozen=True)
class Completeness:
    """Whether everything arrived.

    Attributes:
        complete: The manifest came, and every file matches it, no result file cut or refused.
        problems: What was lost on the way, one sentence each.
        refused: What the pod holds and the exporter could not send, though it has a result's name,
            one sentence each: not lost on the way, and not to be had.
        notices: What a reader should know all the same: cut attachments, refused links, restarts.
        missing: Numbers of frames that never came. No problem when every file matches without.
        verified: The files that match.
        cut: Result files that a cap cut. Each is among the problems, as its own words; whoever
            finds their content proved by another file may take it out.
        doubts: Folders that the exporter could not look into. There may be results in them, which
            the count of collected tests alone can rule out.
        free_bytes: What was still free on the volume of the results; None when nobody says.
    """

    complete: bool
    problems: tuple[str, ...]
    notices: tuple[str, ...]
    missing: tuple[range, ...]
    verified: tuple[VerifiedFile, ...]
    cut: tuple[CutResult, ...] = ()
    doubts: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    free_bytes: int | None = None


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
        self._notices: list[str] = []
        # Until the manifest says how far each file came in the end.
        self._cut_notices: dict[str, str] = {}
        self._problems: list[str] = []
        # By file: whether they count depends on its role, which the manifest says.
        self._file_problems: dict[str, list[str]] = {}
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
        return (*self._notices, *self._cut_notices.values())

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
        problems = [*self._problems, *self._digest_problems(digest)]
        notices = list(self._notices)
        refused, doubts = _refusals(self._manifest)
        verified: list[VerifiedFile] = []
        cut: list[CutResult] = []
        self._sort_file_problems(problems, notices)
        if self._manifest is None:
            problems.append(self._absence())
            notices += self._cut_notices.values()
        else:
            if not self._manifest.settled:
                late = "the exporter ran out of time before it had sent everything"
                (notices if self._manifest.results_settled else problems).append(late)
            for entry in self._manifest.files:
                is_cut = entry.sent < entry.size
                if is_cut and entry.role == "result":
                    cut.append(CutResult(entry.path, entry.sent, entry.size))
                elif is_cut:
                    notices.append(f"{entry.path}: {entry.sent} of {entry.size} bytes were sent")
                self._verify(entry, problems=problems, notices=notices, verified=verified)
            listed = {entry.path for entry in self._manifest.files}
            notices += [f"{path}: gone in the pod" for path in self._files.paths() - listed]
            self._set_deleted_aside(self._manifest, notices)
        notices += [f"{path}: kept as {place}" for path, place in self._files.moved().items()]
        problems += [
            f"{path}: {count} earlier versions of it could not be kept"
            for path, count in self._files.dropped.items()
        ]
        missing = self._numbers.gaps
        if missing:
            (problems or notices).append(_missing_text(missing))
        problems += map(str, cut)
        if self._corrupt_lines:
            notices.append(f"{self._corrupt_lines} lines failed their checksum")
        return Completeness(
            complete=not problems and not refused,
            problems=tuple(problems),
            notices=tuple(notices),
            missing=missing,
            verified=tuple(verified),
            cut=tuple(cut),
            doubts=doubts,
            refused=refused,
            free_bytes=self._manifest.free_bytes if self._manifest else None,
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
            self._note("the exporter was restarted and sends everything again")
        self._session = session
        self._numbers = FrameNumbers()
        self._next = 0
        self._waiting.clear()
        self._manifest = None
        self._manifest_content.clear()
        self._cut_notices.clear()
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
            self._problem(f"frame {number} was lost on this machine's disk: {error}")
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
            self._problem(f"frame {frame.number} ({frame.type}) was refused: {error}")
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
        if len(self._file_problems) < self._limits.notices:
            texts = self._file_problems.setdefault(place.path, [])
            if len(texts) < _FILE_PROBLEMS:
                texts.append(legible(text))
        return "control", ()

    def _take_notice(self, frame: Frame) -> None:
        where, detail = frame.text("path"), frame.text("detail")
        text = f"{where}: {detail}" if where else detail
        if frame.fields.get("reason") != "cut":
            self._note(text)
        elif len(self._cut_notices) < self._limits.notices:
            self._cut_notices[where] = legible(text)

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

    def _sort_file_problems(self, problems: list[str], notices: list[str]) -> None:
        """Tell what happened to attachments apart from what happened to results."""
        listed = (
            {entry.path: entry.role for entry in self._manifest.files} if self._manifest else {}
        )
        for path, texts in self._file_problems.items():
            is_gone = self._manifest is not None and not is_named_like_result(path)
            role = listed.get(path, "attachment" if is_gone else "result")
            (problems if role == "result" else notices).extend(texts)

    def _set_deleted_aside(self, manifest: Manifest, notices: list[str]) -> None:
        """Read a JUnit file that the pod deleted as an earlier account, where there is another.

        Tools merge the files of their parts into one, and delete them.
        """
        junit = [e for e in manifest.files if e.role == "result" and is_xml(e.path)]
        if all(entry.deleted for entry in junit):
            return
        for entry in junit:
            if entry.deleted:
                try:
                    self._files.set_deleted_aside(entry.path)
                except OSError as error:
                    notices.append(f"{entry.path}: counts as it was: {error}")

    def _verify(
        self,
        entry: ManifestFile,
        *,
        problems: list[str],
        notices: list[str],
        verified: list[VerifiedFile],
    ) -> None:
        if not entry.sent and entry.path not in self._files.paths():
            unread = f"{entry.path}: nothing of it was sent"
            (problems if entry.role == "result" else notices).append(unread)
            return
        # An empty file that was there for a while is no news.
        if entry.deleted and entry.sent:
            notices.append(f"{entry.path}: deleted in the pod after {entry.sent} bytes")
        try:
            problem = self._files.difference(entry)
        except OSError as error:
            problem = f"cannot be read back: {error}"
        if problem:
            (problems if entry.role == "result" else notices).append(f"{entry.path}: {problem}")
        else:
            verified.append(
                VerifiedFile(
                    entry.path, entry.sent, entry.sha256, entry.role, cut=entry.sent < entry.size
                )
            )

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

    def _note(self, text: str) -> None:
        if len(self._notices) < self._limits.notices:
            self._notices.append(legible(text))

    def _problem(self, text: str) -> None:
        if len(self._problems) < self._limits.notices:
            self._problems.append(legible(text))

    def _keep_other(self, raw: bytes) -> None:
        if raw:
            self._other_lines.append(raw.decode("utf-8", "replace")[:_OTHER_LINE_CHARACTERS])


def _refusals(manifest: Manifest | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what was refused of results, and of folders that may hold some."""
    if manifest is None:
        return (), ()
    results = [str(refused) for refused in manifest.refused if refused.role == "result"]
    more = manifest.refused_more + max(0, len(results) - _SHOWN_REFUSALS)
    del results[_SHOWN_REFUSALS:]
    if more:
        results.append(f"{more} more were not sent")
    folders = (str(refused) for refused in manifest.refused if refused.role == "folder")
    return tuple(results), tuple(folders)


def _missing_text(missing: tuple[range, ...]) -> str:
    shown = ", ".join(
        str(gap.start) if len(gap) == 1 else f"{gap.start}-{gap.stop - 1}"
        for gap in missing[:_SHOWN_GAPS]
    )
    more = ", ..." if len(missing) > _SHOWN_GAPS else ""
    return f"{sum(len(gap) for gap in missing)} frames did not arrive: {shown}{more}"
