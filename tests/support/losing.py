"""A small project with a repository, whose suite runs in real pytest sessions and is judged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.config import quarantine
from floe_tests.config.removals import NOTHING, Removals
from floe_tests.core.verdict import Verdict
from floe_tests.execution.attempt import Attempt, Timings, judge
from floe_tests.execution.stream import Completeness
from floe_tests.execution.verdict.facts import ContainerFacts, Facts, PodFacts
from floe_tests.pipeline.presence import reported_in
from floe_tests.pipeline.verdicts import verdict_of
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.collate import collate
from floe_tests.results.presence.changes import GitChanges
from floe_tests.results.presence.compare import Baseline, GoodRun, Presence, Rules, compare
from floe_tests.results.presence.losses import PastTest

COMPLETE = Completeness(complete=True, problems=(), notices=(), missing=(), verified=())
CORE = "import pytest\n\npytestmark = pytest.mark.core\n\n"
FILES = {
    "pytest.ini": "[pytest]\nmarkers = core\ntestpaths = tests more\n",
    "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef service():\n    return 1\n",
    "tests/test_alpha.py": CORE
    + "def test_a(): pass\n\ndef test_b(): pass\n\n"
    + "class TestBox:\n    def test_in(self): pass\n    def test_out(self): pass\n",
    "tests/test_many.py": CORE
    + 'VALUES = [1, 2, 3, 4]\n\n@pytest.mark.parametrize("value", VALUES)\n'
    + "def test_value(value): pass\n",
    "tests/test_served.py": CORE
    + "def test_asks(service): pass\n\ndef test_tells(service): pass\n",
    "tests/test_remote.py": "import os\n\n"
    + CORE
    + 'needs_net = pytest.mark.skipif("OFFLINE" in os.environ, reason="no network")\n\n'
    + "@needs_net\ndef test_far(): pass\n\n@needs_net\ndef test_farther(): pass\n",
    "tests/folder/test_deep.py": CORE + "def test_deep(): pass\n\ndef test_deeper(): pass\n",
    "more/test_more.py": CORE + "def test_more(): pass\n",
    "generated.py": "import pytest\n\n"
    "class Made(pytest.Item):\n    def runtest(self): pass\n\n"
    "class Cases(pytest.File):\n    def collect(self):\n"
    "        for line in self.path.read_text().split():\n"
    "            made = Made.from_parent(self, name=line)\n"
    "            made.add_marker(pytest.mark.core)\n            yield made\n\n"
    "def pytest_collect_file(file_path, parent):\n"
    '    if file_path.suffix == ".cases":\n'
    "        return Cases.from_parent(parent, path=file_path)\n",
    "tests/some.cases": "one two three",
    # So many that one test is less than 5 % of them.
    "tests/test_filler.py": CORE + "\n".join(f"def test_f{n}(): pass" for n in range(80)) + "\n",
}
WORDS = ("-m", "core", "-p", "generated")


@dataclass
class Project:
    """A checkout of the project, and what its suite did."""

    root: Path

    @classmethod
    def create(cls, root: Path) -> Project:
        """Return a project whose suite is whole, committed."""
        project = cls(root)
        root.mkdir()
        project.git("init", "--quiet", "--initial-branch=main")
        for name, text in FILES.items():
            project.write(name, text)
        project.commit()
        return project

    def copy(self, root: Path) -> Project:
        shutil.copytree(self.root, root)
        return Project(root)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", *identity, *words],
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.root)},
        ).stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def run(self, results: Path, *words: str, base: Sequence[str] = WORDS, **more: str) -> Attempt:
        """Run the suite in a pytest of its own, and judge it."""
        results.mkdir(parents=True)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", *base, *words),
                *(f"--junitxml={results}/junit.xml", f"--report-log={results}/events.jsonl"),
            ],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "FLOE_RESULTS_DIR": str(results),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_PLUGINS": "floe_tests_pytest,pytest_reportlog.plugin",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(self.root),
                **more,
            },
            capture_output=True,
            check=False,
        )
        ended = ContainerFacts("tests", "terminated", exit_code=done.returncode)
        facts, verdict = judge(
            Facts("process/suite", pod=PodFacts("suite", "Succeeded", test=ended)),
            directory=results,
            completeness=COMPLETE,
        )
        now = datetime.now(UTC)
        return Attempt("suite", 1, results.parent, now, facts, verdict, Timings(total=1))


@dataclass(frozen=True)
class Judged:
    """A suite that was compared with the whole one."""

    verdict: Verdict
    presence: Presence

    @property
    def named(self) -> str:
        """All that a reader of verdict and notes sees."""
        evidence = (*self.verdict.evidence, *self.presence.missing, *self.presence.notes)
        return "\n".join(str(each) for each in evidence)


def baseline_of(*runs: Sequence[CaseResult], commit: str | None = None) -> Baseline:
    """Return what the history would say of runs, newest first."""
    seen: dict[str, PastTest] = {}
    for bit, cases in enumerate(runs):
        for case in cases:
            before = seen.get(case.name, PastTest(case.name, case.file, 0, 0))
            ran = 0 if case.outcome is CaseOutcome.SKIPPED else 1 << bit
            seen[case.name] = before._replace(seen=before.seen | 1 << bit, ran=before.ran | ran)
    good = tuple(GoodRun(f"good-{bit}", commit, "main") for bit in range(len(runs)))
    return Baseline(good, tuple(seen.values()))


def judged(
    project: Project,
    attempt: Attempt,
    baseline: Baseline,
    *,
    rules: Rules | None = None,
    removals: Removals = NOTHING,
    commit: str | None = None,
) -> Judged:
    """Judge an attempt against a baseline, as a run does."""
    results = collate(attempt.directory / "results")
    presence = compare(
        results.cases,
        baseline,
        suite="suite",
        rules=rules or Rules(),
        removals=removals,
        change_of=GitChanges(
            project.root, commit or project.head, is_reported=reported_in(results.cases)
        ),
        deselected=results.deselected,
    )
    return Judged(verdict_of([attempt], quarantine.NOTHING, presence=presence), presence)
