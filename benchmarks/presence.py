"""Looks for false alarms of TESTS_MISSING in the history of a repository's own tests.

    python benchmarks/presence.py [--commits 400] [--folder tests/unit]

For each commit, the tests that its files define (by their syntax tree, as pytest's default names
collect them) are compared with those of the commit before, of the fifth before and of the twentieth
before, by the rules that a run has, with no share that may be missing. The commits were honest, so
each that would be red is a false alarm.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from floe_tests.pipeline.presence import reported_in
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.presence import definitions
from floe_tests.results.presence.changes import GitChanges
from floe_tests.results.presence.compare import Baseline, GoodRun, Presence, Rules, compare
from floe_tests.results.presence.losses import PastTest

ROOT = Path(__file__).resolve().parents[1]
DISTANCES = (1, 5, 20)
_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")


@dataclass(frozen=True)
class Found:
    """What a comparison of two commits came to."""

    commit: str
    before: str
    presence: Presence

    @property
    def is_red(self) -> bool:
        """Whether a run at the commit would be TESTS_MISSING."""
        return bool(self.presence.missing)


def git(root: Path, *words: str) -> str:
    """Return what git says."""
    return subprocess.run(  # noqa: S603 - fixed words and commits
        ["git", "-C", str(root), *words],  # noqa: S607 - git from PATH, as everywhere
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout


def commits_of(root: Path, number: int, folder: str) -> Sequence[str]:
    """Return the newest commits that have the folder."""
    found = git(root, "rev-list", f"--max-count={number}", "HEAD").split()
    return [each for each in found if git(root, "ls-tree", each, f"{folder}/")]


def ancestor(root: Path, commit: str, distance: int) -> str | None:
    """Return a commit's ancestor on the line of first parents; None where there is none."""
    words = ("rev-list", "--first-parent", "--max-count=1", f"--skip={distance}", commit)
    return git(root, *words).strip() or None


def collected(root: Path, commit: str, folder: str) -> Sequence[CaseResult]:
    """Return the tests that a commit's files define, each function once."""
    cases: list[CaseResult] = []
    for line in git(root, "ls-tree", "-r", commit, f"{folder}/").splitlines():
        kind, path = line.split("\t", 1)
        if _FILE.search(path):
            cases += _cases(root, kind.split()[2], path)
    return cases


@cache
def _cases(root: Path, blob: str, path: str) -> Sequence[CaseResult]:
    module = definitions.dotted(path.removesuffix(".py"))
    found = definitions.of(git(root, "cat-file", "blob", blob), path)
    return [
        CaseResult(
            name=definitions.Place(name, classes).name_in(module),
            outcome=CaseOutcome.PASSED,
            seconds=0,
            file=path,
        )
        for classes, name in found.functions
        if name.startswith("test") and all(each.startswith("Test") for each in classes)
    ]


def compared(root: Path, number: int, folder: str) -> Iterator[Found]:
    """Compare each commit with those before it."""
    for commit in commits_of(root, number, folder):
        cases = collected(root, commit, folder)
        for distance in DISTANCES:
            before = ancestor(root, commit, distance)
            past = collected(root, before, folder) if before else ()
            if before and past:
                yield Found(commit, before, _compare(root, (before, past), (commit, cases)))


def _compare(
    root: Path, past: tuple[str, Sequence[CaseResult]], now: tuple[str, Sequence[CaseResult]]
) -> Presence:
    before, tests = past
    commit, cases = now
    return compare(
        cases,
        Baseline(
            (GoodRun(before[:8], before, "main"),),
            tuple(PastTest(case.name, case.file, 1, 1) for case in tests),
        ),
        suite="tests",
        rules=Rules(fail_above=0),
        change_of=GitChanges(root, commit, is_reported=reported_in(cases), is_clean=True),
    )


def main() -> int:
    """Print what was found; the exit code is 1 for a false alarm."""
    parser = argparse.ArgumentParser(description="False alarms of TESTS_MISSING in a history.")
    parser.add_argument("--commits", type=int, default=400)
    parser.add_argument("--folder", default="tests/unit")
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args()
    found = list(compared(options.root, options.commits, options.folder))
    red = [each for each in found if each.is_red]
    said = sum(len(each.presence.notes) for each in found)
    commits = len({each.commit for each in found})
    lines = [f"{commits} commits, {len(found)} comparisons: {said} losses told, {len(red)} red"]
    for each in red:
        lines.append(f"{each.before[:10]}..{each.commit[:10]}")
        lines += [f"  {evidence}" for evidence in each.presence.missing]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
