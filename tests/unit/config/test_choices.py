"""What a run chooses, held against its tier: groups that its suites cannot know are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.choices import knows_groups, variables_of
from floe_tests.config.selection import Selection
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError


def tier(*command: str) -> TierSettings:
    return TierSettings.model_validate(
        {
            "name": "t",
            "description": "x",
            "environments": ["local"],
            "suites": [{"name": "a", "command": command}],
        }
    )


def write(root: Path, text: str) -> None:
    (root / "checks").mkdir()
    (root / "checks" / "test_a.py").write_text(text)


@pytest.mark.parametrize(
    ("container", "knows"),
    [
        ({"command": ["pytest", "tests"]}, True),
        ({"command": ["/opt/venv/bin/python", "-m", "pytest"]}, True),
        ({"command": ["sh", "-c", "pytest tests; echo done"]}, True),
        ({"command": ["/bin/sh"], "args": ["-c", "py.test"]}, True),
        ({"command": ["bash", "run.sh"]}, False),
        ({"command": ["gotestsum", "./..."]}, False),
        ({"command": ["bash", "run.sh"], "env": [{"name": "PYTEST_ADDOPTS", "value": ""}]}, True),
        ({}, True),  # the image's own command is not known
    ],
)
def test_a_command_knows_groups_where_it_is_pytests(container: dict[str, Any], *, knows: bool):
    assert knows_groups(container) is knows


def test_groups_of_a_suite_that_is_not_pytests_are_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"suite a cannot choose.*`bash run\.sh`"):
        variables_of(Selection(("slow",)), tier("bash", "run.sh"), tmp_path)
    with pytest.raises(ConfigurationError, match="suite a cannot choose"):
        variables_of(Selection((), ("slow",)), tier("bash", "run.sh"), tmp_path)
    assert variables_of(Selection(), tier("bash", "run.sh"), tmp_path) == {"a": {}}


def test_a_group_that_no_source_mentions_is_refused_with_the_one_that_is_meant(tmp_path: Path):
    write(tmp_path, "import pytest\n@pytest.mark.slow\ndef test_a(): pass\n")

    with pytest.raises(ConfigurationError, match=r"Did you mean slow\?"):
        variables_of(Selection(("slwo",)), tier("pytest", "checks"), tmp_path)
    assert variables_of(Selection(("slow",)), tier("pytest", "checks"), tmp_path) == {"a": {}}


def test_a_marker_that_is_only_registered_or_added_is_known(tmp_path: Path):
    write(tmp_path, "def test_a(): pass\n")
    (tmp_path / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    items[0].add_marker('nightly')\n"
    )

    assert variables_of(Selection(("nightly",)), tier("pytest", "checks"), tmp_path) == {"a": {}}


def test_of_sources_that_are_in_an_image_nothing_is_guessed(tmp_path: Path):
    wanted = Selection(("anything",))

    assert variables_of(wanted, tier("pytest", "/opt/tests"), tmp_path) == {"a": {}}
