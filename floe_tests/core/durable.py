"""Files that are written whole or not at all, and that outlast a crash right after."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_CHUNK_BYTES = 1024 * 1024


def write(path: Path, content: Iterable[bytes]) -> None:
    """Write a file: who reads it sees the old content or the new.

    It is written beside its place, flushed to the disk and renamed.

    Args:
        path: Where to; its folder is created.
        content: What to write, piece by piece.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    replace({path: content})


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8; see `write`."""
    write(path, [text.encode()])


def pieces_of(path: Path) -> Iterator[bytes]:
    """Yield the content of a file, to write it elsewhere."""
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def replace(files: dict[Path, Iterable[bytes]]) -> None:
    """Write files that belong together: all are on the disk before the first takes its place.

    Args:
        files: Content by path. They take their places in this order.

    Raises:
        OSError: One cannot be written; none has taken its place then.
    """
    written: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            written[path] = Path(name)
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
            # Temporary files are private; these are for everybody.
            written[path].chmod(0o644)
        for path, temporary in written.items():
            temporary.replace(path)
    except BaseException:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in written}:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Make a rename last; where a file system cannot, it is as durable as that system gets."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
