"""Files that may be gzipped, unpacked as far as they can be what they should be, and no further.

A few hundred bytes can unpack to gigabytes, and whoever uploads to a CI can have written them.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from floe_tests.core.errors import ConfigurationError

MAGIC = b"\x1f\x8b"

_EXPANSION = 64
_FREE_BYTES = 1024 * 1024
"""So much may come out of any file; beyond it, at most 64 times what went in."""
_CHUNK_BYTES = 256 * 1024
_PEEKED_BYTES = 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def is_expanding(content_bytes: int, packed_bytes: int) -> bool:
    """Return whether more comes out of a file than a run writes into one."""
    return content_bytes > _FREE_BYTES + _EXPANSION * packed_bytes


def is_xml(path: Path) -> bool:
    """Return whether a gzipped file holds XML; one that cannot be unpacked does not."""
    try:
        with gzip.open(path) as file:
            begin = file.read(_PEEKED_BYTES)
    except (OSError, EOFError, zlib.error):
        return False
    return begin.removeprefix(_BYTE_ORDER_MARK).lstrip().startswith(b"<")


def content_of(path: Path, *, what: str, most_bytes: int) -> bytes:
    """Return what a file holds, unpacked where it is gzipped.

    Args:
        path: The file.
        what: What it should be, in words.
        most_bytes: The most that such a thing has.

    Raises:
        OSError: It cannot be read, or is no gzip.
        EOFError: It is cut off.
        zlib.error: It is damaged.
        ConfigurationError: It holds more than that, or unpacks to many times its size.
    """
    content = bytearray()
    with path.open("rb") as file:
        is_packed = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if is_packed else file
        while piece := source.read(_CHUNK_BYTES):
            content += piece
            if len(content) > most_bytes:
                message = (
                    f"{path} holds more than {most_bytes >> 20} MiB: {what} has not as much. "
                    "Import the file that the run has written."
                )
                raise ConfigurationError(message)
            if is_packed and is_expanding(len(content), file.tell()):
                message = (
                    f"{path} unpacks to more than {_EXPANSION} times its size: {what} does not. If "
                    "you trust it, unpack it with gunzip and import what comes out."
                )
                raise ConfigurationError(message)
    return bytes(content)
