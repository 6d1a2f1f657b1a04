"""`floe-tests explain`: a page of the documentation, in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from floe_tests.cli.common import fail
from floe_tests.config.wording import meant


def explain(
    what: Annotated[str, typer.Argument(help="`job`: what a suite's test-job.yaml must hold.")],
) -> None:
    """Explain a contract: `job` is what a suite must have, and what a run adds to it."""
    from floe_tests.report import contract

    pages: dict[str, Callable[[], str]] = {"job": contract.for_terminal}
    if what not in pages:
        fail(f"there is no page {what}.{meant(what, pages)} There are: {', '.join(pages)}.")
    text = pages[what]()
    if sys.stdout.isatty():
        Console(highlight=False).print(Markdown(text))
    else:
        typer.echo(text)
