"""How many tests a session is about to run.

A results file says which tests reported. Only the collection says how many should have, so that a
reader can tell a complete run from one that was cut off.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from floe_tests_pytest.results import write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "collection.json"


class Collection:
    """Writes collection.json when the session knows its tests."""

    def __init__(self, directory: Path) -> None:
        """Begin with no test.

        Args:
            directory: Where the session's results go.
        """
        self._directory = directory
        self._deselected = 0
        self._most = -1

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count what `-k`, `-m`, a conftest or a shard took out of this run."""
        self._deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the count, unless workers collect: this process then has no tests of its own."""
        if not session.config.pluginmanager.hasplugin("dsession"):
            self._write(len(session.items), self._deselected)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(
        self,
        node: object,  # noqa: ARG002 - pytest-xdist's signature
        ids: Sequence[str],
    ) -> None:
        """Write the first worker's count: pytest-xdist refuses to run where they differ.

        What a worker deselected is not told to the controller.
        """
        self._write(len(ids), None)

    def _write(self, collected: int, deselected: int | None) -> None:
        if collected <= self._most:
            return
        self._most = collected
        counts = {"collected": collected, "deselected": deselected}
        write(self._directory / FILE, json.dumps(counts) + "\n")
