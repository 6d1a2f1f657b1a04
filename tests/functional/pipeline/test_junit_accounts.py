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
    "two tests of one title, the first failed": (
        (
            "<testsuite name='a.js' tests='2' failures='1'><testcase classname='a.js' name='w'>"
            "<failure message='x'/></testcase><testcase classname='a.js' name='w'/></testsuite>"
        ),
        "TEST_FAILURE",
        "a.js::w",
    ),
    "a test that may fail": (
        (
            "<testsuite name='c' tests='1' failures='0' hostname='tbd'><testcase name='a'>"
            "<skipped message='TEST_CASE tagged with !mayfail'/><failure message='1==2'/>"
            "</testcase></testsuite>"
        ),
        "PASS",
        "",
    ),
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


def test_tests_that_were_left_out_because_their_set_up_failed_are_no_pass(suites: Suites) -> None:
    """GoogleTest says it in its exit code alone: its file has skipped tests and no failure."""
    xml = (
        "<testsuite name='S' tests='1' failures='0' skipped='1'><testcase name='a' file='g.cc' "
        "line='4' status='run' result='skipped'><skipped message='g.cc:4'/></testcase></testsuite>"
    )
    published = suites.run(f"junit.write_text({xml!r}); sys.exit(1)")

    assert published.verdict.cause == "TEST_FAILURE"


def test_results_in_another_form_beside_a_green_file_are_named(suites: Suites) -> None:
    """The run passes by what it can read, and nobody may think that it had read all."""
    green = "<testsuite name='s' tests='1'><testcase name='a'/></testsuite>"
    red = "<test-run id='2' failed='3'/>"
    published = suites.run(
        f"junit.write_text({green!r}); junit.with_name('TestResult.xml').write_text({red!r})"
    )

    assert published.verdict.cause == "PASS"
    notices = published.suites[0].notices
    assert any("TestResult.xml was not read as a result: it is NUnit's" in each for each in notices)
