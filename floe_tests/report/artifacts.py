"""The files that runs have left beside a tier's page: logs, screenshots, what tests attached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from floe_tests.core import names
from floe_tests.results.records import RunRecord

RUNS = "runs"
_FILES = 80
"""Most files of a run on the page; its folder is linked as well."""
_READ = 2_000
_DEPTH = 8
# What tests wrote is there a second time, as it was received; the rest is for programs.
_PASSED_OVER = frozenset({"written"})
_FOR_PROGRAMS = frozenset({"bundle.json.gz", "events.jsonl", "collection.json", "frames.log"})


@dataclass(frozen=True)
class Artifacts:
    """What lies in a tier's output folder.

    Attributes:
        folder: The folder of the tier's newest results; None to look for nothing.
    """

    folder: Path | None = None

    def of(self, run: RunRecord) -> list[str]:
        """Return a run's files, as paths from the tier's page; none where its folder is gone."""
        if self.folder is None or not names.is_name("run id", run.run_id):
            return []
        begin = self.folder / RUNS / run.run_id
        if begin.is_symlink():
            return []
        found = islice(_files(begin), _READ)
        paths = sorted(
            (path.relative_to(self.folder).as_posix() for path in found),
            key=lambda path: (path.count("/"), path),
        )
        return [path for path in paths if _is_text(path)][:_FILES]


def _is_text(path: str) -> bool:
    """Return whether a page can name it: a file's name may be any bytes."""
    return path.isprintable()


def _files(folder: Path) -> Iterator[Path]:
    begin = len(folder.parts)
    for place, folders, files in os.walk(folder):
        inside = Path(place)
        folders[:] = sorted(
            name for name in folders if not (name.startswith(".") or name in _PASSED_OVER)
        )
        if len(inside.parts) - begin >= _DEPTH:
            folders.clear()
        for name in files:
            path = inside / name
            if not (name.startswith(".") or name in _FOR_PROGRAMS or path.is_symlink()):
                yield path
