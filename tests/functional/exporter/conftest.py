"""The real exporter as a process, with the real receiver at the other end of its output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from floe_tests.execution.stream import Completeness, FrameReport, ResultStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROGRAM = (sys.executable, "-I", "-m", "floe_tests.exporter")
WAIT_SECONDS = 60.0
OBEYING = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


class RunningExporter:
    """An exporter process and what has arrived of its output."""

    def __init__(
        self,
        results: Path,
        stream: ResultStream,
        *,
        state: Path,
        options: Sequence[str],
        wrapper: Sequence[str] = (),
    ) -> None:
        """Start the process and a thread that feeds its lines to the stream."""
        self.stream = stream
        self.lines: list[bytes] = []
        self.reports: list[FrameReport] = []
        self.state = state
        self.results = results
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [*wrapper, *command(results), "--poll-seconds=0.02", f"--state={state}", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            report = self.stream.feed(line)
            with self._changed:
                self.lines.append(line)
                self.reports.append(report)
                self._changed.notify_all()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for what the arriving lines bring about."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_SECONDS), self.lines[-3:]

    def wait_for_content(self, path: str, size: int) -> None:
        """Wait until so many bytes of a file have arrived."""
        self.wait_until(lambda: self.arrived_bytes(path) >= size)

    def arrived_bytes(self, path: str) -> int:
        """How far a file has come."""
        ends = [
            growth.offset + len(growth.data)
            for report in self.reports
            for growth in report.growths
            if growth.path == path
        ]
        return ends[-1] if ends else 0

    def stop(self, number: int = signal.SIGTERM) -> Completeness:
        """Send a signal, wait for the end, and conclude.

        Not before the first line: outside a container a signal kills a Python that just starts.
        """
        self.wait_until(lambda: len(self.lines) > 0)
        self.process.send_signal(number)
        return self.end()

    def end(self) -> Completeness:
        """Wait for the end, and conclude."""
        self.process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        return self.stream.finish()

    def run(self, *words: str) -> list[bytes]:
        """Run a command of the exporter beside it, as `kubectl exec` would."""
        done = subprocess.run(
            [*command(self.results), f"--state={self.state}", *words],
            check=True,
            capture_output=True,
            timeout=WAIT_SECONDS,
        )
        return done.stdout.splitlines(keepends=True)

    def close(self) -> None:
        """End the process, if a test left it running."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def command(results: Path) -> list[str]:
    """Word the command line as the image does, without the machine's site packages."""
    return [*PROGRAM, f"--results={results}"]


class Start(Protocol):
    """Starts an exporter on a directory."""

    def __call__(
        self,
        *options: str,
        directory: Path | None = None,
        stream: ResultStream | None = None,
        obeys_modes: bool = False,
    ) -> RunningExporter:
        """Start it with some options; root obeys the modes of files only when asked to."""
        ...


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return the directory that tests write to."""
    directory = tmp_path / "results"
    directory.mkdir()
    return directory


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """Return the directory that the receiver writes to."""
    return tmp_path / "received"


@pytest.fixture
def start(tmp_path: Path, results: Path, received: Path) -> Iterator[Start]:
    """Return a function that starts exporters; all of them end with the test."""
    running: list[RunningExporter] = []

    def begin(
        *options: str,
        directory: Path | None = None,
        stream: ResultStream | None = None,
        obeys_modes: bool = False,
    ) -> RunningExporter:
        process = RunningExporter(
            directory or results,
            stream or ResultStream(received),
            state=tmp_path / f"state-{len(running)}",
            options=options,
            wrapper=OBEYING if obeys_modes and os.getuid() == 0 else (),
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.close()


def contents(directory: Path) -> dict[str, bytes]:
    """Read a directory, for comparison."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture(name="contents")
def contents_fixture() -> Callable[[Path], dict[str, bytes]]:
    """Return the function that reads a directory."""
    return contents
