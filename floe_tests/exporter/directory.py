"""Look at files beneath a directory that somebody else writes, without leaving it by a link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator

from .settings import LINKS

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

NO_DIRECTORY = -1

FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Found(NamedTuple):
    """A regular file below the directory, or something that is refused, with the reason.

    Attributes:
        path: Its path below the directory.
        source: The path of the file to read: of a link, what it points at.
        refusal: Why it is not sent, in a word; empty when it is.
        detail: The same in a sentence.
        size: Its size.
        stamp: What changes with its content.
    """

    path: str
    source: str = ""
    refusal: str = ""
    detail: str = ""
    size: int = 0
    stamp: tuple[int, int, int, int] = (0, 0, 0, 0)


def stamp_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """Tell what changes when a file is replaced or written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def open_beneath(root: int, path: str) -> int:
    """Open a file below a directory, following no link in any component.

    Raises:
        OSError: It is not there, is not readable, or a component is a link.
    """
    with parent_of(root, path) as (parent, name):
        return os.open(name, FILE_FLAGS, dir_fd=parent)


def read_beneath(root: int, path: str, *, offset: int, size: int) -> bytes:
    """Read a part of a regular file below a directory; empty when there is none."""
    try:
        descriptor = open_beneath(root, path)
    except OSError:
        return b""
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.pread(descriptor, size, offset) if regular else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def parent_of(root: int, path: str) -> Generator[tuple[int, str], None, None]:
    """Open the directory that holds a path, following no link, and name the path in it.

    Raises:
        OSError: It is not there, is not readable, or is a link.
    """
    *folders, name = path.split("/")
    with contextlib.ExitStack() as opened:
        parent = root
        for folder in folders:
            parent = os.open(folder, DIRECTORY_FLAGS, dir_fd=parent)
            opened.callback(os.close, parent)
        yield parent, name


def look(root: int, path: str) -> Found | None:
    """Look at one regular file below a directory; None when there is none."""
    try:
        with parent_of(root, path) as (parent, name):
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return None
    return regular(path, path, status) if stat.S_ISREG(status.st_mode) else None


def regular(path: str, source: str, status: os.stat_result) -> Found:
    """Describe a regular file."""
    return Found(path, source, size=status.st_size, stamp=stamp_of(status))


def target_of(root: int, path: str, *, results: str) -> str:
    """Follow links as far as they stay below a directory.

    Args:
        root: The directory.
        path: A path below it.
        results: The directory's own path: links of the tests may be absolute.

    Returns:
        A path below it without links.

    Raises:
        OSError: A link leads out of the directory, nowhere, or in circles; the text says which.
    """
    tops = {os.path.normpath(results), os.path.realpath(results)}
    done: list[str] = []
    rest = path.split("/")
    links = 0
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                raise OSError(errno.EXDEV, "a symbolic link leads out of the results")
            done.pop()
            continue
        target = link_target(root, "/".join([*done, part]))
        if target is None:
            done.append(part)
            continue
        links += 1
        if links > LINKS:
            raise OSError(errno.ELOOP, "a symbolic link leads in circles")
        if target.startswith("/"):
            absolute = os.path.normpath(target)
            below = [top for top in tops if f"{absolute}/".startswith(f"{top}/")]
            if not below:
                raise OSError(errno.EXDEV, "a symbolic link leads out of the results")
            done, target = [], absolute[len(below[0]) :]
        rest[:0] = target.split("/")
    return "/".join(done)


def link_target(root: int, path: str) -> str | None:
    """Read a link below a directory; None for what is none.

    Raises:
        OSError: There is nothing.
    """
    try:
        with parent_of(root, path) as (parent, name):
            return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise OSError(error.errno, "a symbolic link leads nowhere") from error
