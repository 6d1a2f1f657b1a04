"""Whether everything arrived: what came, compared with the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from floe_tests.execution.stream.files import ReceivedFiles
from floe_tests.execution.stream.manifest import Manifest, ManifestFile
from floe_tests.execution.stream.remarks import Remarks
from floe_tests.exporter.results import is_named_like_result, is_xml

_SHOWN_GAPS = 20
_SHOWN_REFUSALS = 20


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


class Comparison:
    """What came, held against what the exporter says it sent."""

    def __init__(self, manifest: Manifest | None, files: ReceivedFiles, remarks: Remarks) -> None:
        """Begin with what was said on the way.

        Args:
            manifest: The manifest; None when it did not come.
            files: What came.
            remarks: What was said on the way.
        """
        self._manifest = manifest
        self._files = files
        self._remarks = remarks
        self._problems = list(remarks.problems)
        self._notices = list(remarks.notices)
        self._verified: list[VerifiedFile] = []
        self._cut: list[CutResult] = []

    def completeness(
        self,
        *,
        contradictions: Sequence[str],
        absence: str,
        missing: tuple[range, ...],
        corrupt_lines: int,
    ) -> Completeness:
        """Compare, and say whether everything arrived.

        Args:
            contradictions: What the exporter's last word says against what came.
            absence: What to say where there is no manifest.
            missing: Numbers of frames that never came.
            corrupt_lines: How many lines failed their checksum.
        """
        self._problems += contradictions
        self._sort_remarks_on_files()
        if self._manifest is None:
            self._problems.append(absence)
            self._notices += self._remarks.cuts
        else:
            self._compare(self._manifest)
        self._notices += [f"{path}: kept as {place}" for path, place in self._files.moved().items()]
        self._problems += [
            f"{path}: {count} earlier versions of it could not be kept"
            for path, count in self._files.dropped.items()
        ]
        if missing:
            (self._problems or self._notices).append(_missing_text(missing))
        self._problems += map(str, self._cut)
        if corrupt_lines:
            self._notices.append(f"{corrupt_lines} lines failed their checksum")
        refused, doubts = _refusals(self._manifest)
        return Completeness(
            complete=not self._problems and not refused,
            problems=tuple(self._problems),
            notices=tuple(self._notices),
            missing=missing,
            verified=tuple(self._verified),
            cut=tuple(self._cut),
            doubts=doubts,
            refused=refused,
            free_bytes=self._manifest.free_bytes if self._manifest else None,
        )

    def _said_of(self, role: str) -> list[str]:
        """Return where to say what befell a file: only what befell a result is a problem."""
        return self._problems if role == "result" else self._notices

    def _sort_remarks_on_files(self) -> None:
        """Tell what happened to attachments apart from what happened to results."""
        listed = (
            {entry.path: entry.role for entry in self._manifest.files} if self._manifest else {}
        )
        for path, texts in self._remarks.of_files.items():
            is_gone = self._manifest is not None and not is_named_like_result(path)
            role = listed.get(path, "attachment" if is_gone else "result")
            self._said_of(role).extend(texts)

    def _compare(self, manifest: Manifest) -> None:
        if not manifest.settled:
            late = "the exporter ran out of time before it had sent everything"
            (self._notices if manifest.results_settled else self._problems).append(late)
        for entry in manifest.files:
            is_cut = entry.sent < entry.size
            if is_cut and entry.role == "result":
                self._cut.append(CutResult(entry.path, entry.sent, entry.size))
            elif is_cut:
                self._notices.append(f"{entry.path}: {entry.sent} of {entry.size} bytes were sent")
            self._verify(entry)
        listed = {entry.path for entry in manifest.files}
        self._notices += [f"{path}: gone in the pod" for path in self._files.paths() - listed]
        self._set_deleted_aside(manifest)

    def _verify(self, entry: ManifestFile) -> None:
        if not entry.sent and entry.path not in self._files.paths():
            self._said_of(entry.role).append(f"{entry.path}: nothing of it was sent")
            return
        # An empty file that was there for a while is no news.
        if entry.deleted and entry.sent:
            self._notices.append(f"{entry.path}: deleted in the pod after {entry.sent} bytes")
        try:
            problem = self._files.difference(entry)
        except OSError as error:
            problem = f"cannot be read back: {error}"
        if problem:
            self._said_of(entry.role).append(f"{entry.path}: {problem}")
            return
        self._verified.append(
            VerifiedFile(
                entry.path, entry.sent, entry.sha256, entry.role, cut=entry.sent < entry.size
            )
        )

    def _set_deleted_aside(self, manifest: Manifest) -> None:
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
                    self._notices.append(f"{entry.path}: counts as it was: {error}")


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
