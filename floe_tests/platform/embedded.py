"""The embedded platform: Dagster's webserver, daemon and code location as local processes.

What the Helm chart runs as three pods, `local` runs as three processes, on SQLite and DuckDB in one
directory, with ports of its own. Whoever holds the record can stop it, from any process: each of
its processes, and each run that they start, carries the directory in its environment. A process id
alone would not do, because the system gives it to somebody else later.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import yaml

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import CleanupError, PlatformError
from floe_tests.core.evidence import Evidence
from floe_tests.core.log import Log

JsonObject = Mapping[str, object]

HOST = "127.0.0.1"
MARKER = "FLOE_TESTS_EMBEDDED_PLATFORM"
# Under this name a run's ledger has it, for the environment that stops it.
LEDGER_ENTRY = "embedded"
CODE_LOCATION = "floe"
CODE_MODULE = "floe_platform.definitions"
_PAUSE_SECONDS = 0.1
_REQUEST_SECONDS = 10.0
_LOG_LINES = 50
# What of this process's environment a platform needs; the rest could change what it does.
_INHERITED = (
    *("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_FILE", "TMPDIR", "TZ"),
    program.RUN_VARIABLE,  # of an outer run, whose test started this platform
)

_QUERY = """{
  workspaceOrError {
    __typename
    ... on PythonError { message }
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError { __typename ... on PythonError { message } }
      }
    }
  }
  instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
}"""


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


@dataclass(frozen=True)
class _Process:
    name: str
    popen: subprocess.Popen[bytes]
    log_path: Path


# Started by this process, which therefore has to collect their exit codes.
_children: dict[int, subprocess.Popen[bytes]] = {}


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
    environment = _lay_out(directory, code_root=code_root.resolve(), code_port=code_port)
    processes: list[_Process] = []

    def spawn(name: str, *arguments: str) -> None:
        processes.append(_spawn(name, arguments, directory=directory, environment=environment))

    def wait(what: str, problem: Callable[[], str]) -> None:
        _wait(what, problem, processes=processes, deadline=deadline)
        log(f"embedded platform: {what} after {deadline.elapsed_seconds:.1f} s")

    workspace = str(directory / "home" / "workspace.yaml")
    _prepare_history(directory, environment=environment, deadline=deadline)
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
        wait("webserver answers", lambda: _problem_of_address(web_port))
        spawn("daemon", "dagster._daemon", "run", "--workspace", workspace)
        wait(
            f"works on http://{HOST}:{web_port}",
            lambda: "; ".join(_problems_of_platform(web_port)),
        )
    except BaseException as error:
        _stop_after(error, directory)
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
    running = {process.pid for process in _members(platform.directory)}
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
    _stop(platform.directory, deadline_seconds=deadline_seconds)


def _lay_out(directory: Path, *, code_root: Path, code_port: int) -> dict[str, str]:
    home = directory / "home"
    for folder in (home, directory / "data", directory / "logs", directory / "scratch"):
        folder.mkdir(parents=True, exist_ok=True)
    server = {"host": HOST, "port": code_port, "location_name": CODE_LOCATION}
    workspace = {"load_from": [{"grpc_server": server}]}
    (home / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    (home / "dagster.yaml").write_text(yaml.safe_dump(_instance_settings(directory)))
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **program.run_variable(),
        MARKER: str(directory),
        "DAGSTER_HOME": str(home),
        "FLOE_DATA_DIR": str(directory / "data"),
        "PYTHONPATH": str(code_root),
        "PYTHONUNBUFFERED": "1",
    }


def _instance_settings(directory: Path) -> JsonObject:
    """The same as the chart's minimal form, so that `local` and a cluster behave alike."""
    return {
        "storage": {"sqlite": {"base_dir": str(directory / "home")}},
        "run_launcher": {
            "module": "floe_platform.run_launcher",
            "class": "SupervisedRunLauncher",
        },
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1},
        },
        # DuckDB has one writer at a time.
        "concurrency": {"runs": {"max_concurrent_runs": 1}},
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 10,
            "start_timeout_seconds": 120,
            "cancel_timeout_seconds": 60,
            "max_runtime_seconds": 3600,
        },
        "local_artifact_storage": {
            "module": "dagster.core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(directory / "scratch")},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def _free_ports(number: int) -> tuple[int, ...]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(number)]
    try:
        for each in sockets:  # all at once, so that none is handed out twice
            each.bind((HOST, 0))
        return tuple(int(each.getsockname()[1]) for each in sockets)
    finally:
        for each in sockets:
            each.close()


def _prepare_history(directory: Path, *, environment: dict[str, str], deadline: Deadline) -> None:
    """Make the SQLite files of a new history, alone.

    Two of Dagster's processes that make them at the same time end with "table already exists".
    """
    if (directory / "home" / "history").exists():
        return
    # Out of time or failed: the processes that come next say so, each with its own log.
    with (
        contextlib.suppress(subprocess.TimeoutExpired),
        (directory / "logs" / "history.log").open("ab") as output,
    ):
        subprocess.run(
            [sys.executable, "-m", "dagster", "instance", "migrate"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=deadline.remaining_seconds,
            check=False,
        )


def _spawn(
    name: str, arguments: tuple[str, ...], *, directory: Path, environment: dict[str, str]
) -> _Process:
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
    return _Process(name=name, popen=popen, log_path=log_path)


def _wait(
    what: str, problem: Callable[[], str], *, processes: list[_Process], deadline: Deadline
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


def _platform_error(message: str, processes: list[_Process]) -> PlatformError:
    evidence = [
        Evidence(
            subject=str(process.log_path), field=f"last {_LOG_LINES} lines", value=_tail(process)
        )
        for process in processes
    ]
    logs = "\n".join(f"{each.subject}, {each.field}:\n{each.value}" for each in evidence)
    return PlatformError(f"{message}\n{logs}", evidence=evidence)


def _tail(process: _Process) -> str:
    lines = process.log_path.read_text(errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _problem_of_address(port: int) -> str:
    try:
        _request(f"http://{HOST}:{port}/server_info")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"http://{HOST}:{port}/server_info: {error}"
    return ""


def _problems_of_platform(port: int) -> Iterator[str]:
    """Say what keeps a platform whose webserver answers from working."""
    address = f"http://{HOST}:{port}/graphql"
    try:
        answer = _request(address, json.dumps({"query": _QUERY}).encode())
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield f"{address}: {error}"
        return
    if answer.get("errors"):
        yield f"{address}: {answer['errors']}"
        return
    data = _object(answer["data"])
    workspace = _object(data["workspaceOrError"])
    if workspace["__typename"] != "Workspace":
        yield f"the workspace cannot be read: {workspace.get('message')}"
        return
    for entry in _objects(workspace["locationEntries"]):
        content = _object(entry["locationOrLoadError"] or {})
        if content.get("__typename") != "RepositoryLocation" or entry["loadStatus"] != "LOADED":
            reason = content.get("message", "not loaded yet")
            yield f"code location {entry['name']} is {entry['loadStatus']}: {reason}"
    health = _object(_object(data["instance"])["daemonHealth"])
    for status in _objects(health["allDaemonStatuses"]):
        if status["required"] and not status["healthy"]:
            yield f"daemon {status['daemonType']} has sent no heartbeat"


def _request(address: str, body: bytes | None = None) -> JsonObject:
    request = urllib.request.Request(  # noqa: S310 - an http address of this machine
        address, data=body, headers={"Content-Type": "application/json"}
    )
    # No proxy: the address is this machine's own.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_REQUEST_SECONDS) as response:
        return _object(json.load(response))


def _object(value: object) -> JsonObject:
    return cast("JsonObject", value)


def _objects(value: object) -> list[JsonObject]:
    return cast("list[JsonObject]", value)


def _members(directory: Path) -> list[psutil.Process]:
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


def _stop_after(error: BaseException, directory: Path) -> None:
    try:
        _stop(directory, deadline_seconds=10)
    except CleanupError as cleanup_error:
        error.add_note(str(cleanup_error))


def _stop(directory: Path, *, deadline_seconds: float) -> None:
    _end(_members(directory), psutil.Process.terminate, seconds=deadline_seconds)
    # A run may have started another process in between, so whoever is there now is killed.
    _end(_members(directory), psutil.Process.kill, seconds=10)
    remaining = [process.pid for process in _members(directory)]
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
