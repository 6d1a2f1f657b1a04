"""The page of commands says what the program says of itself."""

from __future__ import annotations

import re
from pathlib import Path

from typer.main import get_command

from floe_tests.cli.app import app
from floe_tests.cli.reference import markdown

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def test_the_page_in_docs_is_the_one_that_the_program_gives():
    assert PAGE.read_text() == markdown(), "docs/cli.md is stale: run `make docs`"


def test_every_command_has_a_section_and_every_option_a_line():
    page = markdown()

    for name, command in get_command(app).commands.items():
        assert f"* [`{name}`](#floe-tests-{name}): " in page
        section = page.partition(f"\n## `floe-tests {name}`\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert any(option in section for option in parameter.opts), parameter.name
    assert not re.search(r"\w\.\.\.$", page, flags=re.MULTILINE), "a summary that is cut off"
