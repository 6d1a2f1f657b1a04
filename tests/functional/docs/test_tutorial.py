"""The tutorial works as it stands: its files are written, its commands run, its output compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "tutorial.md"
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
# What makes the environment, which the tests have already, and the folder that they are in.
NOT_RUN = ("python3 -m venv", "pip install", "mkdir shop")
# What differs from run to run: times, ids, durations.
DIFFERS = [
    (r"\d{4}-\d\d-\d\d(T[\d:.+]+| \d\d:\d\d)", "WHEN"),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"(?<![\w])[0-9a-f]{8}(?![\w])(-[0-9a-f-]{27})?", "RUN"),
    (r"\[\d+( of \d+)?\]", "[N]"),
    (r"\d+(\.\d+)? s\b", "N s"),
    (r" \d\.\d\d( |$)", " SECONDS "),
    (r"Python +[\d.]+", "Python VERSION"),
]


def plain(text: str, home: Path) -> str:
    """Return output without frames, line breaks and what differs from run to run."""
    text = text.replace(str(home), "/home/you")
    for pattern, word in DIFFERS:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return " ".join(re.sub(r"[╭╮╰╯│─]", " ", text).split())


@pytest.mark.timeout(600)
def test_every_command_of_the_tutorial_prints_what_the_page_shows(tmp_path: Path):
    folder = tmp_path / "shop"
    folder.mkdir()
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLOE", "DAGSTER"))
    }
    variables |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "240"}
    printed: str | None = None
    compared = 0

    for kind, title, body in FENCE.findall(PAGE.read_text()):
        if title:
            (folder / title).parent.mkdir(parents=True, exist_ok=True)
            (folder / title).write_text(body)
        elif kind == "bash":
            lines = [line for line in body.splitlines() if not line.startswith(NOT_RUN)]
            done = subprocess.run(
                ["bash", "-c", "\n".join(lines)],
                cwd=folder,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
            )
            printed = plain(done.stdout, tmp_path)
            assert "Traceback" not in done.stdout + done.stderr
        elif kind == "text":
            assert printed is not None
            rest = printed
            for shown in filter(None, (plain(part, tmp_path) for part in body.split("…\n"))):
                assert shown in rest, f"the page shows:\n{shown}\n\nprinted was:\n{printed}"
                rest = rest.partition(shown)[2]
            compared += 1

    assert compared >= 8, "the page lost its commands"
