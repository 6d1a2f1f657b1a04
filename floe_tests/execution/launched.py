"""A suite's command as a process of this machine, which leaves no process behind."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from floe_tests.core.signals import deferred_signals
from floe_tests.execution import launcher

# Says in the environment of a command, and so of all that it starts, which attempt it belongs to.
ATTEMPT_VARIABLE = "FLOE_TESTS_ATTEMPT"

_LAUNCHER = Path(launcher.__file__)
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_LEFT_SECONDS = 10.0


class LaunchedCommand:
    """A command that runs, with everything that it has started.

    Attributes:
        exit_code: How it ended, 128 and the number for a signal; None while it runs.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        mark: str,
        environment: Mapping[str, str],
        directory: Path,
        output: Path,
    ) -> None:
        """Start it.

        Args:
            words: Program and arguments.
            mark: Names this attempt among all; nothing else on this machine has it.
            environment: All of its variables.
            directory: What it runs in.
            output: File for what it prints.

        Raises:
            OSError: It cannot be started.
        """
        self._mark = mark
        report, told = os.pipe()
        process: subprocess.Popen[bytes] | None = None
        try:
            # A signal inside would leave it running and nobody to know of it.
            with deferred_signals(), output.open("wb") as stream:
                process = subprocess.Popen(  # noqa: S603 - the suite's own command
                    [sys.executable, "-I", str(_LAUNCHER), str(told), *words],
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    env={**environment, ATTEMPT_VARIABLE: mark},
                    cwd=directory,
                    start_new_session=True,
                    pass_fds=(told,),
                )
        except BaseException:
            # One that came meanwhile is raised at the end of the block.
            if process is not None:
                # Not by its environment alone: one that is just being started has none yet.
                self._kill(process)
            self.kill_what_is_left()
            os.close(report)
            raise
        finally:
            os.close(told)
        self._process = process
        why = self._read_report(report)
        if why:
            self._process.wait(timeout=_STOP_SECONDS)
            raise OSError(why)

    @property
    def exit_code(self) -> int | None:
        """How it ended, 128 and the number for a signal; None while it runs."""
        code = self._process.poll()
        return code if code is None or code >= 0 else launcher.SIGNAL_BASE - code

    @property
    def memory_bytes(self) -> int:
        """Memory that its processes hold now."""
        total = 0
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def stop(self) -> None:
        """End it: asked first, then killed. Nothing of it is left when this returns."""
        for _ in range(2):  # at the second time the launcher kills
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=_STOP_SECONDS)
                break
        else:
            self._kill(self._process)
        self.kill_what_is_left()

    def kill_what_is_left(self) -> None:
        """Kill what its launcher could not: it was killed, or the system has no subreapers."""
        left = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in left:
            # psutil compares the start time first: an id that was given away is not hit.
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=_LEFT_SECONDS)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        """Kill a launcher and what is below it."""
        with contextlib.suppress(psutil.Error):
            launcher.kill_descendants(psutil.Process(process.pid))
        process.kill()
        process.wait(timeout=_STOP_SECONDS)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(ATTEMPT_VARIABLE) == self._mark
        except (psutil.Error, OSError):  # somebody else's, or gone meanwhile
            return False

    def _read_report(self, descriptor: int) -> str:
        """Read why the launcher could not start the command; it closes its end when it has."""
        try:
            with os.fdopen(descriptor) as report:
                is_told, _, _ = select.select([report], [], [], _START_SECONDS)
                return report.read() if is_told else ""
        except BaseException:
            self.stop()
            raise
