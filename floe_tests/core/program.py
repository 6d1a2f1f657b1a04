"""Programs this project calls (kind, helm, docker): output streamed, a deadline, one error."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Self, TypedDict, Unpack

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError, DeadlineError, ProgramError
from floe_tests.core.log import Log
from floe_tests.core.signals import deferred_signals

# Says in a process' environment for which run it was started: a reaper goes by it.
RUN_VARIABLE = "FLOE_RUN_ID"

_run_id: ContextVar[str | None] = ContextVar("run_id", default=None)

_TAIL_LINES = 40
_TERMINATE_SECONDS = 10.0

# Where each program comes from, for the message when it is missing.
_INSTALL: Mapping[str, str] = {
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "helm": "https://helm.sh/docs/intro/install/",
    "docker": "https://docs.docker.com/engine/install/",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
}


def require(*names: str) -> None:
    """Make sure that programs are there, before anything is created.

    Raises:
        ConfigurationError: Some are not on PATH; all of them are named, with how to install them.
    """
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        message = f"not on PATH: {', '.join(missing)}. {how_to_install(*missing)}"
        raise ConfigurationError(message)


def how_to_install(*names: str) -> str:
    """Say how programs are installed."""
    hints = "; ".join(f"{name}: {_INSTALL.get(name, 'install it')}" for name in names)
    return (
        f"Install it ({hints}). On a machine that reaches package registries only: "
        '`airgap/run all`, then `eval "$(airgap/run env)"`.'
    )


@contextlib.contextmanager
def started_for(run_id: str) -> Generator[None]:
    """Let every program that the block starts carry the run it works for.

    A program in a session of its own survives the SIGKILL of this process; by this a reaper knows
    whose it was.
    """
    token = _run_id.set(run_id)
    try:
        yield
    finally:
        _run_id.reset(token)


def run_variable() -> dict[str, str]:
    """Return the variable that says for which run a program is started; empty outside of a run."""
    run_id = _run_id.get()
    return {} if run_id is None else {RUN_VARIABLE: run_id}


class Options(TypedDict, total=False):
    """How a program is run, beside its deadline.

    Attributes:
        log: Receives each line of its output; without one it is quiet.
        environment: Variables on top of this process' own.
        stdin: Text for its standard input.
        directory: Working directory.
        secrets: Words never to show in messages.
        remedy: What to do when it fails, for the error's message.
    """

    log: Log | None
    environment: Mapping[str, str]
    stdin: str
    directory: Path
    secrets: Sequence[str]
    remedy: str


class Program:
    """A program that runs beside a block and is ended with it, its output read as it comes.

    Attributes:
        shown: The command as messages show it.
    """

    def __init__(
        self, command: Sequence[str], *, deadline: Deadline, **options: Unpack[Options]
    ) -> None:
        """Start it.

        Args:
            command: Program and arguments.
            deadline: When to end it.
            options: See Options.

        Raises:
            ConfigurationError: There is no such program.
        """
        stdin = options.get("stdin")
        log = options.get("log")
        require(command[0])
        self._secrets = options.get("secrets", ())
        self.shown = _masked(shlex.join(command), self._secrets)
        self._deadline = deadline
        self._log = log
        self._remedy = options.get("remedy", "")
        if log:
            log(f"$ {self.shown}")
        # A signal inside would leave the program running and nobody to know of it.
        with deferred_signals():
            self._process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
                command,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **run_variable(), **options.get("environment", {})},
                cwd=options.get("directory"),
                start_new_session=True,
                text=True,
                errors="replace",
            )
        self._output: list[str] = []
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        process = self._process
        self._readers = [
            threading.Thread(
                target=_read, args=(process.stdout, self._show, self._output.append), daemon=True
            ),
            threading.Thread(target=_read, args=(process.stderr, self._show), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        if stdin is not None and process.stdin is not None:
            threading.Thread(target=_write, args=(process.stdin, stdin), daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def output(self) -> str:
        """Wait for its end, and give its standard output.

        Raises:
            ProgramError: It ended with another exit code than 0.
            DeadlineError: It was ended at the deadline.
        """
        try:
            exit_code = self._process.wait(timeout=self._deadline.remaining_seconds)
        except subprocess.TimeoutExpired:
            _end(self._process)
            printed = "\n".join(self._tail)
            message = (
                f"`{self.shown}` did not end within {self._deadline.seconds:g} s. "
                f"{self._remedy}\n{printed}"
            )
            raise DeadlineError(message) from None
        for reader in self._readers:
            reader.join(timeout=_TERMINATE_SECONDS)
        if exit_code != 0:
            raise ProgramError(
                command=self.shown,
                exit_code=exit_code,
                output_tail="\n".join(self._tail),
                remedy=self._remedy,
            )
        return "".join(self._output)

    def __enter__(self) -> Self:
        """Begin the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End it, if it has not ended: it would go on creating what nobody then removes."""
        if not self.has_ended:
            _end(self._process)

    def _show(self, line: str) -> None:
        text = _masked(line.rstrip("\n"), self._secrets)
        self._tail.append(text)
        if self._log and text.strip():
            self._log(f"  {text}")


def run(command: Sequence[str], *, deadline: Deadline, **options: Unpack[Options]) -> str:
    """Run a program to its end, with its output line by line in the log.

    Args:
        command: Program and arguments.
        deadline: When to end it.
        options: See Options.

    Returns:
        Its standard output.

    Raises:
        ConfigurationError: There is no such program.
        ProgramError: It ended with another exit code than 0.
        DeadlineError: It was ended at the deadline.
    """
    with Program(command, deadline=deadline, **options) as program:
        return program.output()


def _read(stream: IO[str], *receivers: Log) -> None:
    """Hand on a program's output, line by line, to its end."""
    with stream:
        for line in stream:
            for receive in receivers:
                receive(line)


def _write(stream: IO[str], text: str) -> None:
    """Write a program's input; one that ends without reading it is judged by its exit code."""
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(text)


def _end(process: subprocess.Popen[str]) -> None:
    """End a program, then kill what it started and left behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_TERMINATE_SECONDS)


def _masked(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
