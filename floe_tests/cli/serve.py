"""`floe-tests serve`: the results of all runs as a website."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from floe_tests.cli.common import fail, workspace_of
from floe_tests.core.errors import FloeTestsError

if TYPE_CHECKING:
    pass


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 3001,
    path: Annotated[
        str, typer.Option(help="Where on its host the site begins, such as `/reports`.")
    ] = "/",
) -> None:
    """Show the results of all runs in a browser: reports, JUnit, what pods sent. Read-only.

    Set FLOE_TESTS_OUTPUT_URL to its address, and the assets in Dagster link to it. It asks nobody
    who they are: put what does in front of it before others can reach it.
    """
    from floe_tests.core.extras import require_extra

    try:
        require_extra("ui", purpose="the website of the results")
        from floe_tests.report.server import serve as run_server

        output = workspace_of(os.environ).output
        run_server(output, host=host, port=port, path=path, say=typer.echo)
    except FloeTestsError as error:
        fail(str(error))
