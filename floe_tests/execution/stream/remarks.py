"""What is to be said of a stream: what was lost, and what a reader should know all the same."""

from __future__ import annotations

from collections.abc import Mapping

from floe_tests.results.cases import legible

_FILE_PROBLEMS = 5


class Remarks:
    """Notices and problems of one stream, bounded in number, and legible."""

    def __init__(self, most: int) -> None:
        """Begin with none.

        Args:
            most: How many of each kind are kept.
        """
        self._most = most
        self.notices: list[str] = []
        self.problems: list[str] = []
        # Until the manifest says how far each file came in the end.
        self._cuts: dict[str, str] = {}
        # By file: whether they count depends on its role, which the manifest says.
        self._of_files: dict[str, list[str]] = {}

    @property
    def cuts(self) -> tuple[str, ...]:
        """What was said of files that were cut."""
        return tuple(self._cuts.values())

    @property
    def of_files(self) -> Mapping[str, list[str]]:
        """What befell single files, by path."""
        return self._of_files

    def note(self, text: str) -> None:
        """Add a notice."""
        if len(self.notices) < self._most:
            self.notices.append(legible(text))

    def problem(self, text: str) -> None:
        """Add a problem."""
        if len(self.problems) < self._most:
            self.problems.append(legible(text))

    def problem_of(self, path: str, text: str) -> None:
        """Add what befell a file."""
        if len(self._of_files) < self._most:
            texts = self._of_files.setdefault(path, [])
            if len(texts) < _FILE_PROBLEMS:
                texts.append(legible(text))

    def cut(self, path: str, text: str) -> None:
        """Add that a file was cut."""
        if len(self._cuts) < self._most:
            self._cuts[path] = legible(text)

    def begin_session(self) -> None:
        """Forget what the exporter says again."""
        self._cuts.clear()
