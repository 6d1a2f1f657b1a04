"""Processes of this machine that a run has left, found by the run's id in their environment.

Programs are started in sessions of their own, so that Ctrl-C reaches the orchestrator alone; for
the same reason a SIGKILL of the orchestrator leaves them running.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from floe_tests.core.deadline import Deadline
from floe_tests.core.process_identity import has_terminal, pid_namespace_of
from floe_tests.core.program import RUN_VARIABLE

_PAUSE_SECONDS = 0.1
_KILL_SECONDS = 10.0


@dataclass(frozen=True)
class RunProcess:
    """A process that was started for a run.

    Attributes:
        process_id: Its id.
        run_id: The run that its own environment names.
        command: Program and arguments.
        started_at: When it was started (UTC), by the clock of now: for people.
        has_terminal: Whether it belongs to a terminal, as what a person repeats with a run's
            variables does. What a run starts has a session of its own, without one.
    """

    process_id: int
    run_id: str
    command: str
    started_at: datetime
    has_terminal: bool = False


def processes_of_runs() -> tuple[RunProcess, ...]:
    """Find this user's processes that carry a run's id, without this one and its ancestors."""
    return tuple(
        RunProcess(
            process_id=process.pid,
            run_id=run_id,
            command=_command(process),
            started_at=datetime.fromtimestamp(process.create_time(), tz=UTC),
            has_terminal=has_terminal(process.pid),
        )
        for process, run_id in _found()
    )


def end_processes(run_ids: Collection[str], *, seconds: float) -> tuple[RunProcess, ...]:
    """End the processes of runs: asked first, so that what they started is ended by themselves.

    Args:
        run_ids: The runs.
        seconds: How long they may take to end by themselves; then they are killed.

    Returns:
        Those that survived even that.
    """
    _signal(run_ids, psutil.Process.terminate, seconds=seconds)
    # Looked for again: one that was ending may have started another.
    _signal(run_ids, psutil.Process.kill, seconds=_KILL_SECONDS)
    return tuple(
        item for item in processes_of_runs() if item.run_id in run_ids and not item.has_terminal
    )


def _signal(
    run_ids: Collection[str], signal: Callable[[psutil.Process], None], *, seconds: float
) -> None:
    processes = [
        process
        for process, run_id in _found()
        if run_id in run_ids and not has_terminal(process.pid)
    ]
    for process in processes:
        try:
            # psutil compares the start, in ticks, first: an id that was given away is not hit.
            signal(process)
        except psutil.Error:  # gone, or not ours: what is still there at the end is told
            continue
    deadline = Deadline(seconds)
    while any(_is_running(process) for process in processes) and not deadline.passed:
        time.sleep(_PAUSE_SECONDS)


def _found() -> list[tuple[psutil.Process, str]]:
    this = psutil.Process()
    spared = {this.pid, *(parent.pid for parent in this.parents())}
    user, namespace = os.getuid(), pid_namespace_of()
    found: list[tuple[psutil.Process, str]] = []
    for process in psutil.process_iter():
        try:
            if process.pid in spared or process.uids().real != user:
                continue
            run_id = process.environ().get(RUN_VARIABLE)
            # A container's processes are seen from its host too, and end with the container.
            is_seen_right = pid_namespace_of(process.pid) == namespace
            if run_id and is_seen_right and _is_running(process):
                found.append((process, run_id))
        except (psutil.Error, OSError):  # gone meanwhile, or not to be read
            continue
    return found


def _is_running(process: psutil.Process) -> bool:
    # Nobody may be there to collect an orphan's exit code: it is over all the same.
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return shlex.join(process.cmdline()) or process.name()
    except psutil.Error:
        return f"process {process.pid}"
