"""What starts processes: programs, pytest, Dagster runs, browsers, databases. No cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.project import project, step_clock

__all__ = ["project", "step_clock"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that is here, as those are that have siblings in tests/unit."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.functional)
