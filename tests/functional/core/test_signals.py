"""Signals while an environment is given back: held, said, and obeyed again afterwards."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading

import pytest

from floe_tests.core.signals import deferred_signals, held_signals, uninterrupted

REMOVES = """
import sys
from floe_tests.core.signals import deferred_signals, held_signals, uninterrupted

def log(line):
    print(line, flush=True)

with held_signals(log):
    print("removing", flush=True)
    sys.stdin.readline()
    print("removed", flush=True)
print("after", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def remover():
    with subprocess.Popen(
        [sys.executable, "-c", REMOVES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda item: item.name)
def test_a_signal_does_not_stop_a_removal(remover: subprocess.Popen[str], number: signal.Signals):
    assert remover.stdin is not None
    assert remover.stdout is not None
    assert remover.stdout.readline() == "removing\n"

    for _ in range(2):
        remover.send_signal(number)
        assert f"{number.name} held back" in remover.stdout.readline()

    remover.stdin.write("\n")
    remover.stdin.flush()
    assert remover.stdout.readline() == "removed\n"
    assert remover.stdout.readline() == "after\n"


def test_after_the_removal_signals_end_the_process_again(remover: subprocess.Popen[str]):
    assert remover.stdin is not None
    assert remover.stdout is not None
    remover.stdin.write("\n")
    remover.stdin.flush()
    while remover.stdout.readline() != "after\n":
        pass

    remover.send_signal(signal.SIGTERM)

    assert remover.wait(timeout=30) == -signal.SIGTERM


def test_handlers_are_put_back_after_an_error():
    before = signal.getsignal(signal.SIGTERM)

    def fail() -> None:
        with held_signals(print):
            assert signal.getsignal(signal.SIGTERM) is not before
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert signal.getsignal(signal.SIGTERM) is before


def test_off_the_main_thread_it_does_nothing_and_does_not_fail():
    """Dagster's webserver runs steps in threads, where Python allows no handlers."""
    entered: list[bool] = []

    def work() -> None:
        with held_signals(print):
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert entered == [True]


@pytest.mark.parametrize(
    "ending", [pytest.param(None, id="well"), pytest.param(queue.Empty(), id="in an exception")]
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda item: item.name)
def test_a_deferred_signal_comes_after_the_block_however_that_ends(
    number: signal.Signals, ending: Exception | None
):
    """Within a lock that is being taken it would leave the lock taken, and clean-up waiting.

    Lost, it left a run that waits for its pod deaf: each of its waits ends in an empty queue.
    """
    reached: list[str] = []

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def work() -> None:
        with deferred_signals():
            signal.raise_signal(number)
            reached.append("the end of the block")
            if ending is not None:
                raise ending

    before = signal.signal(number, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)
    assert reached == ["the end of the block"]


def test_without_a_signal_a_deferring_function_is_the_function():
    assert uninterrupted(max)(1, 2) == 2


def test_off_the_main_thread_nothing_is_deferred_and_nothing_fails():
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(uninterrupted(max)(1, 2)))
    thread.start()
    thread.join(timeout=10)

    assert answers == [2]
