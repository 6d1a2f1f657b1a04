"""Lines of the exporter's log, believed only when they prove themselves, and their fields."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import zlib
from dataclasses import dataclass, field
from typing import cast

PROTOCOL_VERSION = 1
_KIB = 1024
_MIB = 1024 * _KIB
_FRAME_START = b'{"floe":'
_CHECKSUM_START = b',"checksum":"'
_CHECKSUM_DIGITS = 32
_TIMESTAMP_BYTES = 40


@dataclass(frozen=True)
class StreamLimits:
    """What a stream may cost at most; what exceeds it is refused, not stored.

    Attributes:
        line_bytes: Longest line that is looked at.
        chunk_bytes: Most content of one frame, unpacked.
        file_bytes: Largest file.
        total_bytes: Most content of one session, repeated generations included.
        files: Most files that may be results.
        attachments: Most other files.
        path_bytes: Longest path, in bytes of UTF-8.
        frames: Highest frame number.
        waiting_bytes: Most lines, in bytes, that wait on disk for an earlier one.
        notices: Most notices that are kept.
        manifest_bytes: Largest manifest.
        sessions: How often the exporter may start.
        replaced: Most earlier versions of result files that are kept.
        replaced_bytes: Most bytes of these.
    """

    line_bytes: int = 16 * _KIB
    chunk_bytes: int = 64 * _KIB
    file_bytes: int = 64 * _MIB
    total_bytes: int = 256 * _MIB
    files: int = 22_000
    attachments: int = 2000
    path_bytes: int = 512
    frames: int = 4_000_000
    waiting_bytes: int = 512 * _MIB
    notices: int = 1000
    manifest_bytes: int = 16 * _MIB
    sessions: int = 20
    replaced: int = 22_000
    replaced_bytes: int = 256 * _MIB


class BadFrameError(Exception):
    """A frame that cannot be used."""

    def __init__(self, *, reason: str) -> None:
        """Keep the reason, as a part of a sentence."""
        super().__init__(reason)


@dataclass(frozen=True)
class Frame:
    """A believed line: its number in a session, its type, and fields still to be checked."""

    session: str
    number: int
    type: str
    fields: dict[str, object] = field(repr=False)

    def integer(self, name: str) -> int:
        """Read a whole number that is not negative.

        Raises:
            BadFrameError: The field is anything else.
        """
        value = self.fields.get(name)
        if type(value) is not int or value < 0:
            raise BadFrameError(reason=f"{name} is no number")
        return value

    def text(self, name: str) -> str:
        """Read a text.

        Raises:
            BadFrameError: The field is anything else.
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise BadFrameError(reason=f"{name} is no text")
        return value


@dataclass(frozen=True)
class Place:
    """Where content belongs: so many bytes of a generation of a file."""

    path: str
    generation: int
    offset: int
    size: int


def without_timestamp(raw: bytes) -> bytes:
    """Take away what Kubernetes puts before a line when it is asked for timestamps."""
    if raw[:1].isdigit():
        start = raw.find(b" ", 0, _TIMESTAMP_BYTES)
        return raw[start + 1 :] if start > 0 else raw
    return raw


def decode(raw: bytes, key: bytes, limits: StreamLimits) -> Frame | None:
    """Read a line; None when it is no frame.

    Raises:
        BadFrameError: It is meant to be a frame, and cannot be believed.
    """
    if not raw.startswith(_FRAME_START):
        return None
    if len(raw) > limits.line_bytes:
        raise BadFrameError(reason=f"a line of {len(raw)} bytes")
    head, marker, tail = raw.rpartition(_CHECKSUM_START)
    checksum = hmac.new(key, head, "sha256").hexdigest()[:_CHECKSUM_DIGITS]
    if not marker or not hmac.compare_digest(tail, checksum.encode() + b'"}'):
        raise BadFrameError(reason="the checksum does not fit")
    fields = json_object(head + b"}")
    if fields is None:
        raise BadFrameError(reason="no JSON object")
    version = fields.get("floe")
    if version != PROTOCOL_VERSION:
        raise BadFrameError(
            reason=f"protocol version {version!r}, this side knows {PROTOCOL_VERSION}"
        )
    frame = Frame("", 0, "", fields)
    frame = Frame(frame.text("session"), frame.integer("number"), frame.text("type"), fields)
    if not frame.session or frame.number > limits.frames:
        raise BadFrameError(reason="no session, or a number beyond the limit")
    return frame


def json_object(content: bytes) -> dict[str, object] | None:
    """Read a JSON object; None when it is none."""
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", document) if isinstance(document, dict) else None


def content_of(frame: Frame, limits: StreamLimits) -> bytes:
    """Unpack a frame's content, and never more of it than was announced.

    Raises:
        BadFrameError: It is damaged, or not what was announced.
    """
    size = frame.integer("size")
    if size > limits.chunk_bytes:
        raise BadFrameError(reason=f"{size} bytes in one frame")
    unpacker = zlib.decompressobj()
    try:
        packed = base64.b64decode(frame.text("body"), validate=True)
        # One byte more than announced tells a bomb without unpacking it; 0 would mean no limit.
        content = unpacker.decompress(packed, size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise BadFrameError(reason=f"the content cannot be unpacked: {error}") from error
    if len(content) != size or not unpacker.eof:
        raise BadFrameError(reason="the content has another size than announced")
    return content


def place_of(frame: Frame, limits: StreamLimits) -> Place:
    """Read where a frame's content belongs.

    Raises:
        BadFrameError: It belongs nowhere in the directory.
    """
    path = frame.text("path")
    if problem := path_problem(path, limits):
        raise BadFrameError(reason=problem)
    # A `replaced` frame begins a file again, and so has neither place nor size.
    has_place = frame.type != "replaced"
    return Place(
        path,
        frame.integer("generation"),
        frame.integer("offset") if has_place else 0,
        frame.integer("size") if has_place else 0,
    )


def path_problem(path: str, limits: StreamLimits) -> str:
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
