"""The end: what was sent, as the manifest and as the last word of the container."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    pass

from .directory import read_beneath
from .followed_file import FollowedFile
from .follower import Follower
from .frames import FrameWriter, compact
from .results import COLLECTION_FILE
from .settings import (
    COLLECTION_BYTES,
    DIGEST_BYTES,
    PROTOCOL_VERSION,
    Settings,
)


def collection_counts(root: int) -> dict[str, int | None]:
    """Read how many tests the suite says it collected; None where it does not say."""
    content = read_beneath(root, COLLECTION_FILE, offset=0, size=COLLECTION_BYTES)
    document: object = None
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(content)
    fields = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    counts: dict[str, int | None] = {}
    for name in ("collected", "deselected"):
        value = fields.get(name)
        counts[name] = value if type(value) is int and value >= 0 else None
    return counts


def free_bytes(root: int) -> int | None:
    """Return how much more fits onto the volume of the results; None where it does not say."""
    try:
        volume = os.fstatvfs(root)
    except OSError:
        return None
    return volume.f_bavail * volume.f_frsize


def manifest_document(
    settings: Settings, follower: Follower, writer: FrameWriter, *, root: int, settled: Settled
) -> bytearray:
    """Write what the stream held, for the receiver to compare."""
    refused, more = follower.refusals()
    head = {
        "run": settings.run_id,
        "frames": writer.number,
        "settled": settled.everything,
        "results_settled": settled.results,
        "free": free_bytes(root),
        "notices": follower.notices,
        **collection_counts(root),
        "refused": [entry._asdict() for entry in refused],
        "refused_more": more,
    }
    # Written piece by piece: as one tree, twenty thousand files would take the sidecar's memory.
    document = bytearray(compact(head)[:-1] + b',"files":[')
    for file in sorted(follower.files.values(), key=lambda file: (file.rank, file.path)):
        if file.is_announced or not (file.is_deleted or file.refusal[0]):
            document += compact(manifest_entry(follower, file)) + b","
    if document.endswith(b","):
        del document[-1]
    document += b"]}"
    return document


def manifest_entry(follower: Follower, file: FollowedFile) -> dict[str, object]:
    """Say what was sent of a file."""
    return {
        "path": file.path,
        "role": "result" if file.is_result else "attachment",
        "generation": file.generation,
        "size": follower.known_size(file),
        "sent": file.offset,
        "sha256": file.sha256.hexdigest(),
        "deleted": file.is_deleted,
    }


def write_digest(
    path: str, *, writer: FrameWriter, manifest: bytearray, follower: Follower
) -> None:
    """Leave the last word where the pod's status shows it, whatever becomes of the log."""
    digest: dict[str, object] = {
        "floe": PROTOCOL_VERSION,
        "session": writer.session,
        "last": writer.number - 1,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        "files": len(follower.files),
        "sent_bytes": follower.sent_bytes,
        "notices": follower.notices,
        "cut": sum(1 for file in follower.files.values() if file.is_cut),
    }
    content = compact(digest)
    with contextlib.suppress(OSError):
        # Not created: outside a container there is none, and nobody asked for one.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, content[:DIGEST_BYTES])
        finally:
            os.close(descriptor)


class Settled(NamedTuple):
    """What the deadline left the time to send and check.

    Attributes:
        results: All result files.
        everything: All files.
    """

    results: bool
    everything: bool
