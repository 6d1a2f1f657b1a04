"""A command that outlives its step of CI: a cancelled step has 10 s, a cluster takes longer."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / ".ci" / "detached"

# As a tier does: it says that it has begun, and takes its time once it is asked to end.
WORK = """
trap 'sleep 1; echo "gave the cluster back"; exit 1' TERM
echo "has begun"
while :; do sleep 0.1; done
"""

Start = Callable[[Sequence[str]], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start it as a step of GitHub does: signals at their defaults, its output read to its end."""

    def start(words: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["env", "--default-signal=INT,TERM", PROGRAM, *words],
            env={**os.environ, "RUNNER_TEMP": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def test_it_shows_all_that_a_command_prints_and_has_its_exit_code(start: Start):
    step = start(["sh", "-c", 'echo "$1"; echo err >&2; exit 3', "sh", "two words"])

    output, _ = step.communicate(timeout=30)

    assert (step.returncode, output.splitlines()) == (3, ["two words", "err"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_goes_on_without_its_step_and_ends_in_its_own_time(
    start: Start, number: signal.Signals
):
    step = start(["bash", "-c", WORK])
    assert step.stdout is not None
    assert step.stdout.readline() == "has begun\n"

    step.send_signal(number)
    output, _ = step.communicate(timeout=7)
    assert step.returncode != 0
    command = int(output.split()[1])
    os.kill(command, 0)  # it is there

    ending = start(["--end"])
    output, _ = ending.communicate(timeout=30)
    assert (ending.returncode, output) == (0, "has begun\ngave the cluster back\n")


def test_there_is_nothing_to_end_after_a_command_that_came_to_its_end(start: Start):
    start(["true"]).communicate(timeout=30)

    ending = start(["--end"])

    assert ending.communicate(timeout=30) == ("", None)
    assert ending.returncode == 0


def test_without_a_command_it_says_how_it_is_used(start: Start):
    step = start([])

    output, _ = step.communicate(timeout=30)

    assert step.returncode == 2
    assert output.startswith("usage: .ci/detached COMMAND")
