"""`floe-tests ui`: Dagster's UI of a project, with the website of its results beside it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from floe_tests.cli.common import current_project, fail, mention_broken_tiers, workspace_of
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.extras import require_extra

HOST, PORT = "127.0.0.1", 3000
_LAST_PORT = 65535
_SUPERSEDED = "ignore:Function `dev_command` is superseded:FutureWarning"
_WAIT_SECONDS = 10


def ui(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[
        int, typer.Option(min=1, max=_LAST_PORT - 1, help="Port of Dagster; results at the next.")
    ] = PORT,
) -> None:
    """Show the project in Dagster's UI, and the files of its runs beside it, until Ctrl-C.

    What Dagster links to (reports, JUnit, logs) is served at the next port, for this machine alone.
    """
    project = current_project()
    variables = {"DAGSTER_HOME": str(project.root / "dagster_home"), **os.environ}
    workspace = workspace_of(variables)
    try:
        require_extra("ui", purpose="Dagster's UI")
    except FloeTestsError as error:
        fail(str(error))
    _require_free(host, port)
    website = "FLOE_TESTS_OUTPUT_URL" not in os.environ
    if website:
        _require_free(host, port + 1)
        variables["FLOE_TESTS_OUTPUT_URL"] = f"http://{host}:{port + 1}/"
    workspace.home.mkdir(parents=True, exist_ok=True)
    mention_broken_tiers()
    typer.echo(f"Dagster  http://{host}:{port}   (Ctrl-C ends it)")
    typer.echo(f"results  {variables['FLOE_TESTS_OUTPUT_URL']}")
    # Dagster says of its own command that `dg dev` has the same; that is no dependency of runs.
    variables["PYTHONWARNINGS"] = ",".join(
        filter(None, [os.environ.get("PYTHONWARNINGS"), _SUPERSEDED])
    )
    workspace_file = project.root / "workspace.yaml"
    what = ("--module-name", project.definitions_module, "--working-directory", str(project.source))
    dagster = [
        *(str(Path(sys.executable).with_name("dagster")), "dev"),
        *(("--workspace", str(workspace_file)) if workspace_file.is_file() else what),
        *("--host", host, "--port", str(port)),
    ]
    serve = [
        *(str(Path(sys.executable).with_name("floe-tests")), "serve"),
        *("--host", host, "--port", str(port + 1)),
    ]
    with _beside(serve if website else None, variables):
        raise typer.Exit(_run(dagster, variables, project.root))


def _require_free(host: str, port: int) -> None:
    """End where somebody listens already: Dagster would take another port and not say so."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while attempting")[0]
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {reason}"
        other = port + 2 if port + 3 <= _LAST_PORT else PORT
        fail(
            f"{host}:{port} {why}. Choose another port: make ui PORT={other}, or "
            f"floe-tests ui --port {other}. Dagster takes it, and the results the next."
        )


@contextlib.contextmanager
def _beside(command: list[str] | None, variables: Mapping[str, str]) -> Generator[None]:
    """Run a program beside what is done, and end it after."""
    if command is None:
        yield
        return
    with subprocess.Popen(  # noqa: S603 - a list of words
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_WAIT_SECONDS)
            process.kill()


def _run(command: list[str], variables: Mapping[str, str], folder: Path) -> int:
    """Run a program to its end, which a signal to this one brings about."""
    # A script's `floe-tests ui &` ignores SIGINT and hands that on; Dagster ends its own by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command, env=variables, cwd=folder) as process:  # noqa: S603 - a list of words

        def hand_on(_number: int, _frame: FrameType | None) -> None:
            process.terminate()

        # Ctrl-C reaches the program as well, which ends in order; this waits for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, hand_on)
        code = process.wait()
    return 0 if code in {0, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT} else code
