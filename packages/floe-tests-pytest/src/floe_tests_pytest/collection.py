"""How many tests a session is about to run.

A results file says which tests reported. Only the collection says how many should have, so that a
reader can tell a complete run from one that was cut off.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from floe_tests_pytest import sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


class Collection:
    """Writes collection.json when the session knows its tests."""

    def __init__(self, config: pytest.Config, directory: Path) -> None:
        """Begin with no test.

        Args:
            config: The session's.
            directory: Where the session's results go.
        """
        self._config = config
        self._directory = directory
        self._id = os.urandom(8).hex()
        self._deselected: list[str] = []
        self._most = -1
        self._has_begun = False

    def pytest_sessionstart(self) -> None:
        """Say that there is one more session: it may end before it knows its tests."""
        self._has_begun = True
        self._add(None, None)

    def pytest_unconfigure(self) -> None:
        """Say that a session that came to its end without tests has none."""
        if self._has_begun:
            self._write([], [])

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note what `-k`, `-m`, a conftest or a shard took out of this run."""
        self._deselected += [item.nodeid for item in items]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the count, unless workers collect: this process then has no tests of its own."""
        if not session.config.pluginmanager.hasplugin("dsession"):
            self._write([item.nodeid for item in session.items], self._deselected)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(
        self,
        node: object,  # noqa: ARG002 - pytest-xdist's signature
        ids: Sequence[str],
    ) -> None:
        """Write the first worker's count: pytest-xdist refuses to run where they differ.

        What a worker deselected is not told to the controller.
        """
        self._write(ids, None)

    def _write(self, collected: Sequence[str], deselected: Iterable[str] | None) -> None:
        if len(collected) <= self._most:
            return
        self._most = len(collected)
        self._add(collected, deselected)

    def _add(self, collected: Iterable[str] | None, deselected: Iterable[str] | None) -> None:
        def keys(ids: Iterable[str] | None) -> tuple[str, ...] | None:
            return None if ids is None else sessions.keys_of(self._config, ids)

        report = sessions.report_of(self._config)
        session = sessions.Session(self._id, report, keys(collected), keys(deselected))
        sessions.add(self._directory, session)
