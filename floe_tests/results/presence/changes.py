"""What the repository says of a test that is gone: whether a commit took it out of its file.

Only commits speak. A clone with uncommitted changes, one that lacks a commit, or an unknown commit
says nothing, and the reason is told.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

from floe_tests.core.deadline import Deadline
from floe_tests.results.presence import definitions
from floe_tests.results.presence.compare import Change, GoodRun
from floe_tests.results.presence.definitions import Place
from floe_tests.results.presence.losses import Loss

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_GIT_SECONDS = 10.0
_ALL_SECONDS = 30.0
_SHOWN = 10


class _Unknown(Exception):  # noqa: N818 - an answer, and no error
    """Why the repository says nothing."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file at a good run's commit, and what became of it.

    Attributes:
        path: Where it was.
        status: git's letter: `M`, `D`, `R`, ...; empty where it is as it was.
        now: Where it is at the commit under test; None where it is not.
    """

    path: str
    status: str
    now: str | None


class GitChanges:
    """Asks git, once for each commit and file."""

    def __init__(
        self,
        root: Path,
        commit: str | None,
        *,
        is_reported: Callable[[str], bool],
        is_clean: bool = False,
    ) -> None:
        """Take a clone; nothing is asked yet.

        Args:
            root: A folder in it: the project's.
            commit: The commit under test; None or `unknown` where nobody knows it.
            is_clean: Whether only commits are compared, whatever stands in the folder.
            is_reported: Returns whether the suite reported tests of a module or class, by name.
        """
        self._root = root
        self._commit = commit or ""
        self._is_reported = is_reported
        self._is_clean = is_clean
        self._clock = Deadline(_ALL_SECONDS)
        self._diff = cache(self._diff_of)
        self._tree = cache(self._tree_of)
        self._definitions = cache(self._definitions_of)

    def __call__(self, loss: Loss, run: GoodRun) -> Change:
        """Return what became of a lost function since a good run."""
        try:
            return self._change(loss, run.commit or "")
        except _Unknown as unknown:
            return Change("unknown", str(unknown))

    def _change(self, loss: Loss, since: str) -> Change:
        if self._problem:
            raise _Unknown(self._problem)
        self._require(since, "the good run's commit")
        files = [self._file(path, since) for path in self._paths(loss, since)]
        if not files:
            where = loss.file or "its file"
            raise _Unknown(f"{where} is not in the repository at {since[:_SHOWN]}")
        if loss.kind != "gone":
            return _by_file(files, since)
        found = [self._of_file(each, loss, since) for each in files]
        order = ("removed", "kept", "changed")
        return min(found, key=lambda each: order.index(each.kind))

    @cached_property
    def _problem(self) -> str:
        """Why the repository cannot say anything; empty when it can."""
        try:
            self._git("rev-parse", "--is-inside-work-tree")
        except _Unknown:
            return f"{self._root} is no clone of a repository"
        try:
            self._require(self._commit, "the commit under test")
            if not self._is_clean and self._git("status", "--porcelain", "--untracked-files=no"):
                return "the clone has uncommitted changes, and only commits count"
        except _Unknown as unknown:
            return str(unknown)
        return ""

    def _require(self, commit: str, name: str) -> None:
        if not _COMMIT.fullmatch(commit):
            raise _Unknown(f"{name} is unknown")
        if not self._has(commit):
            shallow = self._git("rev-parse", "--is-shallow-repository").strip() == "true"
            why = ", which is shallow: fetch its whole history" if shallow else ""
            raise _Unknown(f"{name}, {commit[:_SHOWN]}, is not in this clone{why}")

    def _has(self, commit: str) -> bool:
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except _Unknown:
            return False
        return True

    def _paths(self, loss: Loss, since: str) -> list[str]:
        """Return the files that a test is in: as it was reported, and as its name says."""
        tree = self._tree(since)
        reported = _placed(loss.file or "", tree, self._prefix)
        named = (_placed(path, tree, self._prefix) for path in definitions.files_of(loss.function))
        by_name = next((path for path in named if path is not None), None)
        return list(dict.fromkeys(path for path in (reported, by_name) if path is not None))

    def _file(self, path: str, since: str) -> _File:
        status, now = self._diff(since).get(path, ("", path))
        return _File(path, status, now)

    def _of_file(self, file: _File, loss: Loss, since: str) -> Change:
        """Return what became of a function in one file."""
        at = since[:_SHOWN]
        if not file.status:
            return Change("kept", f"{file.path} has not changed since {at}")
        if file.now is None:
            return Change("removed", f"{file.path} was deleted after {at}")
        place = Place.of(loss.function, file.path)
        before = self._definitions(since, file.path)
        after = self._definitions(self._commit, file.now)
        if file.now != file.path and self._is_moved_away(file):
            return Change("removed", f"{file.path} was moved to {file.now} after {at}")
        kept = self._kept(place, before, after, file)
        if kept:
            return Change("kept", kept)
        if before.has(place):
            return Change("removed", f"it was taken out of {file.path} after {at}")
        return Change("changed", f"{file.path} changed after {at}")

    def _kept(
        self,
        place: Place,
        before: definitions.Definitions,
        after: definitions.Definitions,
        file: _File,
    ) -> str:
        """Say where a function still is, though it reported nothing; empty where it is not."""
        if before.has(place) and after.has(place):
            return f"it is still in {file.now}"
        module = definitions.dotted((file.now or "").rpartition(".")[0], self._prefix)
        for other in sorted(after.others_like(place) - before.others_like(place), key=str):
            if not self._is_reported(other.name_in(module)):
                where = ".".join(other.classes) or "the module itself"
                return f"it is still in {file.now}, in {where}, and did not report"
        twice = after.twice(place) - before.twice(place)
        if twice and before.has(place):
            return f"{file.now} defines {min(twice)} twice, and only the last of them runs"
        return ""

    def _is_moved_away(self, file: _File) -> bool:
        """Return whether a file went where this suite has no tests: to another suite's folder."""
        old, new = PurePosixPath(file.path).parent, PurePosixPath(file.now or "").parent
        return old != new and not self._is_reported(definitions.dotted(str(new), self._prefix))

    # --- git

    @cached_property
    def _prefix(self) -> str:
        """The project's folder in the repository, with its final slash; empty at the top."""
        return self._git("rev-parse", "--show-prefix").strip()

    def _diff_of(self, since: str) -> Mapping[str, tuple[str, str | None]]:
        words = self._git(
            "diff", "--name-status", "--no-relative", "-M", "-z", since, self._commit, "--"
        )
        fields = iter(words.split("\0"))
        found: dict[str, tuple[str, str | None]] = {}
        for status in fields:
            if not status:
                continue
            path = next(fields)
            if status[0] in "RC":
                new = next(fields)
                if status[0] == "R":
                    found[path] = "R", new
            else:
                found[path] = status[0], None if status[0] == "D" else path
        return found

    def _tree_of(self, commit: str) -> Mapping[str, tuple[str, ...]]:
        """Return a commit's files by their last name."""
        paths = self._git("ls-tree", "-r", "--name-only", "--full-tree", "-z", commit)
        found: dict[str, tuple[str, ...]] = {}
        for path in paths.split("\0"):
            name = path.rpartition("/")[2]
            found[name] = (*found.get(name, ()), path)
        return found

    def _definitions_of(self, commit: str, path: str) -> definitions.Definitions:
        return definitions.of(self._git("cat-file", "blob", f"{commit}:{path}"), path)

    def _git(self, *words: str) -> str:
        try:
            return subprocess.run(  # noqa: S603 - fixed words, commits of hex digits, git's paths
                ["git", "-C", str(self._root), *words],  # noqa: S607 - git from PATH, as everywhere
                check=True,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=max(0.1, min(_GIT_SECONDS, self._clock.remaining_seconds)),
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            ).stdout
        except subprocess.CalledProcessError as error:
            said = str(error.stderr).strip().splitlines()
            raise _Unknown(f"git {words[0]}: {said[-1] if said else 'failed'}") from error
        except (OSError, subprocess.SubprocessError) as error:
            raise _Unknown(f"git {words[0]}: {error}") from error


def _by_file(files: list[_File], since: str) -> Change:
    changed = [each for each in files if each.status]
    if not changed:
        return Change("kept", f"{files[0].path} has not changed since {since[:_SHOWN]}")
    return Change("changed", f"{changed[0].path} changed after {since[:_SHOWN]}")


def _placed(path: str, tree: Mapping[str, tuple[str, ...]], prefix: str) -> str | None:
    """Return where a path of a test image is in the repository; None where it is not.

    In the project's folder, or, for an image whose root is another folder, wherever one file alone
    ends like it.
    """
    paths = tree.get(path.rpartition("/")[2], ()) if path else ()
    if f"{prefix}{path}" in paths:
        return f"{prefix}{path}"
    like = [each for each in paths if each == path or each.endswith(f"/{path}")]
    return like[0] if len(like) == 1 else None
