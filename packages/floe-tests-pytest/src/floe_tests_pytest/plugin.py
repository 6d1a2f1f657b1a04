"""Decides what of the plugin takes part in a session."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from floe_tests_pytest import ending, sharding
from floe_tests_pytest.collection import Collection
from floe_tests_pytest.results import results_directory

if TYPE_CHECKING:
    import pytest

# Set while a session takes part. Tests run pytest too: what they start must neither overwrite this
# session's count nor be cut into shards.
SESSION_VARIABLE = "FLOE_TESTS_PYTEST_SESSION"

# Options with which pytest collects tests and runs none.
_LOOKS = ("collectonly", "showfixtures", "show_fixtures_per_test")


def pytest_configure(config: pytest.Config) -> None:
    """Register what this session needs; nothing for one that leaves no results and is no shard."""
    is_worker = hasattr(config, "workerinput")
    runs_none = any(config.getoption(name, default=False) for name in _LOOKS)
    if runs_none or (SESSION_VARIABLE in os.environ and not is_worker):
        return
    directory = results_directory(config)
    shard = sharding.shard_of(os.environ)
    if shard is not None:
        selection = sharding.Selection(shard, directory)
        config.pluginmanager.register(selection, "floe-tests-shard")
    if is_worker:
        return  # the controller counts and ends
    if directory is not None:
        config.pluginmanager.register(Collection(config, directory), "floe-tests-collection")
        ending.end_in_time(config, directory)
        ending.end_when_told(config)
    if directory is not None or shard is not None:
        os.environ[SESSION_VARIABLE] = str(os.getpid())
        config.add_cleanup(_no_session)


def _no_session() -> None:
    os.environ.pop(SESSION_VARIABLE, None)
