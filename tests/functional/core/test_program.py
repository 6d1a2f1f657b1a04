"""Programs that are called: real small ones, and how each way to go wrong is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError, DeadlineError, ProgramError
from floe_tests.exporter import settings

PYTHON = sys.executable


def call(*words: str, **options: object) -> str:
    return program.run(words, **{"deadline": Deadline(30), **options})  # pyright: ignore[reportArgumentType] - options of the test


def test_standard_output_is_returned_and_errors_are_not():
    assert call("sh", "-c", "echo out; echo err >&2") == "out\n"


def test_every_line_is_in_the_log_while_the_program_still_runs():
    """A kind cluster takes half a minute; a log that comes at its end looks like a hang."""
    seen = threading.Event()
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        if "first" in line and line.startswith("  "):
            seen.set()
            # Only a line that is logged at once ends the program: it waits for this file.
            Path(marker).touch()

    marker = f"/tmp/floe-tests-unit-{os.getpid()}-seen"  # noqa: S108 - removed below
    script = f"echo first; while [ ! -e {marker} ]; do sleep 0.02; done; echo last >&2"
    try:
        call("sh", "-c", script, log=log)
    finally:
        Path(marker).unlink(missing_ok=True)

    assert seen.is_set()
    assert lines[0].startswith("$ sh -c ")
    assert sorted(lines[1:]) == ["  first", "  last"]


def test_input_environment_and_directory_reach_the_program(tmp_path: Path):
    script = 'echo "$(cat) $COLOUR $(pwd)"'

    found = call(
        "sh", "-c", script, stdin="text", environment={"COLOUR": "red"}, directory=tmp_path
    )

    assert found == f"text red {tmp_path}\n"


def test_output_that_is_no_utf8_does_not_end_the_run():
    assert call("printf", r"a\377b\n") == "a�b\n"


def test_a_failing_program_is_told_with_a_command_that_can_be_pasted():
    with pytest.raises(ProgramError) as raised:
        call("sh", "-c", "echo 'no space left' >&2; exit 3", remedy="Free some disk.")

    error = raised.value
    assert (error.exit_code, error.output_tail) == (3, "no space left")
    assert "ended with exit code 3" in str(error)
    assert "Free some disk." in str(error)
    pasted = subprocess.run(error.command, shell=True, check=False, capture_output=True, text=True)  # noqa: S602 - pasted into a shell
    assert (pasted.returncode, pasted.stderr) == (3, "no space left\n")


def test_the_message_holds_the_end_of_a_long_output():
    with pytest.raises(ProgramError) as raised:
        call("sh", "-c", "seq 1 500; exit 1")

    assert raised.value.output_tail.splitlines() == [str(number) for number in range(461, 501)]


def test_a_program_of_a_run_says_whose_it_is_and_others_keep_what_they_inherit(
    monkeypatch: pytest.MonkeyPatch,
):
    """A program outlives the SIGKILL of its orchestrator; the reaper finds it by this variable."""
    monkeypatch.setenv(program.RUN_VARIABLE, "outer")
    ask = ("printenv", program.RUN_VARIABLE)

    with program.started_for("run-1"):
        with program.started_for("run-2"):
            inner = call(*ask)
        again = call(*ask)

    assert (inner, again, call(*ask)) == ("run-2\n", "run-1\n", "outer\n")
    assert program.run_variable() == {}


def test_the_variable_is_the_one_that_test_programs_get():
    assert settings.VARIABLES["run_id"] == program.RUN_VARIABLE


def test_secrets_are_shown_nowhere():
    lines: list[str] = []

    with pytest.raises(ProgramError) as raised:
        call("sh", "-c", "echo hunter2; exit 1", "hunter2", log=lines.append, secrets=["hunter2"])

    shown = "\n".join([str(raised.value), raised.value.command, *map(str, raised.value.evidence)])
    assert "***" in shown
    assert "hunter2" not in shown + "\n".join(lines)


def test_an_empty_secret_hides_nothing():
    with pytest.raises(ProgramError, match="plain"):
        call("sh", "-c", "echo plain; exit 1", secrets=[""])


def test_a_missing_program_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError) as raised:
        program.require("kind", "helm", "docker")

    message = str(raised.value)
    assert "not on PATH: kind, helm, docker" in message
    assert "https://kind.sigs.k8s.io/" in message
    assert "https://helm.sh/" in message
    assert "airgap/run all" in message


def test_an_unknown_program_is_missing_before_anything_starts():
    lines: list[str] = []

    with pytest.raises(ConfigurationError, match="not on PATH: no-such-program"):
        call("no-such-program", log=lines.append)

    assert lines == []


def test_a_program_killed_by_a_signal_is_an_error():
    with pytest.raises(ProgramError) as raised:
        call("sh", "-c", "kill -9 $$")

    assert raised.value.exit_code == -signal.SIGKILL


def test_a_program_that_ends_without_reading_its_input_is_judged_by_its_exit_code():
    """kind refuses a bad flag before it reads its configuration: BrokenPipeError hid why."""
    with pytest.raises(ProgramError, match="unknown flag"):
        call("sh", "-c", "echo unknown flag; exit 1", stdin="x" * 1_000_000)


def test_a_program_that_never_reads_its_input_is_ended_at_the_deadline():
    with pytest.raises(DeadlineError):
        call("sleep", "60", stdin="x" * 1_000_000, deadline=Deadline(0.2))


def survivors(file: Path) -> list[psutil.Process]:
    """Return the processes that the file names and that do not end within some seconds."""
    ids = [int(word) for word in file.read_text().split()]
    assert len(ids) == 2
    _, alive = psutil.wait_procs([psutil.Process(i) for i in ids if psutil.pid_exists(i)], 10)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


# The child ignores SIGTERM, as a child that cleans up does, and outlives the parent that does not.
FAMILY = """
import signal, subprocess, sys, pathlib, os
child = subprocess.Popen([sys.executable, "-c", '''
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(120)
'''], stdout=subprocess.PIPE)
child.stdout.readline()
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
print("creating", flush=True)
signal.pause()
"""


def test_the_deadline_ends_a_program_and_all_that_it_started(tmp_path: Path):
    file = tmp_path / "ids"

    with pytest.raises(DeadlineError, match=r"did not end within 3 s\. Look at it") as raised:
        call(PYTHON, "-c", FAMILY, str(file), deadline=Deadline(3), remedy="Look at it.")

    assert "creating" in str(raised.value)
    assert survivors(file) == []


def test_an_interrupt_ends_the_program_too(tmp_path: Path):
    """Left running after Ctrl-C, kind goes on creating a cluster that nobody removes."""
    file = tmp_path / "ids"

    def interrupt(line: str) -> None:
        if line == "  creating":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        call(PYTHON, "-c", FAMILY, str(file), log=interrupt)

    assert survivors(file) == []
