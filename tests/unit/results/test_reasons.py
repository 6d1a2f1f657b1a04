"""The line beside a failed test's name: what a reader needs before any file is opened."""

from __future__ import annotations

import pytest

from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.reasons import reason_of

SYNTAX = """\
/usr/lib/python3.11/ast.py:50: in parse
    return compile(source, filename, mode, flags,
E     File "/suite/test_bad.py", line 1
E       def test_x(:
E                  ^
E   SyntaxError: invalid syntax"""
IMPORT = """\
ImportError while importing test module '/suite/test_imp.py'.
Hint: make sure your test modules/packages have valid Python names.
Traceback:
/usr/lib/python3.11/importlib/__init__.py:126: in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
test_imp.py:1: in <module>
    import nope
E   ModuleNotFoundError: No module named 'nope'"""
ASSERTION = """\
test_a.py:3: in <module>
    assert LIMIT == 2, "the limit"
E   AssertionError: the limit
E   assert 1 == 2"""
USAGE = "In test_par.py::test_p: function uses no argument 'a'"


def case(message: str, text: str = "", *, is_collection: bool = False) -> CaseResult:
    return CaseResult(
        name="t",
        outcome=CaseOutcome.ERROR,
        seconds=0,
        message=message,
        text=text,
        is_collection=is_collection,
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(SYNTAX, "SyntaxError: invalid syntax (/suite/test_bad.py, line 1)", id="file"),
        pytest.param(
            IMPORT, "ModuleNotFoundError: No module named 'nope' (test_imp.py, line 1)", id="import"
        ),
        pytest.param(ASSERTION, "AssertionError: the limit (test_a.py, line 3)", id="assertion"),
        pytest.param(USAGE, USAGE, id="usage"),
        pytest.param("", "collection failure", id="nothing"),
    ],
)
def test_a_collection_error_says_what_was_raised_and_where(text: str, reason: str):
    assert reason_of(case("collection failure", text, is_collection=True)) == reason


def test_a_failure_says_the_first_line_of_its_message_and_no_more_than_a_line_holds():
    assert reason_of(case("\n  AssertionError: a\nassert 1 == 2")) == "AssertionError: a"
    assert reason_of(case("")) == ""
    long = reason_of(case("x" * 4000))
    assert (len(long), long[-2:]) == (200, " …")
