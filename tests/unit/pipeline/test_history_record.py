"""A run that ended goes into the history with all that the history has room for."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields

import pytest

from floe_tests.pipeline import history_record
from floe_tests.results.records import AttemptRecord, RunRecord, SuiteRecord


@pytest.mark.parametrize("record", [RunRecord, SuiteRecord, AttemptRecord])
def test_every_field_of_the_record_is_filled(
    record: type[RunRecord | SuiteRecord | AttemptRecord],
):
    """One that nobody fills would be a column that is empty for ever: fields have defaults."""
    calls = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(history_record)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == record.__name__
    ]

    given = {keyword.arg for call in calls for keyword in call.keywords}

    assert {field.name for field in fields(record)} - given == set()
