"""The exporter's account of what it sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, cast

from floe_tests.jobs.stream.frames import (
    BadFrameError,
    Frame,
    StreamLimits,
    json_object,
    path_problem,
)


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
        results_settled: Whether it had the time for all result files at least.
        collected: Tests that the suite said it would run; None when it did not say.
        deselected: Tests that the suite left out; None when it did not say.
        files: The files.
        sha256: Hex digest of the manifest itself.
    """

    run_id: str
    frames: int
    settled: bool
    results_settled: bool
    collected: int | None
    deselected: int | None
    files: tuple[ManifestFile, ...]
    sha256: str


def read_manifest(content: bytes, limits: StreamLimits) -> Manifest:
    """Read a manifest that came whole.

    Raises:
        BadFrameError: It is no manifest, or names what no exporter would send.
    """
    fields = json_object(content)
    if fields is None:
        raise BadFrameError(reason="the manifest is no JSON object")
    entries = fields.get("files")
    if not isinstance(entries, list) or len(cast("list[object]", entries)) > limits.files:
        raise BadFrameError(reason="the manifest lists no files, or too many")
    document = Frame("", 0, "manifest", fields)
    return Manifest(
        run_id=document.text("run"),
        frames=document.integer("frames"),
        settled=fields.get("settled") is True,
        results_settled=fields.get("results_settled") is True,
        collected=_count(document, "collected"),
        deselected=_count(document, "deselected"),
        files=tuple(_manifest_file(item, limits) for item in cast("list[object]", entries)),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _count(document: Frame, name: str) -> int | None:
    return None if document.fields.get(name) is None else document.integer(name)


def _manifest_file(item: object, limits: StreamLimits) -> ManifestFile:
    if not isinstance(item, dict):
        raise BadFrameError(reason="the manifest lists something that is no file")
    entry = Frame("", 0, "manifest", cast("dict[str, object]", item))
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
