"""What a unit test may do: no process of its own and no call to another machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.project import project, step_clock

__all__ = ["project", "step_clock"]

_EVENTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"})
# Fixtures that start one; a test that uses them runs with those in tests/functional.
_STARTERS = frozenset({"mixed_run", "postgres_server", "postgres_url", "run_pytest"})


class NotAUnitError(OSError):
    """A unit test would have started a program, or called another machine."""


class _Guard:
    """Refuses both, as a machine does that has no programs and no network."""

    def __init__(self) -> None:
        self.is_on = False
        sys.addaudithook(self._look)

    def _look(self, event: str, words: tuple[object, ...]) -> None:
        if self.is_on and event in _EVENTS:
            message = f"a unit test starts no process ({words[0] if words else event}): "
            raise NotAUnitError(message + "mark it functional, or have it need no program")
        if self.is_on and event == "socket.connect" and not _is_here(words[1]):
            message = f"a unit test calls no other machine ({words[1]}): serve it on 127.0.0.1"
            raise NotAUnitError(message)

    @contextmanager
    def watching(self, item: pytest.Item) -> Iterator[None]:
        """Refuse programs to a test, unless it is marked."""
        self.is_on = item.get_closest_marker("functional") is None
        try:
            yield
        finally:
            self.is_on = False


def _is_here(address: object) -> bool:
    """Whether an address is of this machine: loopback, or a socket in its file system."""
    host = str(address[0]) if isinstance(address, tuple) else "localhost"
    return host.startswith("127.") or host in {"localhost", "::1"}


_GUARD = _Guard()


@pytest.fixture(autouse=True)
def no_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a unit test see the same machine everywhere: one with no programs on PATH."""
    if request.node.get_closest_marker("functional") is None:
        monkeypatch.setenv("PATH", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes by its fixtures."""
    for item in items:
        if _STARTERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.functional)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Refuse programs to what is not marked."""
    with _GUARD.watching(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Refuse them in the test itself. At its end a server of others may be stopped."""
    with _GUARD.watching(item):
        return (yield)
