"""How `floe-tests ui` starts what it shows."""

from __future__ import annotations

import subprocess
import sys

_CHILD = "import signal; print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
# As a shell starts `floe-tests ui &` in a script.
_IN_BACKGROUND = f"""
import os, pathlib, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
from floe_tests.cli import ui
sys.exit(ui._run([sys.executable, "-c", {_CHILD!r}], os.environ, pathlib.Path()))
"""


def test_what_a_script_starts_in_the_background_can_be_interrupted() -> None:
    """Dagster ends its own programs by SIGINT: with it ignored, `kill` ended nothing."""
    said = subprocess.run(
        [sys.executable, "-c", _IN_BACKGROUND],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert said.stdout.strip() == "False"
