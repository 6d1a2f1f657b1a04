"""A run interrupted: the reason in words, and signals held back where they would do harm.

Dagster turns SIGINT and SIGTERM into an exception that is raised wherever the main thread happens
to be. Inside a lock that is just being taken, the lock stays taken, and the clean-up that needs it
waits forever: such places defer signals. And a second Ctrl-C, or the SIGTERM that CI sends after
its SIGINT, would leave half a cluster behind: clean-up holds signals back.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import ParamSpec, TypeVar

from floe_tests.core.log import Log

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)

_holding: list[None] = []


def no_reason() -> str | None:
    """Say that nobody left a reason for a cancellation."""
    return None


def reason_of(interrupt: BaseException, why: Callable[[], str | None], *, doing: str) -> str:
    """Word why a run ends early: the reason that was left for it, or what interrupted it.

    Args:
        interrupt: What was raised.
        why: Returns the reason that was left.
        doing: What was going on, such as a stage's name.
    """
    left = why()
    return left or f"interrupted in {doing} ({type(interrupt).__name__})"


@contextlib.contextmanager
def deferred_signals() -> Generator[None]:
    """Defer SIGINT and SIGTERM to the end of the block, which must be short.

    Off the main thread, where Python runs no handlers, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []

    def defer(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))

    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    try:
        for number in _INTERRUPTS:
            signal.signal(number, defer)
        yield
    finally:
        # One by one: the first to be back may raise at once.
        try:
            signal.signal(signal.SIGINT, before[signal.SIGINT])
        finally:
            signal.signal(signal.SIGTERM, before[signal.SIGTERM])
        # Also where the block ends in an exception: a queue that stays empty is how most waits end.
        for number, frame in came[:1]:
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)
            else:
                signal.raise_signal(number)


def uninterrupted(call: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return a function that defers signals while it runs."""

    @functools.wraps(call)
    def deferring(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with deferred_signals():
            return call(*args, **kwargs)

    return deferring


def are_held() -> bool:
    """Whether signals are held back just now: what takes long has to be short then."""
    return bool(_holding)


@contextlib.contextmanager
def held_signals(log: Log) -> Generator[None]:
    """Hold SIGINT and SIGTERM back for as long as the block runs, and say so when one comes.

    Off the main thread, where Python allows no handlers, this does nothing.

    Args:
        log: Receives a line for each signal that was held back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hold(number: int, _frame: FrameType | None) -> None:
        log(f"{signal.Signals(number).name} held back: the environment is being removed.")

    before = {number: signal.signal(number, hold) for number in _INTERRUPTS}
    _holding.append(None)
    try:
        yield
    finally:
        _holding.pop()
        for number, handler in before.items():
            signal.signal(number, handler)
