"""Which files are to be imported, and which of them are one run."""

from __future__ import annotations

import glob
import os
import shutil
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from floe_tests.core.errors import ConfigurationError
from floe_tests.results.formats import foreign, junit, unpacking
from floe_tests.results.history import bundle
from floe_tests.results.result_files import junit_files

_OF_A_CLASS = "TEST-"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """The files of one run.

    Attributes:
        paths: The files.
        root: A folder that all of them are in; messages name them by it.
        name: What they are called together.
        notices: What else lies there, a sentence each.
    """

    paths: tuple[Path, ...]
    root: Path
    name: str
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path) -> RunFiles:
        """Return a file as a run of its own."""
        name = path.name.removesuffix(".gz")
        return cls(paths=(path,), root=path.parent, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A word that names no file to import, and why."""

    path: Path
    error: ConfigurationError


def runs_of(words: Iterable[Path], *, as_one: bool = False) -> tuple[RunFiles | Unusable, ...]:
    """Return the files of each run, and the words that name none.

    A folder's JUnit files are one run, and so are those of one folder that Surefire or Gradle have
    written, one a class.

    Args:
        words: Files, folders and patterns such as `ci/**/junit.xml`, as they were named.
        as_one: Whether all JUnit files are one run. A bundle is always a run of its own.
    """
    runs: list[RunFiles] = []
    unusable: list[Unusable] = []
    by_class: dict[Path, int] = {}
    for path in (found for word in words for found in _expanded(word)):
        try:
            run = _of_folder(path) if os.path.isdir(path) else RunFiles.of(_file(path))  # noqa: PTH112 - Path's own raises for a name that is too long
        except ConfigurationError as error:
            unusable.append(Unusable(path=path, error=error))
            continue
        if run.paths == (path,) and path.name.startswith(_OF_A_CLASS):
            if path.parent in by_class:
                place = by_class[path.parent]
                runs[place] = _together([runs[place], run])
                continue
            by_class[path.parent] = len(runs)
        runs.append(run)
    if as_one:
        bundles = [run for run in runs if is_bundle(run.paths[0])]
        others = [run for run in runs if run not in bundles]
        runs = [*bundles, *([_together(others)] if others else [])]
    return (*runs, *unusable)


def is_bundle(path: Path) -> bool:
    """Whether a file is the bundle of a run, and no JUnit."""
    return bundle.is_one(path, _begin(path))


def unpacked(files: RunFiles, folder: Path) -> tuple[RunFiles, tuple[str, ...]]:
    """Copy files into a folder, without gzip around them: parsers seek, and the times stay.

    Returns:
        The copies; the files themselves where none is packed. And what is wrong with those that
        cannot be unpacked, a sentence each.
    """
    if unpacking.MAGIC not in map(_begin, files.paths):
        return files, ()
    copies: list[Path] = []
    damage: list[str] = []
    for path in files.paths:
        try:
            copies.append(_unpacked(path, folder, files.root))
        except ConfigurationError as error:
            damage.append(str(error))
    return replace(files, paths=tuple(copies), root=folder), tuple(damage)


def _begin(path: Path) -> bytes:
    """Return the first bytes of a file; none where whoever reads it will say why it cannot."""
    try:
        with path.open("rb") as file:
            return file.read(len(unpacking.MAGIC))
    except OSError:
        return b""


def _expanded(word: Path) -> Iterable[Path]:
    """Return what a pattern matches; the word itself where it is none, or matches nothing."""
    text = str(word)
    if not glob.has_magic(text) or os.path.lexists(text):
        return (word,)
    return [Path(found) for found in sorted(glob.glob(text, recursive=True))] or (word,)  # noqa: PTH207 - Path's own takes no absolute pattern


def _file(path: Path) -> Path:
    """Return a file that can be read.

    Raises:
        ConfigurationError: It is none.
    """
    problem = "is no plain file"
    try:
        if path.is_file():
            return path
        if not path.exists():
            problem = "matches no file" if glob.has_magic(str(path)) else "is not there"
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}."
        raise ConfigurationError(message) from error
    # A pipe would be empty when it is read again, and a device never ends.
    message = (
        f"{path} {problem}. Name bundles of runs, JUnit files, a folder of them or a pattern, "
        "or - for standard input."
    )
    raise ConfigurationError(message)


def _of_folder(path: Path) -> RunFiles:
    found = junit_files(path)
    packed = tuple(each.path for each in found.unread if each.is_packed_junit)
    if not found.paths and not packed:
        message = (
            f"{path} holds no JUnit file (*.xml). Name bundles of runs, JUnit files or a folder of "
            "them."
        )
        others = foreign.notices_of(found.unread)
        raise ConfigurationError(" ".join((message, *others)))
    notices = foreign.notices_of([each for each in found.unread if not each.is_packed_junit])
    if not found.is_whole:
        notices = (
            *notices,
            f"{path} has more files than are searched for JUnit; the rest is left.",
        )
    return RunFiles(
        paths=tuple(sorted((*found.paths, *packed))), root=path, name=path.name, notices=notices
    )


def _together(runs: Sequence[RunFiles]) -> RunFiles:
    if len(runs) == 1:
        return runs[0]
    paths = dict.fromkeys(path for run in runs for path in run.paths)
    root = Path(os.path.commonpath([_absolute(run.root) for run in runs]))
    return RunFiles(
        paths=tuple(sorted(map(_absolute, paths))),
        root=root,
        name=root.name if len({run.root for run in runs}) == 1 else f"{len(paths)} files",
        notices=tuple(notice for run in runs for notice in run.notices),
    )


def _absolute(path: Path) -> Path:
    """Return a path without `..` in it: its copy must not leave the folder of the copies."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path's own keeps the dots


def _unpacked(path: Path, folder: Path, root: Path) -> Path:
    place = folder / path.relative_to(root)
    place.parent.mkdir(parents=True, exist_ok=True)
    copy = place.with_name(place.name.removesuffix(".gz"))
    if copy.exists() or not copy.name:
        copy = place
    most_bytes = junit.DEFAULT_LIMITS.file_bytes
    try:
        copy.write_bytes(unpacking.content_of(path, what="a JUnit file", most_bytes=most_bytes))
        shutil.copystat(path, copy)
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path} cannot be unpacked: {error}. Copy it again from the run."
        raise ConfigurationError(message) from error
    return copy
