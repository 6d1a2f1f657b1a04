"""The program between the orchestrator and a suite's command on this machine.

    launcher.py REPORT COMMAND...

A container ends with its first process; a process of this machine leaves behind what it started, in
a session of its own or by forking twice, where no process group finds it. So this program asks
Linux for every orphan below it, runs the command, and kills what is left when the command has
ended. It touches nothing that is not below it. On other systems orphans go elsewhere, and whoever
started this finds them by their environment.

REPORT is an open file descriptor: why the command cannot be started, or nothing. SIGTERM and SIGINT
are handed to the command's processes as SIGTERM; at the second one everything is killed. The exit
code is the command's, and 128 and its number where a signal has ended it, as in a container.

Source: PR_SET_CHILD_SUBREAPER in prctl(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

import psutil

_PR_SET_CHILD_SUBREAPER = 36
SIGNAL_BASE = 128  # what a shell, and Kubernetes, add to a signal's number
_KILL_SECONDS = 10.0
_PAUSE_SECONDS = 0.02
_NOT_STARTED = 127


def kill_descendants(root: psutil.Process, *, seconds: float = _KILL_SECONDS) -> bool:
    """Kill every process below one, as long as there are any.

    Args:
        root: The process; it is left alone.
        seconds: How long to try: who forks in a loop is met again and again.

    Returns:
        Whether none is left.
    """
    end = time.monotonic() + seconds
    while True:
        below = [process for process in _below(root) if _is_alive(process)]
        if not below:
            return True
        if time.monotonic() >= end:
            return False
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(_PAUSE_SECONDS)


def _below(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wait(process_id: int) -> int:
    """Wait for the command, and collect the orphans that end before it."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == process_id:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else SIGNAL_BASE - code


def main(report: int, command: list[str]) -> int:
    """Run a command to its end, and kill what it leaves; return its exit code.

    Args:
        report: Descriptor that is told why the command cannot be started.
        command: Program and arguments.
    """
    _adopt_orphans()
    this = psutil.Process()
    asked: list[int] = []

    def stop(number: int, _frame: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            kill_descendants(this)
            return
        # The command leads a session of its own: its group is asked, what has left it is killed.
        for group in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)

    started: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with os.fdopen(report, "w") as told:
        try:
            process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - as told
        except OSError as error:
            told.write(str(error))
            return _NOT_STARTED
        started.append(process.pid)
        if asked:
            os.killpg(process.pid, signal.SIGTERM)
    code = _wait(process.pid)
    process.returncode = code  # collected above
    if not kill_descendants(this):
        sys.stderr.write("launcher: processes of the tests survived SIGKILL\n")
    return code


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
