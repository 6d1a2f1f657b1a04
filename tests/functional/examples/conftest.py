"""The examples of foreign suites, run as their own projects on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from floe_tests.config.loader import load_tiers
from floe_tests.config.project import Workspace
from floe_tests.config.selection import Selection
from floe_tests.core.deadline import Deadline
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.published import PublishedRun
from floe_tests.pipeline.run import TierRun

EXAMPLES = Path(__file__).parents[3] / "examples"
# What `examples/tools` fills.
TOOLS = Path.home() / ".cache" / "floe-tests" / "examples"


@dataclass
class Example:
    """A copy of an example, and what its runs logged."""

    name: str
    root: Path
    log: list[str] = field(default_factory=list)

    def run(self, variables: Mapping[str, str], *, until: str = "") -> PublishedRun:
        """Run it on this machine, from its first stage to the history.

        Args:
            variables: What the run sets for the tests.
            until: A text in the events at whose arrival the run is cancelled.
        """
        (tier,) = load_tiers(self.root)
        workspace = Workspace(
            root=self.root,
            output=self.root / "output",
            home=self.root / "home",
            history_url=f"sqlite:///{self.root / 'history.db'}",
        )
        run = TierRun(
            settings=tier, workspace=workspace, run_id=str(uuid.uuid4()), log=self.log.append
        )
        with run.stage("cluster"):
            run.acquire(environment="local", selection=Selection(variables=variables))
        events = workspace.received(tier.name, run.run_id) / f"{tier.name}-1/results/events.jsonl"
        try:
            with contextlib.suppress(KeyboardInterrupt), run.stage("test_job"):
                if until:
                    _interrupt_when(lambda: events.exists() and until in events.read_text())
                run.run_suites()
            return publish(run.state())
        finally:
            run.give_back()

    def printed(self, run: PublishedRun) -> str:
        """Return what the suite's tool printed."""
        return (run.directory / f"{self.name}-1" / "pod.log").read_text()


def _interrupt_when(is_time: Callable[[], bool]) -> None:
    """Interrupt this process, as Ctrl-C does, as soon as something is so."""
    main, deadline, wake = threading.main_thread(), Deadline(60), threading.Event()

    def watch() -> None:
        while not deadline.passed:
            if is_time():
                signal.pthread_kill(main.ident or 0, signal.SIGINT)
                return
            wake.wait(0.05)

    threading.Thread(target=watch, daemon=True).start()


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Example]:
    """Return the function that copies an example whose tools are here."""
    # These tests run inside a tier's run too, whose variables are not theirs.
    for name in os.environ:
        if name.startswith(("FLOE_", "GITHUB_", "PYTEST_ADDOPTS")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def copied(name: str, *programs: str) -> Example:
        missing = [each for each in programs if shutil.which(each) is None]
        if missing:
            pytest.skip(f"{', '.join(missing)} missing: examples/tools {name}")
        root = tmp_path / name
        shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns("target", "output"))
        return Example(name, root)

    return copied
