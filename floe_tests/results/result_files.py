"""Which of the received files are results, and which of them are earlier versions.

What counts as a result is the exporter's to say (`floe_tests.exporter`): its list is used here, so
that nothing is read that would not have been missed, and nothing missed that would have been read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from floe_tests.exporter import results as exported
from floe_tests.exporter.results import RESULT_FILES, ROOT_BYTES, is_named_like_result, is_xml
from floe_tests.results.formats.foreign import Unread, looked_into

REPLACED = ".replaced"
"""Folder of what result files held before they were replaced: `.replaced/<version>/<path>`."""
BESIDE = ".beside"
"""Folder of files whose place was taken: `.beside/<number>/<path>`."""

MOST_ENTRIES = 200_000
"""Names that are looked at. The stream takes in 24,000 files, and each may have a folder."""


@dataclass(frozen=True, slots=True)
class Found:
    """The JUnit files of a folder.

    Attributes:
        paths: The files, sorted.
        is_whole: Whether all of the folder was looked at.
        unread: Other files that hold results.
    """

    paths: tuple[Path, ...]
    is_whole: bool
    unread: tuple[Unread, ...] = ()


def junit_files(directory: Path) -> Found:
    """Find the JUnit files of a folder and its subfolders; no link is followed."""
    found: list[Path] = []
    unread: list[Unread] = []
    is_whole = True
    for number, path in enumerate(_files(directory)):
        if number >= MOST_ENTRIES:
            is_whole = False
            break
        name = path.relative_to(directory).as_posix()
        if not is_plain_file(path):
            continue
        if is_xml(name) and _may_be_result(path, name):
            found.append(path)
        elif name not in RESULT_FILES and (other := looked_into(path, name)):
            unread.append(other)
    return Found(tuple(sorted(found)), is_whole, tuple(unread))


def is_result(path: Path, name: str) -> bool:
    """Whether a received file is a result.

    Args:
        path: Where it is.
        name: Its path in the pod.

    Raises:
        OSError: It cannot be read.
    """
    if not is_xml(name):
        return name in RESULT_FILES
    with path.open("rb") as file:
        return exported.is_result(name, file.read(ROOT_BYTES))


def _may_be_result(path: Path, name: str) -> bool:
    try:
        return is_result(path, name)
    except OSError:
        # Whoever reads it says why it cannot be read.
        return is_named_like_result(name)


def versions(directory: Path) -> tuple[Path, ...]:
    """Return the folders of replaced result files, oldest first; each is laid out as a whole."""
    folder = directory / REPLACED
    if folder.is_symlink() or not folder.is_dir():
        return ()
    numbered = [path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()]
    return tuple(sorted(numbered, key=lambda path: int(path.name)))


def is_plain_file(path: Path) -> bool:
    """Whether there is a regular file and no link."""
    return path.is_file() and not path.is_symlink()


def _files(directory: Path) -> Iterator[Path]:
    for parent, directories, names in os.walk(directory):
        if Path(parent) == directory and REPLACED in directories:
            directories.remove(REPLACED)
        directories.sort()
        for name in sorted(names):
            yield Path(parent, name)
