"""Which process holds a lease, and whether that very process still runs.

Every such question of the project is answered here. A process id alone names nobody: it is given
away again, a reboot begins anew with it, and each container counts its own. The time at which a
process started moves with the wall clock, so that a step of a second (NTP) made live runs look
dead. What stays is the number of ticks since boot at which it started, with the boot and the PID
namespace in which the two numbers mean anything.

Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (field 22, starttime)
"""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

Liveness = Literal["alive", "dead", "unknown"]

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"
_MACHINE = Path("/etc/machine-id")
# Fields of /proc/PID/stat behind the name, which may hold spaces and parentheses itself.
_STATE, _TERMINAL, _START = 3 - 3, 7 - 3, 22 - 3
_HAS_ENDED = frozenset("ZXx")
# The PID namespace of a machine itself, not of a container on it.
# Source: https://github.com/torvalds/linux/blob/v6.12/include/linux/proc_ns.h (PROC_PID_INIT_INO)
_FIRST_NAMESPACE = f"pid:[{0xEFFFFFFC}]"
_MICROSECONDS = 1_000_000
_SYSCTL_SECONDS = 5


@dataclass(frozen=True)
class Holder:
    """A process that holds a lease.

    Attributes:
        process_id: Its id, which means something in its PID namespace alone.
        created: When it was started, by the wall clock of then (seconds since the epoch). For
            people; it is compared with nothing, but in leases that were written before the others.
        host: The machine, or container, that it runs on; empty for this one.
        start_ticks: Clock ticks from the boot to its start; on a system without /proc the
            microseconds of its start as the kernel noted them. None in leases of before.
        boot_id: The boot that the ticks count from; empty where nothing says.
        pid_namespace: The PID namespace; empty on a system without.
        machine_id: The machine, whatever it is called; empty where nothing says.
    """

    process_id: int
    created: float = field(compare=False)
    host: str = ""
    start_ticks: int | None = None
    boot_id: str = ""
    pid_namespace: str = ""
    machine_id: str = ""

    @classmethod
    def of(cls, process_id: int) -> Holder | None:
        """Return a process of this machine, seen from here; None when it does not run.

        Args:
            process_id: Its id.
        """
        ticks = _start_ticks(process_id)
        if ticks is None:
            return None
        try:
            created = psutil.Process(process_id).create_time()
        except psutil.NoSuchProcess:
            return None
        return cls(
            process_id=process_id,
            created=created,
            host=socket.gethostname(),
            start_ticks=ticks,
            boot_id=_boot_id(),
            pid_namespace=pid_namespace_of(),
            machine_id=_machine_id(),
        )

    @classmethod
    def this_process(cls) -> Holder:
        """Return the process that is running now."""
        found = cls.of(os.getpid())
        if found is None:
            message = "this process does not find itself: is /proc mounted?"
            raise RuntimeError(message)
        return found

    @property
    def liveness(self) -> Liveness:
        """Whether that very process still runs.

        `unknown` where this process cannot tell: it is on another machine or in a container with
        process ids of its own. Nothing is removed for such an answer; the run's expiry decides.
        """
        if self.host not in {"", socket.gethostname()}:
            return "unknown"
        if self.start_ticks is None:
            return self._liveness_of_before()
        if self.machine_id != _machine_id():
            return "unknown"
        if self.boot_id != _boot_id():
            # This machine was booted since: none of its processes is left.
            return "dead" if self._can_tell_a_boot else "unknown"
        if self.pid_namespace != pid_namespace_of():
            return "unknown"
        return "alive" if _start_ticks(self.process_id) == self.start_ticks else "dead"

    @property
    def _can_tell_a_boot(self) -> bool:
        """Whether another boot is a later one of the same machine, and not another machine.

        Containers of one image share its machine id, and may share a name: there it says nothing.
        """
        first = {_FIRST_NAMESPACE, ""}
        is_first = self.pid_namespace in first and pid_namespace_of() in first
        return is_first and bool(self.boot_id and self.machine_id)

    def _liveness_of_before(self) -> Liveness:
        """Judge a lease that knows a process id and a time by the wall clock alone.

        That time says that it is the same process, and never that it is not: a step of the clock
        moves it.
        """
        found = Holder.of(self.process_id)
        if found is None:
            return "dead"
        return "alive" if found.created == self.created else "unknown"

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to that very process.

        Returns:
            False when it is not alive, as far as can be told from here: nothing was sent.
        """
        if not hasattr(os, "pidfd_open"):
            if self.liveness == "alive":
                os.kill(self.process_id, number)
                return True
            return False
        try:
            handle = os.pidfd_open(self.process_id)
        except OSError:
            return False
        try:
            # Looked at while the handle is held: the id cannot be given away in between.
            if self.liveness != "alive":
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


def has_terminal(process_id: int) -> bool:
    """Return whether a process belongs to a terminal: a person may have started it.

    Args:
        process_id: Its id as it is seen from here.
    """
    if psutil.LINUX:
        fields = _stat(process_id)
        return bool(fields) and fields[_TERMINAL] != "0"
    try:
        return bool(psutil.Process(process_id).terminal())
    except psutil.Error:
        return False


def _start_ticks(process_id: int) -> int | None:
    """Return when a process was started; None when there is none, or it has ended.

    A zombie has ended: nobody has asked for its exit code yet.
    """
    if not psutil.LINUX:
        return _start_microseconds(process_id)
    fields = _stat(process_id)
    return None if not fields or fields[_STATE] in _HAS_ENDED else int(fields[_START])


def _stat(process_id: int) -> list[str]:
    """Return the fields of a process behind its name; none when there is no such process."""
    try:
        text = (_PROC / str(process_id) / "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _start_microseconds(process_id: int) -> int | None:
    """Return the start as macOS notes it with the process: a later step does not move it."""
    try:
        process = psutil.Process(process_id)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(process.create_time() * _MICROSECONDS)
    except psutil.NoSuchProcess:
        return None


@functools.cache
def _boot_id() -> str:
    if psutil.LINUX:
        return _text_of(_BOOT)
    command = ["sysctl", "-n", "kern.bootsessionuuid"]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words
            command, check=True, capture_output=True, text=True, timeout=_SYSCTL_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


@functools.cache
def _machine_id() -> str:
    return _text_of(_MACHINE) if psutil.LINUX else f"{uuid.getnode():012x}"


def pid_namespace_of(process_id: int | str = "self") -> str:
    """Return the PID namespace that a process lives in.

    Args:
        process_id: Its id as it is seen from here.

    Returns:
        Its name; empty on a system without, and where this account may not see it.
    """
    try:
        return str((_PROC / str(process_id) / "ns/pid").readlink())
    except OSError:
        return ""


def _text_of(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
