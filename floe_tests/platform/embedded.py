"""The embedded platform: Dagster's webserver, daemon and code location as local processes.

What the Helm chart runs as three pods, `local` runs as three processes, on SQLite and DuckDB in one
directory, with ports of its own. Whoever holds the record can stop it, from any process: each of
its processes, and each run that they start, carries the directory in its environment. A process id
alone would not do, because the system gives it to somebody else later.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import PlatformError
from floe_tests.core.evidence import Evidence
from floe_tests.core.log import Log
from floe_tests.platform.embedded_health import (
    HOST,
    problem_of_address,
    problems_of_platform,
)
from floe_tests.platform.embedded_home import CODE_LOCATION, lay_out, prepare_history
from floe_tests.platform.embedded_processes import (
    PlatformProcess,
    members,
    spawn_process,
    stop_after,
    stop_members,
)

# Under this name a run's ledger has it, for the environment that stops it.
LEDGER_ENTRY = "embedded"
CODE_MODULE = "floe_platform.definitions"
_LOG_LINES = 50
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class EmbeddedPlatform:
    """A running embedded platform: where it answers and which processes serve it.

    Attributes:
        host: Address of the webserver.
        port: Its port.
        directory: Its DAGSTER_HOME (`home`), the DuckDB file (`data`) and what it logs (`logs`).
        process_ids: Its processes; the runs they start are not among them.
    """

    host: str
    port: int
    directory: Path
    process_ids: tuple[int, ...]


def start(
    directory: Path, *, code_root: Path, deadline_seconds: float, log: Log
) -> EmbeddedPlatform:
    """Start a platform and wait until it works.

    It works when the webserver answers, the code location is loaded and every daemon has sent a
    heartbeat.

    Args:
        directory: Where it keeps everything; created when it is missing. A history that is there
            already is continued.
        code_root: Folder that holds the package `floe_platform`.
        deadline_seconds: From now until it works.
        log: Receives one line a step.

    Returns:
        The running platform.

    Raises:
        PlatformError: It did not come up; nothing of it runs any more. The message has the last
            lines of its logs.
    """
    if not (code_root / CODE_MODULE.partition(".")[0]).is_dir():
        message = (
            f"{code_root} holds no package {CODE_MODULE.partition('.')[0]}; give its parent folder."
        )
        raise PlatformError(message)
    directory = directory.resolve()
    deadline = Deadline(deadline_seconds)
    web_port, code_port = _free_ports(2)
    environment = lay_out(directory, code_root=code_root.resolve(), code_port=code_port)
    processes: list[PlatformProcess] = []

    def spawn(name: str, *arguments: str) -> None:
        processes.append(
            spawn_process(name, arguments, directory=directory, environment=environment)
        )

    def wait(what: str, problem: Callable[[], str]) -> None:
        _wait(what, problem, processes=processes, deadline=deadline)
        log(f"embedded platform: {what} after {deadline.elapsed_seconds:.1f} s")

    workspace = str(directory / "home" / "workspace.yaml")
    prepare_history(directory, environment=environment, deadline=deadline)
    try:
        spawn(
            "code",
            *("dagster", "api", "grpc", "--host", HOST, "--port", str(code_port)),
            *("--module-name", CODE_MODULE, "--location-name", CODE_LOCATION),
        )
        spawn(
            "webserver",
            *("dagster_webserver", "--host", HOST, "--port", str(web_port)),
            *("--workspace", workspace),
        )
        wait("webserver answers", lambda: problem_of_address(web_port))
        spawn("daemon", "dagster._daemon", "run", "--workspace", workspace)
        wait(
            f"works on http://{HOST}:{web_port}",
            lambda: "; ".join(problems_of_platform(web_port)),
        )
    except BaseException as error:
        stop_after(error, directory)
        raise
    return EmbeddedPlatform(
        host=HOST,
        port=web_port,
        directory=directory,
        process_ids=tuple(process.popen.pid for process in processes),
    )


def is_alive(platform: EmbeddedPlatform) -> bool:
    """Return whether all processes of a platform run.

    Args:
        platform: The record of the platform, from any process.

    Returns:
        False when at least one of them is gone, or its id belongs to somebody else by now.
    """
    running = {process.pid for process in members(platform.directory)}
    return running.issuperset(platform.process_ids)


def stop(platform: EmbeddedPlatform, *, deadline_seconds: float) -> None:
    """Stop a platform and the runs that it has started; do nothing when it is gone already.

    Args:
        platform: The record of the platform, from any process.
        deadline_seconds: How long its processes may take to end by themselves; then they are
            killed.

    Raises:
        CleanupError: A process survived even that.
    """
    stop_members(platform.directory, deadline_seconds=deadline_seconds)


def _free_ports(number: int) -> tuple[int, ...]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(number)]
    try:
        for each in sockets:  # all at once, so that none is handed out twice
            each.bind((HOST, 0))
        return tuple(int(each.getsockname()[1]) for each in sockets)
    finally:
        for each in sockets:
            each.close()


def _wait(
    what: str, problem: Callable[[], str], *, processes: list[PlatformProcess], deadline: Deadline
) -> None:
    while True:
        found = problem()
        if not found:
            return
        for process in processes:
            code = process.popen.poll()
            if code is not None:
                message = f"the embedded {process.name} ended with exit code {code} while starting."
                raise _platform_error(message, [process])
        if deadline.passed:
            message = (
                f"the embedded platform did not come up within {deadline.seconds:g} s; waiting for "
                f"'{what}', the last state was: {found}."
            )
            raise _platform_error(message, processes)
        time.sleep(min(_PAUSE_SECONDS, deadline.remaining_seconds))


def _platform_error(message: str, processes: list[PlatformProcess]) -> PlatformError:
    evidence = [
        Evidence(
            subject=str(process.log_path), field=f"last {_LOG_LINES} lines", value=_tail(process)
        )
        for process in processes
    ]
    logs = "\n".join(f"{each.subject}, {each.field}:\n{each.value}" for each in evidence)
    return PlatformError(f"{message}\n{logs}", evidence=evidence)


def _tail(process: PlatformProcess) -> str:
    lines = process.log_path.read_text(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])
