"""Commands of this machine that leave nothing behind: real processes, in every way to hide."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from floe_tests.execution import launched, launcher
from floe_tests.execution.launched import ATTEMPT_VARIABLE, LaunchedCommand

ENVIRONMENT = {"PATH": os.environ["PATH"]}
# A daemon writes its id into its folder when it is on its own, and then sleeps.
DAEMON = "echo $$ > daemon.new; mv daemon.new daemon; exec sleep 60"
IS_LINUX = sys.platform == "linux"
Launch = Callable[..., LaunchedCommand]


@pytest.fixture
def mark() -> str:
    """What the test's commands have in their environment."""
    return f"test/{uuid.uuid4()}"


@pytest.fixture
def launch(tmp_path: Path, mark: str) -> Iterator[Launch]:
    """Starts commands, and ends what a failing test has left."""

    def start(*words: str) -> LaunchedCommand:
        return LaunchedCommand(
            words, mark=mark, environment=ENVIRONMENT, directory=tmp_path, output=tmp_path / "log"
        )

    yield start
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(ATTEMPT_VARIABLE) == mark:
                process.kill()


def wait(command: LaunchedCommand, seconds: float = 20) -> int:
    end = time.monotonic() + seconds
    while command.exit_code is None:
        assert time.monotonic() < end, "the command does not end"
        time.sleep(0.01)
    command.kill_what_is_left()
    return command.exit_code


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def daemon_of(folder: Path) -> int:
    return int((folder / "daemon").read_text())


WAIT = "while [ ! -e daemon ]; do sleep 0.01; done"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"sh -c '{DAEMON}' & {WAIT}", id="in the background"),
        pytest.param(f"nohup sh -c '{DAEMON}' >/dev/null 2>&1 & {WAIT}", id="nohup"),
        pytest.param(f"setsid sh -c '{DAEMON}' & {WAIT}", id="setsid"),
        pytest.param(f"(setsid sh -c '(setsid sh -c \"{DAEMON}\" &)' &); {WAIT}", id="forks twice"),
        pytest.param(
            f"(setsid env -i $(command -v sh) -c '{DAEMON}' &); {WAIT}",
            id="without its environment",
            marks=pytest.mark.skipif(not IS_LINUX, reason="the system has no subreapers"),
        ),
        pytest.param(f"setsid sh -c 'trap \"\" TERM HUP INT; {DAEMON}' & {WAIT}", id="deaf"),
    ],
)
def test_a_daemon_ends_with_the_command(launch: Launch, tmp_path: Path, script: str) -> None:
    """As in a pod. One that stays would hold a port, a lock or a database of the next run."""
    command = launch("sh", "-c", script.replace("$$", "\\$\\$") if "twice" in script else script)

    assert wait(command) == 0
    assert not is_alive(daemon_of(tmp_path))


def test_a_daemon_is_found_when_the_tests_kill_what_is_above_them(
    launch: Launch, tmp_path: Path
) -> None:
    command = launch("sh", "-c", f"setsid sh -c '{DAEMON}' & {WAIT}; kill -9 $PPID; sleep 60")

    assert wait(command) == 128 + signal.SIGKILL
    assert not is_alive(daemon_of(tmp_path))


def test_who_is_no_descendant_is_left_alone(launch: Launch) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        try:
            assert wait(launch("sh", "-c", f"setsid sh -c '{DAEMON}' & {WAIT}")) == 0
            assert other.poll() is None
        finally:
            other.kill()


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("exit 0", 0, id="0"),
        pytest.param("exit 5", 5, id="5"),
        pytest.param("kill -SEGV $$", 139, id="SIGSEGV"),
        pytest.param("kill -ABRT $$", 134, id="SIGABRT"),
        pytest.param("kill -KILL $$", 137, id="SIGKILL"),
        pytest.param("exit 139", 139, id="a shell's word"),
    ],
)
def test_the_exit_code_is_the_commands_as_in_a_pod(launch: Launch, script: str, code: int) -> None:
    assert wait(launch("sh", "-c", f"ulimit -c 0; {script}")) == code


def test_orphans_that_end_before_the_command_are_not_taken_for_it(launch: Launch) -> None:
    assert (
        wait(launch("sh", "-c", "(sh -c 'exit 7' &); (sh -c 'exit 8' &); sleep 0.2; exit 3")) == 3
    )


def test_stopping_asks_first(launch: Launch, tmp_path: Path) -> None:
    """pytest writes its report then."""
    command = launch(
        "sh",
        "-c",
        "trap 'echo ended > said; exit 4' TERM; touch ready; while :; do sleep 0.02; done",
    )
    until((tmp_path / "ready").exists)

    command.stop()

    assert command.exit_code == 4
    assert (tmp_path / "said").read_text() == "ended\n"


def test_who_does_not_listen_is_killed_with_all_that_it_started(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launched, "_STOP_SECONDS", 0.3)
    command = launch("sh", "-c", f"trap '' TERM; setsid sh -c '{DAEMON}' & {WAIT}; sleep 60")
    until((tmp_path / "daemon").exists)

    command.stop()

    assert command.exit_code == 128 + signal.SIGKILL
    assert not is_alive(daemon_of(tmp_path))


def test_a_command_that_is_not_there_is_told_at_once(launch: Launch) -> None:
    with pytest.raises(OSError, match="no-such-program"):
        launch("no-such-program")


def test_a_command_that_may_not_be_run_is_told_at_once(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("no program")

    with pytest.raises(OSError, match="Permission denied"):
        launch(str(tmp_path / "data.txt"))


def test_an_interrupt_while_it_starts_leaves_nothing(
    launch: Launch, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal that came meanwhile is raised before anybody has the process in hand."""
    others = set(psutil.Process().children())
    started: list[psutil.Process] = []

    @contextmanager
    def interrupted() -> Iterator[None]:
        yield
        # It may not have its environment yet.
        started.extend(set(psutil.Process().children()) - others)
        raise KeyboardInterrupt

    monkeypatch.setattr(launched, "deferred_signals", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch("sleep", "60")

    assert started
    assert not any(is_alive(process.pid) for process in started)
    assert not any(mark_of(process) == mark for process in psutil.process_iter())


def mark_of(process: psutil.Process) -> str:
    with suppress(psutil.Error, OSError):
        return process.environ().get(ATTEMPT_VARIABLE, "")
    return ""


def test_it_gets_the_variables_that_it_is_given_and_no_others(
    launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_0")

    wait(launch("env"))

    names = {line.partition("=")[0] for line in (tmp_path / "log").read_text().splitlines()}
    # Python's own, of a C locale (PEP 538).
    assert names - {"LC_CTYPE"} == {"PATH", ATTEMPT_VARIABLE}


def test_its_memory_is_counted_without_the_launchers(launch: Launch) -> None:
    command = launch("sh", "-c", "sleep 60")
    until(lambda: command.memory_bytes > 0)

    assert command.memory_bytes < psutil.Process().memory_info().rss

    command.stop()
    assert command.memory_bytes == 0


def test_a_storm_of_forks_is_given_up_in_time() -> None:
    """And it is told whether anything is left."""
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert launcher.kill_descendants(psutil.Process(child.pid), seconds=0)
            assert child.poll() is None
            assert not launcher.kill_descendants(psutil.Process(), seconds=0)
        finally:
            child.kill()
