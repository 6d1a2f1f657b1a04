"""`dagster job execute` as a user or a CI runs it: a project on disk, a process, its exit code."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import dagster as dg
import yaml

from floe_tests.config.project import Workspace
from floe_tests.pipeline.entries import entries_of
from floe_tests.pipeline.summary import Summary
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord
from tests.support.project import DEFINITIONS, PYPROJECT

ROOT = Path(__file__).resolve().parents[2]

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Place:
    """Where a process of Dagster keeps what it makes, so that it is this test's alone.

    Attributes:
        home: Its DAGSTER_HOME; the lease of every run and the history are in it.
        output: Its FLOE_TESTS_OUTPUT.
    """

    home: Path
    output: Path

    @classmethod
    def below(cls, folder: Path) -> Place:
        """Make one, with the project's own dagster.yaml."""
        place = cls(folder / "home", folder / "output")
        place.home.mkdir(parents=True)
        shutil.copy(ROOT / "dagster_home" / "dagster.yaml", place.home)
        # Dagster creates its tables on first use, and two processes at once would both try.
        dg.DagsterInstance.from_config(str(place.home)).dispose()
        return place


def write_project(root: Path, manifest: Mapping[str, object], **settings: object) -> Path:
    """Write a Dagster project with one tier, `small`, as a team has one.

    Args:
        root: Its folder, which must not exist.
        manifest: Its test-job.yaml.
        settings: The tier's settings, over those that it needs.
    """
    package = root / "small_project"
    (package / "defs" / "small").mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT.format(package=package.name))
    (package / "__init__.py").touch()
    (package / "definitions.py").write_text(DEFINITIONS)
    (root / "test-job.yaml").write_text(yaml.safe_dump(manifest))
    attributes = {
        "name": "small",
        "description": "A tier of one small suite.",
        "environments": ["kind"],
        "suites": [{"name": "suite", "job": "test-job.yaml"}],
        **settings,
    }
    tier = {"type": "floe_tests.TestTier", "attributes": attributes}
    (package / "defs" / "small" / "defs.yaml").write_text(yaml.safe_dump(tier))
    return root


class DagsterJob:
    """A running `dagster job execute`; as a context manager it does not outlive its test."""

    def __init__(
        self,
        module: str,
        job: str,
        *,
        directory: Path,
        place: Place,
        config: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            module: The module with the definitions.
            job: The tier.
            directory: The project's folder.
            place: Where its state goes.
            config: The run's config.
            environment: Further variables.
        """
        self.place = place
        self._tier = job
        command = [sys.executable, "-m", "dagster", "job", "execute", "-m", module, "-j", job]
        if config is not None:
            file = place.home / "run-config.yaml"
            file.write_text(yaml.safe_dump(config))
            command += ["--config", str(file)]
        variables = {
            **os.environ,
            "DAGSTER_HOME": str(place.home),
            "FLOE_TESTS_OUTPUT": str(place.output),
            "PYTHONPATH": str(directory),
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        # A shell starts its background jobs with SIGINT ignored, and that is inherited: by pytest
        # from the shell, and by this process from pytest.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        finally:
            signal.signal(signal.SIGINT, before)
        assert self._process.stdout is not None
        self._lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            # Asked, not killed: it gives its environment back.
            self._process.terminate()
            try:
                self._process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(timeout=10)
        print(self.output)  # noqa: T201 - pytest shows it when the test fails

    @property
    def output(self) -> str:
        """What it has said so far."""
        with self._news:
            return "\n".join(self._lines)

    @property
    def run_id(self) -> str:
        """The run's id, from its output."""
        found = _RUN_ID.search(self.output)
        assert found, f"no run id in the output:\n{self.output}"
        return found[0]

    def wait_for(self, text: str, *, timeout_seconds: float) -> None:
        """Wait until it has said something."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self._said(text), timeout=timeout_seconds)
            assert self._said(text), f"never said {text!r}:\n" + "\n".join(self._lines)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, as a terminal, `timeout` or a CI does."""
        self._process.send_signal(number)

    def wait(self, *, timeout_seconds: float) -> int:
        """Wait for its end and give its exit code."""
        code = self._process.wait(timeout=timeout_seconds)
        self._reader.join(timeout=10)
        return code

    def summary(self) -> Summary:
        """The verdict that it left."""
        workspace = Workspace(
            root=ROOT, output=self.place.output, home=self.place.home, history_url=""
        )
        summary = entries_of(workspace, self.run_id).summary()
        assert summary is not None, "the run left no verdict"
        return summary

    def remembered(self) -> RunRecord:
        """What the history has of it."""
        with History.open(f"sqlite:///{self.place.home / 'floe_tests.db'}") as history:
            record = history.run(run_id=self.run_id)
        assert record is not None, "the history does not know the run"
        return record

    def received(self, suite: str, name: str) -> Path:
        """A file that the pod of the suite's attempt sent."""
        runs = self.place.output / self._tier / "runs"
        return runs / self.run_id / f"{suite}-1" / "results" / name

    def _said(self, text: str) -> bool:
        return any(text in line for line in self._lines)

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self._lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()
