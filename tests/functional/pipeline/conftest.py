"""Suites that really run on this machine: process, exporter, receiver, verdict and history."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.published import PublishedRun
from floe_tests.pipeline.run import TierRun

HERE = Path(__file__).parent
# The programs of the large suites are modules beside the tests, and import one another.
sys.path.insert(0, str(HERE))

# What every suite begins with: where its results go, and honest results to spoil.
PROLOGUE = f"""
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
import fifty_thousand_tests as large
results = Path(os.environ["FLOE_RESULTS_DIR"])
junit, events, collection = (
    results / name for name in ("junit.xml", "events.jsonl", "collection.json")
)
"""


@dataclass
class Suites:
    """Runs suites in a folder of their own, and keeps what they logged."""

    root: Path
    log: list[str] = field(default_factory=list)
    default_branch: str = "main"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def history_url(self) -> str:
        return f"sqlite:///{self.root / 'history.db'}"

    def run(self, code: str, **settings: object) -> PublishedRun:
        """Run a suite that is a Python program, from its first stage to the history."""
        program = self.root / "suite.py"
        program.write_text(PROLOGUE + textwrap.dedent(code), encoding="utf-8")
        return self.run_command(["python", str(program)], **settings)

    def run_command(self, command: list[str], **settings: object) -> PublishedRun:
        """Run a suite by its command, from its first stage to the history."""
        tier = TierSettings.model_validate(
            {
                "name": "small",
                "description": "A tier of one suite.",
                "environments": ["local"],
                "suites": [{"name": "suite", "command": command}],
                "deadlines": {"tests_seconds": 100, "pod_seconds": 300, "job_seconds": 400},
                **settings,
            }
        )
        workspace = Workspace(
            root=self.root,
            output=self.output,
            home=self.root / "home",
            history_url=self.history_url,
            ref="refs/heads/small",
            default_branch=self.default_branch,
            commit="0" * 40,
        )
        run = TierRun(
            settings=tier, workspace=workspace, run_id=str(uuid.uuid4()), log=self.log.append
        )
        with run.stage("cluster"):
            run.acquire()
        try:
            # Whoever is interrupted publishes what there is, as Dagster's session does.
            with contextlib.suppress(KeyboardInterrupt), run.stage("test_job"):
                run.run_suites()
            return publish(run.state())
        finally:
            run.give_back()


@pytest.fixture
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suites:
    """Return a folder to run suites in."""
    # These tests run inside a tier's run too, whose variables are not theirs.
    for name in os.environ:
        if name.startswith(("FLOE_", "GITHUB_", "PYTEST_ADDOPTS")):
            monkeypatch.delenv(name)
    return Suites(tmp_path)


@pytest.fixture
def received() -> Callable[[PublishedRun], Path]:
    """Return the function that names the folder of a run's received files."""
    return lambda published: published.directory / "suite-1" / "results"
