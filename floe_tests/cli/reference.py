"""Every command as a page: docs/cli.md is made here by `make docs`, never written by hand."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.core import TyperGroup
from typer.main import get_command

from floe_tests.cli.app import app

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
_PROGRAM = "floe-tests"
_ENTRY = re.compile(r"^\* `(?P<name>[\w-]+)`(?:: .*)?$", re.MULTILINE)


def markdown() -> str:
    """Return the page: what typer says of each command, its summaries in full and linked."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)  # noqa: S101 - for the type: the program has commands
    text = get_docs_for_click(
        obj=group, ctx=typer.Context(group), name=_PROGRAM, title="The command line"
    )

    def linked(entry: re.Match[str]) -> str:
        name = entry["name"]
        summary = (group.commands[name].help or "").partition("\n\n")[0].replace("\n", " ")
        return f"* [`{name}`](#{_PROGRAM}-{name}): {summary}"

    before, heading, commands = text.partition("**Commands**:")
    listed, first, rest = commands.partition("\n## ")
    made = f"<!-- Made by `make docs` from {_PROGRAM}'s own help: change it there. -->\n\n"
    return f"{made}{before}{heading}{_ENTRY.sub(linked, listed)}{first}{rest}".rstrip() + "\n"


if __name__ == "__main__":
    _PAGE.write_text(markdown())
