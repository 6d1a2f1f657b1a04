"""The page of environment variables says what the sources read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from floe_tests.config.environment_variables import GROUPS
from floe_tests.report.environment import markdown

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "environment.md"
# Not read: a run sets them for its tests and processes, and docs/local.md tells of them.
SET_BY_A_RUN = {
    "FLOE_TESTS_ATTEMPT",
    "FLOE_TESTS_EMBEDDED_PLATFORM",
    "FLOE_TESTS_PROVIDER",
    "FLOE_TESTS_TIMEOUT_SECONDS",
}
NAME = re.compile(r"FLOE_TESTS_[A-Z_]*[A-Z]|DAGSTER_HOME|IMAGE_REGISTRY_PREFIX")


def test_the_page_in_docs_is_the_one_that_the_table_gives():
    assert PAGE.read_text() == markdown(), "docs/environment.md is stale: run `make docs`"


def test_every_variable_that_the_sources_name_is_on_the_page():
    table = {each.name for group in GROUPS.values() for each in group}
    named = {
        node.value
        for path in (ROOT / "floe_tests").rglob("*.py")
        if path.name != "environment_variables.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and NAME.fullmatch(node.value)
    }

    assert named - SET_BY_A_RUN == table
