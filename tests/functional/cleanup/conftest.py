"""Runs on this machine: a process that holds a lease, what it starts, and its sudden end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from floe_tests.core.process_identity import Holder
from tests.support.kube_api import api

__all__ = ["api"]

# Starts a program in a session of its own, as program.run does, and waits to be killed.
ORCHESTRATOR = """
import sys
from floe_tests.core import program
from floe_tests.core.deadline import Deadline

with program.started_for(sys.argv[1]):
    program.run([sys.executable, "-c", sys.argv[2]], deadline=Deadline(120),
                log=lambda line: print(line, flush=True))
"""
CHILD = "import signal; print('child runs', flush=True); signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {CHILD}"


class Orchestrator:
    """A process that holds a lease, with a child that outlives it."""

    def __init__(self, run_id: str, child: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", ORCHESTRATOR, run_id, child],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        process = psutil.Process(self._process.pid)
        holder = Holder.of(process.pid)
        assert holder is not None
        self.holder = holder
        assert self._process.stdout is not None
        while "child runs" not in (line := self._process.stdout.readline()) or "$" in line:
            assert line, "the orchestrator ended"
        (self.child,) = process.children()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        if self.child.is_running():
            self.child.kill()


@pytest.fixture
def orchestrator() -> Iterator[Callable[..., Orchestrator]]:
    """Start one; after the test neither it nor its child runs."""
    started: list[Orchestrator] = []

    def start(run_id: str, *, child: str = CHILD, **environment: str) -> Orchestrator:
        started.append(Orchestrator(run_id, child, environment))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take docker, kind and helm off PATH: this machine's clusters are no business of the test."""
    monkeypatch.setenv("PATH", str(tmp_path))
