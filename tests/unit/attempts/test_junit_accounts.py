"""What JUnit files of any tool make of a verdict, through a suite that really runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Suites

FLAKY = (
    "<testsuite name='s' tests='2' failures='1'><testcase name='a' time='1'>"
    "<flakyFailure message='first try'/></testcase></testsuite>"
)
ROWS = {
    "declares more tests": (
        "<testsuite name='s' tests='5'><testcase name='a'/></testsuite>",
        "RESULT_LOST",
        "suite s declares 5 tests and has 1",
    ),
    "no test": ("<testsuite name='s' tests='0'/>", "NO_TESTS", ""),
    "failures in words of its own": (
        "<testsuite name='s'><testcase name='a' status='failed'/></testsuite>",
        "TEST_FAILURE",
        "s::a",
    ),
    "expected failures alone": (
        (
            "<testsuite name='pytest' tests='1' skipped='1'><testcase classname='t' name='a'>"
            "<skipped type='pytest.xfail' message='bug'/></testcase></testsuite>"
        ),
        "PASS",
        "",
    ),
    "flaky tests counted as failures": (FLAKY, "PASS", ""),
    "another tool's report": ("<testng-results/>", "RESULT_LOST", "TestNG's own report"),
}


@pytest.mark.parametrize(("xml", "cause", "said"), ROWS.values(), ids=ROWS.keys())
def test_a_green_exit_is_held_against_the_junit_file(
    suites: Suites, xml: str, cause: str, said: str
) -> None:
    published = suites.run(f"junit.write_text({xml!r})")

    told = [*map(str, published.verdict.evidence), *published.suites[0].results.notices]
    assert published.verdict.cause == cause, told
    assert said in "\n".join(told)
