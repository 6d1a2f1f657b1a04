"""The exporter's account of what it sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, cast

from floe_tests.execution.stream.frames import (
    BadFrameError,
    Frame,
    StreamLimits,
    json_object,
    path_problem,
)
from floe_tests.results.cases import legible


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
class Refusal:
    """Something in the pod that the exporter did not send, and that may have to do with results.

    Attributes:
        path: Its path, made legible.
        detail: Why it was not sent.
        role: `result` for what has a result's name, `folder` for what may hold results.
    """

    path: str
    detail: str
    role: Literal["result", "folder"]

    def __str__(self) -> str:
        """Say what was refused, and why."""
        return f"{self.path or 'the results'}: {self.detail}"


@dataclass(frozen=True)
class Manifest:
    """The exporter's account of the whole stream.

    Attributes:
        run_id: The id the exporter was given.
        frames: Number of frames before the manifest.
        settled: Whether the exporter had the time to send and check everything.
        results_settled: Whether it had the time for all result files at least.
        collected: Tests that the suite said it would run; None when it did not say.
        deselected: Tests that the suite left out; None when it did not say.
        free_bytes: What was still free on the volume of the results; None when nobody says.
        files: The files.
        refused: What was not sent and may be a result, or hold some.
        refused_more: How many more there were than these.
        sha256: Hex digest of the manifest itself.
    """

    run_id: str
    frames: int
    settled: bool
    results_settled: bool
    collected: int | None
    deselected: int | None
    free_bytes: int | None
    files: tuple[ManifestFile, ...]
    refused: tuple[Refusal, ...]
    refused_more: int
    sha256: str


def read_manifest(content: bytes, limits: StreamLimits) -> Manifest:
    """Read a manifest that came whole.

    Raises:
        BadFrameError: It is no manifest, or names what no exporter would send.
    """
    fields = json_object(content)
    if fields is None:
        raise BadFrameError(reason="the manifest is no JSON object")
    most = limits.files + limits.attachments
    entries = _entries(fields.get("files"), most=most)
    refused = _entries(fields.get("refused", []), most=limits.notices)
    document = Frame("", 0, "manifest", fields)
    return Manifest(
        run_id=document.text("run"),
        frames=document.integer("frames"),
        settled=fields.get("settled") is True,
        results_settled=fields.get("results_settled") is True,
        collected=_count(document, "collected"),
        deselected=_count(document, "deselected"),
        free_bytes=_count(document, "free"),
        files=tuple(_manifest_file(item, limits) for item in entries),
        refused=tuple(_refusal(item) for item in refused),
        refused_more=_count(document, "refused_more") or 0,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _count(document: Frame, name: str) -> int | None:
    return None if document.fields.get(name) is None else document.integer(name)


def _entries(value: object, *, most: int) -> list[object]:
    if not isinstance(value, list) or len(cast("list[object]", value)) > most:
        raise BadFrameError(reason="the manifest lists no files, or too many")
    return cast("list[object]", value)


def _entry(item: object) -> Frame:
    if not isinstance(item, dict):
        raise BadFrameError(reason="the manifest lists something that is no file")
    return Frame("", 0, "manifest", cast("dict[str, object]", item))


def _refusal(item: object) -> Refusal:
    entry = _entry(item)
    return Refusal(
        path=legible(entry.text("path")),
        detail=legible(entry.text("detail")),
        role="folder" if entry.text("role") == "folder" else "result",
    )


def _manifest_file(item: object, limits: StreamLimits) -> ManifestFile:
    entry = _entry(item)
    path = entry.text("path")
    if problem := path_problem(path, limits):
        raise BadFrameError(reason=f"the manifest lists {problem}")
    return ManifestFile(
        path=path,
        role="attachment" if entry.text("role") == "attachment" else "result",
        size=entry.integer("size"),
        sent=entry.integer("sent"),
        sha256=entry.text("sha256"),
        deleted=entry.fields.get("deleted") is True,
    )
