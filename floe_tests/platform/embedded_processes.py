"""The processes of an embedded platform, known by the directory that each has in its environment.

A process id alone would not do, because the system gives it to somebody else later.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import CleanupError

MARKER = "FLOE_TESTS_EMBEDDED_PLATFORM"
_PAUSE_SECONDS = 0.1
# Started by this process, which therefore has to collect their exit codes.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class PlatformProcess:
    """A process that serves a platform, and its log."""

    name: str
    popen: subprocess.Popen[bytes]
    log_path: Path


def spawn_process(
    name: str, arguments: tuple[str, ...], *, directory: Path, environment: dict[str, str]
) -> PlatformProcess:
    """Start a process of a platform."""
    log_path = directory / "logs" / f"{name}.log"
    with log_path.open("ab") as output:
        popen = subprocess.Popen(  # noqa: S603 - the interpreter and modules named above
            [sys.executable, "-m", *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # An interrupt on the terminal is for the orchestrator, which stops the platform itself.
            start_new_session=True,
        )
    _children[popen.pid] = popen
    return PlatformProcess(name=name, popen=popen, log_path=log_path)


def members(directory: Path) -> list[psutil.Process]:
    """Find the processes of a platform, the runs included, by what their environment says."""
    mark = str(directory)
    return [process for process in psutil.process_iter() if _mark_of(process) == mark]


def _mark_of(process: psutil.Process) -> str | None:
    # Somebody else's process cannot be read, and a zombie has no environment any more: neither is
    # a running process of a platform.
    try:
        return process.environ().get(MARKER)
    except psutil.Error:
        return None


def stop_after(error: BaseException, directory: Path) -> None:
    """Stop a platform that did not come up; what survives is added to the error."""
    try:
        stop_members(directory, deadline_seconds=10)
    except CleanupError as cleanup_error:
        error.add_note(str(cleanup_error))


def stop_members(directory: Path, *, deadline_seconds: float) -> None:
    """Stop the processes of a platform, then kill them.

    Raises:
        CleanupError: A process survived even that.
    """
    _end(members(directory), psutil.Process.terminate, seconds=deadline_seconds)
    # A run may have started another process in between, so whoever is there now is killed.
    _end(members(directory), psutil.Process.kill, seconds=10)
    remaining = [process.pid for process in members(directory)]
    if remaining:
        ids = " ".join(str(number) for number in remaining)
        message = (
            f"processes {ids} of the embedded platform in {directory} survived SIGKILL; "
            f"`ps -o pid,stat,wchan,args -p {','.join(ids.split())}` shows what they wait for."
        )
        raise CleanupError(message)


def _end(
    processes: list[psutil.Process], signal: Callable[[psutil.Process], None], *, seconds: float
) -> None:
    for process in processes:
        try:
            # psutil compares the start time first: a process id that was given away is not hit.
            signal(process)
        except psutil.NoSuchProcess:
            continue
    deadline = Deadline(seconds)
    while True:
        _collect_children()
        if not any(_is_running(process) for process in processes) or deadline.passed:
            return
        time.sleep(min(_PAUSE_SECONDS, deadline.remaining_seconds))


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _collect_children() -> None:
    for process_id, popen in list(_children.items()):
        if popen.poll() is not None:
            del _children[process_id]
