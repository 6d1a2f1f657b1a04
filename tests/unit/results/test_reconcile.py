"""Two accounts of one pytest session that name its tests differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from floe_tests.results.collate import collate

if TYPE_CHECKING:
    from conftest import RunPytest

SUITE = """
import pytest

class TestCart:
    def test_adds(self): pass
    @pytest.mark.xfail(reason="bug")
    def test_known(self): assert False

def test_fails(): assert False, "no"
"""

RENAMED = """
import pytest

@pytest.fixture(autouse=True)
def renamed(record_xml_attribute, request):
    record_xml_attribute("name", "spoken " + request.node.name)
"""


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ({}, ["--junit-prefix", "linux.py312"]),
        ({}, ["-o", "junit_suite_name=cart"]),
        ({}, ["-o", "junit_family=xunit1"]),
        ({"conftest.py": RENAMED}, []),
    ],
    ids=["prefix", "suite name", "family", "names of their own"],
)
def test_events_and_junit_are_two_accounts_of_the_same_tests(
    run_pytest: RunPytest, files: dict[str, str], arguments: list[str]
) -> None:
    run = run_pytest({"pkg/test_cart.py": SUITE, **files}, *arguments)
    (run.results / "collection.json").write_text('{"collected": 3}')
    results = collate(run.results)

    assert {case.name: str(case.outcome) for case in results.cases} == {
        "pkg.test_cart.TestCart::test_adds": "passed",
        "pkg.test_cart.TestCart::test_known": "skipped",
        "pkg.test_cart::test_fails": "failed",
    }
    assert (results.reported, results.missing, results.notices) == (3, 0, ())
    assert (results.expected_failures, results.contradictions) == (1, ())


def test_a_session_that_a_test_ended_says_its_exit_status(run_pytest: RunPytest) -> None:
    suite = """
import pytest

def test_passes(): pass
def test_leaves(): pytest.exit("enough")
"""
    results = collate(run_pytest({"test_k.py": suite}).results)
    assert (results.session_finished, results.exit_status) == (True, 2)
