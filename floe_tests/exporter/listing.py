"""One look at the whole directory: what may be sent, and what is refused with the reason."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

from .directory import (
    DIRECTORY_FLAGS,
    Found,
    look,
    regular,
    target_of,
)
from .results import (
    RESULT_FILES,
    SESSIONS_FILE,
    is_named_like_result,
    is_xml,
)
from .settings import DEPTH, ENTRIES, NAME_BYTES


class Listing:
    """One look at what is below a directory, without leaving it."""

    def __init__(self, root: int, *, results: str, wants: Callable[[str], bool]) -> None:
        """Prepare to look.

        Args:
            root: The directory.
            results: Its path.
            wants: Whether there is room for an attachment of this path.
        """
        self.is_whole = True
        self._root = root
        self._results = results
        self._wants = wants
        self._entries = 0

    def walk(self) -> Iterator[Found]:
        """List files, and what is none."""
        return self._walk(self._root, "", 0)

    def _walk(self, directory: int, prefix: str, depth: int) -> Iterator[Found]:
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    self._entries += 1
                    if self._entries > ENTRIES:
                        self.is_whole = False
                        return
                    yield from self._entry(directory, entry, prefix + entry.name, depth)
        except FileNotFoundError:
            return  # It went between the listing and the look.
        except OSError as error:
            yield Found(prefix[:-1], "", "folder", os.strerror(error.errno or 0))

    def _entry(
        self, directory: int, entry: os.DirEntry[str], path: str, depth: int
    ) -> Iterator[Found]:
        """Look at one entry. Most names say enough: a million files are not asked for more."""
        if path == SESSIONS_FILE:
            return
        try:
            if entry.is_dir(follow_symlinks=False):
                if is_named_like_result(path):
                    yield Found(path, "", "directory", "a folder has the name of a result file")
                yield from self._descend(directory, entry.name, path, depth)
            elif not is_candidate(path) and not self._wants(path):
                yield Found(path, "", "too_many_files")
            elif entry.is_symlink():
                yield from self._link(path)
            else:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    yield regular(path, path, status)
                else:
                    yield Found(path, "", *kind_refusal(status.st_mode))
        except FileNotFoundError:
            return  # It went between the listing and the look.
        except OSError as error:
            yield Found(path, "", "unreadable", os.strerror(error.errno or 0))

    def _descend(self, parent: int, name: str, path: str, depth: int) -> Iterator[Found]:
        if depth + 1 >= DEPTH:
            yield Found(path, "", "folder", f"directories below {DEPTH} levels are left out")
            return
        try:
            directory = os.open(name, DIRECTORY_FLAGS, dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as error:
            yield Found(path, "", "folder", os.strerror(error.errno or 0))
            return
        try:
            yield from self._walk(directory, path + "/", depth + 1)
        finally:
            os.close(directory)

    def _link(self, path: str) -> Iterator[Found]:
        """Follow a link that may be a result to a file that is below the directory as well."""
        try:
            target = target_of(self._root, path, results=self._results)
        except OSError as error:
            yield Found(path, "", *dead_link_refusal(path, error.strerror or ""))
            return
        if not is_candidate(path):
            yield Found(path, "", "symlink", "a symbolic link is not followed")
            return
        found = look(self._root, target)
        if found is None:
            yield Found(path, "", "symlink", "a symbolic link leads to what is no regular file")
        elif not is_named_like_result(target) and (
            is_named_like_result(path) or not is_candidate(target)
        ):
            # A target that has a result's name itself is sent by that name.
            yield found._replace(path=path)


def dead_link_refusal(path: str, detail: str) -> tuple[str, str]:
    """Say what a link is that leads to nothing in the directory, and how it is told.

    What it leads to may be in the tests' container: `reports` may be a folder of results.
    """
    if is_candidate(path):
        return "symlink", detail
    name = path.rsplit("/", 1)[-1]
    if "." not in name and is_named_like_result(f"{name}.xml"):
        return "folder", detail
    return "symlink", "a symbolic link is not followed"


def is_candidate(path: str) -> bool:
    """Whether a file is looked at even where attachments have no more room."""
    return is_xml(path) or path in RESULT_FILES


def legible_path(path: str, *, path_bytes: int) -> str:
    """Return a path as it is sent: UTF-8, without control characters, and short enough to store.

    Args:
        path: The path below the directory.
        path_bytes: Longest path.
    """
    parts = [_legible_name(part) for part in path.split("/")]
    whole = "/".join(parts)
    if len(whole.encode("utf-8")) <= path_bytes:
        return whole
    return f"~{_short_digest(path)}/{parts[-1]}"


def _legible_name(name: str) -> str:
    raw = os.fsencode(name)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raw = b"".join(b"%%%02X" % byte if byte > 126 else bytes([byte]) for byte in raw)  # noqa: PLR2004 - not ASCII
    raw = re.sub(rb"[\x00-\x1f\x7f]", lambda match: b"%%%02X" % match.group()[0], raw)
    if len(raw) > NAME_BYTES:
        stem, dot, suffix = raw.rpartition(b".")
        ending = dot + suffix if len(suffix) < 20 and stem else b""  # noqa: PLR2004 - a suffix, not a sentence
        digest = f"~{_short_digest(name)}".encode("ascii")
        raw = raw[: NAME_BYTES - len(digest) - len(ending)] + digest + ending
    return raw.decode("utf-8", "ignore")


def _short_digest(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def kind_refusal(mode: int) -> tuple[str, str]:
    """Name what is neither a file nor a directory."""
    if stat.S_ISLNK(mode):
        return "symlink", "a symbolic link is not followed"
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    kind = next((text for test, text in kinds if test(mode)), "a device")
    return "not_regular", f"{kind} is not a regular file"
