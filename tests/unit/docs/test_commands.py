"""Every command that the documentation shows is one that there is.

Those of the tutorial run: tests/functional/docs/test_tutorial.py.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dagster._cli import create_dagster_cli
from dagster_dg_cli.cli import create_dg_cli
from typer.main import get_command

from floe_tests.cli.app import app

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([\w-]+):", MAKEFILE, flags=re.MULTILINE))
PROGRAMS: dict[str, Any] = {
    "floe-tests": get_command(app),
    "dagster": create_dagster_cli(),
    "dg": create_dg_cli(),
}
FENCE = re.compile(r"^( *)```+(\w*).*\n((?:.*\n)*?)\1```+ *$", re.MULTILINE)
# A paragraph of four spaces; below an entry of a list that would be its text.
INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n+)+")
SHELLS = {"", "bash", "sh", "console", "shell"}


class Command(NamedTuple):
    """A command as a page shows it."""

    page: str
    words: list[str]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)[:60]}"


def blocks(text: str) -> Iterator[str]:
    """Return what is set as code: blocks for a shell, and words of our own programs in a line."""
    rest = text
    for fence in FENCE.finditer(text):
        rest = rest.replace(fence[0], "")
        if fence[2] in SHELLS:
            body = fence[3]
            prompts = re.findall(r"^\s*\$ (.*)$", body, flags=re.MULTILINE)
            yield "\n".join(prompts) if prompts else body
    yield from INDENTED.findall(rest)
    yield from re.findall(r"`((?:\.venv/bin/(?=\w)|make |floe-tests |dagster |dg )[^`\n]*)`", rest)


def commands(page: Path) -> Iterator[Command]:
    for block in blocks(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line, comments=True)
            except ValueError:  # output, in which an apostrophe is no quotation mark
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*|\$|exec|export", words[0]):
                words.pop(0)
            first = words[0] if words else ""
            if first in {*PROGRAMS, "make"} or first.startswith((".venv/bin/", "./", ".ci/")):
                for stop in ("&&", "|", ";", ","):
                    words = words[: words.index(stop)] if stop in words else words
                yield Command(page.name, words)


SHOWN = [command for page in PAGES for command in commands(page)]


def complaint(program: Any, words: list[str]) -> str | None:
    """Return what is wrong with the words after a program's name; None where nothing is."""
    options = {"--help"}
    while hasattr(program, "get_command"):
        # A name of the reader's, or a component: what dg knows of those depends on the project.
        if not words or words[0].startswith("-") or words[0].isupper() or "." in words[0]:
            break
        found = program.get_command(None, words[0])
        if found is None:
            return f"no command {words[0]}"
        program, words = found, words[1:]
    for parameter in program.params:
        options |= {*parameter.opts, *parameter.secondary_opts}
    unknown = [
        word
        for word in words
        if re.match(r"--?[a-zA-Z]", word) and word.split("=")[0] not in options
    ]
    return f"no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("command", SHOWN, ids=str)
def test_a_command_is_one_that_there_is_and_so_are_its_options(command: Command):
    program, *words = command.words
    name = Path(program).name
    if program == "make":
        names = {word.partition("=")[0] for word in words if "=" in word}
        assert {word for word in words if "=" not in word} <= TARGETS
        assert all(re.search(rf"\$\({name}\)|\$\(or \$\({name}\)", MAKEFILE) for name in names)
    elif name in PROGRAMS:
        assert complaint(PROGRAMS[name], words) is None
    elif program.startswith(".venv/"):
        assert os.access(Path(sys.prefix) / "bin" / name, os.X_OK)
    else:
        assert os.access(ROOT / program, os.X_OK)


def test_the_pages_show_commands_of_every_kind():
    programs = {Path(command.words[0]).name for command in SHOWN}

    assert {"floe-tests", "make", "dagster", "pytest"} <= programs
    assert len(SHOWN) > 100


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("floe-tests rnu smoke", "no command rnu"),
        ("floe-tests run smoke --enviroment kind", "no option --enviroment"),
        ("dagster job exceute -j smoke", "no command exceute"),
        ("dg check yaml --no-such-option", "no option --no-such-option"),
    ],
)
def test_a_wrong_one_would_be_seen(line: str, said: str):
    program, *words = line.split()

    assert complaint(PROGRAMS[program], words) == said
