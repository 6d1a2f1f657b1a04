"""One file that is followed: what of it was sent, and whether it was rewritten since."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    pass

from .directory import Found
from .listing import is_candidate
from .results import EVENTS_FILE, RESULT_FILES, is_result
from .settings import CHUNK_BYTES, EDGE_BYTES


class FollowedFile:
    """A file that is sent as it grows."""

    # Twenty thousand of them fit into the sidecar's 64Mi.
    __slots__ = (
        "edges",
        "generation",
        "guess",
        "head",
        "identity",
        "is_announced",
        "is_candidate",
        "is_cut",
        "is_deleted",
        "is_hidden",
        "is_result",
        "is_verified",
        "offset",
        "path",
        "rank",
        "refusal",
        "seen_stamp",
        "served_turn",
        "sha256",
        "size",
        "source",
        "stamp",
        "tail",
    )

    def __init__(self, path: str, found: Found) -> None:
        """Begin with nothing sent.

        Args:
            path: Its path as it is sent.
            found: The first look at it.
        """
        self.path = path
        self.source = found.source
        self.is_candidate = is_candidate(found.path)
        # Programs that write a file in one step use a hidden one beside it until it is whole.
        self.is_hidden = any(part.startswith(".") for part in path.split("/"))
        self.generation = 0
        self.size = found.size
        self.stamp = found.stamp
        self.seen_stamp: tuple[int, int, int, int] = (0, 0, 0, 0)
        self.identity = 0
        self.is_deleted = False
        self.served_turn = 0
        self.guess = CHUNK_BYTES
        self.refusal: tuple[str, str] = ("", "")
        self.judge(found.path, b"")
        self.begin()

    def judge(self, path: str, head: bytes) -> None:
        """Decide whether it is a result.

        Args:
            path: Its path below the directory.
            head: The beginning of its content.
        """
        self.is_result = is_result(path, head)
        if not self.is_result:
            self.rank = 3
        elif path == EVENTS_FILE:
            self.rank = 1
        else:
            self.rank = 2 if path in RESULT_FILES else 0

    def begin(self) -> None:
        """Forget what was sent: it is no longer what the file holds."""
        self.is_announced = False
        self.is_cut = False
        self.is_verified = False
        self.offset = 0
        self.edges = b""
        self.head = b""
        self.tail = b""
        self.sha256 = hashlib.sha256()

    def advance(self, content: bytes) -> None:
        """Note that some content was sent."""
        self.head = (self.head + content[:EDGE_BYTES])[:EDGE_BYTES]
        self.tail = (self.tail + content[-EDGE_BYTES:])[-EDGE_BYTES:]
        self.sha256.update(content)
        self.offset += len(content)
        self.is_announced = True
        self.is_verified = False

    @property
    def is_pending(self) -> bool:
        """Whether the last look found something that has not been dealt with."""
        return not self.is_deleted and self.stamp != self.seen_stamp

    def change(self, descriptor: int, status: os.stat_result) -> str:
        """Say how the file ceased to be what was sent of it; empty when it only grew."""
        known, self.identity = self.identity, status.st_dev << 64 | status.st_ino
        if not self.is_announced:
            return ""
        if known != self.identity:
            return "another file took its place"
        if status.st_size < self.offset:
            return f"it shrank from {self.offset} to {status.st_size} bytes"
        size = min(EDGE_BYTES, self.offset)
        self.head = os.pread(descriptor, size, 0)
        self.tail = os.pread(descriptor, size, self.offset - size)
        return "" if self._digest_of_edges() == self.edges else "it was rewritten"

    def rest(self) -> None:
        """Keep a digest of both ends of what was sent, until there is more."""
        if self.head:
            self.edges = self._digest_of_edges()
            self.head = self.tail = b""

    def _digest_of_edges(self) -> bytes:
        edges = self.head + self.tail
        return hashlib.blake2b(edges, digest_size=16).digest() if edges else b""


class Refused(NamedTuple):
    """Something that is not sent, and may have to do with results.

    Attributes:
        path: The path, legible.
        reason: Why, in a word.
        detail: The same in a sentence.
        role: `result` for what has a result's name, `folder` for what may hold results.
    """

    path: str
    reason: str
    detail: str
    role: str
