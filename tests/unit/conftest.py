"""What a unit test may do: no process of its own, whatever programs this machine has."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.project import project, step_clock

__all__ = ["project", "step_clock"]

_EVENTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"})
# Fixtures that start one; a test that uses them runs with those in tests/functional.
_STARTERS = frozenset({"mixed_run", "postgres_server", "postgres_url", "run_pytest"})


class NoProcessError(OSError):
    """A unit test would have started a program: mark it `functional`."""


class _Guard:
    """Refuses to start programs, as a machine does that has none."""

    def __init__(self) -> None:
        self.is_on = False
        sys.addaudithook(self._look)

    def _look(self, event: str, words: tuple[object, ...]) -> None:
        if self.is_on and event in _EVENTS:
            message = f"a unit test starts no process ({words[0] if words else event}): "
            raise NoProcessError(message + "mark it functional, or have it need no program")


_GUARD = _Guard()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes by its fixtures."""
    for item in items:
        if _STARTERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.functional)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Refuse programs to what is not marked."""
    _GUARD.is_on = item.get_closest_marker("functional") is None
    try:
        return (yield)
    finally:
        _GUARD.is_on = False
