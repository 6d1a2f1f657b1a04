"""More JUnit files that real tools wrote (more-samples/, one folder a tool), and what they meant.

Hooks that fail, filters, panics, options: what producers.yaml has no room for. No whole file of a
tool may seem to contradict itself, or every green run of it would be red.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.results.cases import Tally
from floe_tests.results.formats import junit
from floe_tests.results.formats.junit import JUnitReport

PRODUCERS = Path(__file__).with_name("more-samples")

# File: tests, passed, failing, skipped, flaky, seconds of all tests.
EXPECTED = {
    "bats/bats.xml": (3, 1, 1, 1, 0, 0.005),
    "behave/behave-no-skipped.xml": (4, 3, 1, 0, 0, 0.001),
    "behave/behave.xml": (5, 3, 1, 1, 0, 0.0),
    "catch2/catch2.xml": (4, 3, 1, 0, 0, 0.0),
    "ctest/ctest.xml": (5, 1, 2, 2, 0, 0.036),
    "cucumber-js/cucumber-js.xml": (3, 1, 2, 0, 0, 0.021),
    "ginkgo/ginkgo.xml": (7, 3, 2, 2, 0, 0.0),
    "go-junit-report/go-junit-report-count2.xml": (4, 3, 1, 0, 0, 0.0),
    "go-junit-report/go-junit-report.xml": (5, 1, 3, 1, 0, 0.0),
    "gotestsum/gotestsum-build.xml": (1, 0, 1, 0, 0, 0.0),
    "gotestsum/gotestsum-panic.xml": (2, 1, 1, 0, 0, 0.0),
    "gotestsum/gotestsum.xml": (5, 2, 2, 1, 1, 0.0),
    "gtest/gtest.xml": (6, 2, 2, 2, 0, 0.0),
    "jasmine/jasmine.xml": (4, 2, 1, 1, 0, 0.022),
    "jest-junit/jest-junit-suite-error-unreported.xml": (0, 0, 0, 0, 0, 0.0),
    "jest-junit/jest-junit-suite-error.xml": (2, 0, 2, 0, 0, 0.0),
    "jest-junit/jest-junit.xml": (6, 2, 2, 2, 0, 0.025),
    "mocha-junit/mocha-junit-bail.xml": (2, 1, 1, 0, 0, 0.001),
    "mocha-junit/mocha-junit-grep.xml": (2, 2, 0, 0, 0, 0.0),
    "mocha-junit/mocha-junit-hook.xml": (1, 0, 1, 0, 0, 0.0),
    "mocha-junit/mocha-junit.xml": (4, 3, 1, 0, 0, 0.0),
    "mocha-xunit/mocha-xunit-hook.xml": (1, 0, 1, 0, 0, 0.0),
    "mocha-xunit/mocha-xunit.xml": (5, 3, 1, 1, 0, 0.0),
    "node-test/node-test.xml": (5, 2, 1, 2, 0, 0.001),
    "nose2/nose2.xml": (6, 1, 3, 2, 0, 0.0),
    "phpunit/phpunit.xml": (8, 3, 3, 2, 0, 0.014),
    "playwright/playwright.xml": (8, 4, 2, 2, 0, 0.332),
    "pytest/pytest-reruns.xml": (5, 2, 2, 1, 1, 0.0),
    "pytest/pytest-subtests.xml": (6, 1, 3, 2, 0, 0.004),
    "pytest/pytest-xdist.xml": (5, 2, 2, 1, 1, 0.005),
    "robot/robot.xml": (6, 2, 2, 2, 0, 0.007),
    "rspec/rspec.xml": (5, 2, 1, 2, 0, 0.035),
    "surefire/surefire-TEST-demo.CartTest-Inner.xml": (8, 3, 4, 1, 0, 0.214),
    "surefire/surefire-TEST-demo.CartTest.xml": (4, 1, 3, 0, 1, 0.039),
    "surefire/surefire-TEST-demo.HookTest.xml": (1, 0, 1, 0, 0, 0.033),
    "surefire/surefire-testng.xml": (7, 3, 3, 1, 1, 0.055),
    "testng-junitreports/testng-junitreports.xml": (7, 3, 3, 1, 1, 0.061),
    "unittest-xml/unittest-xml.xml": (6, 1, 3, 2, 0, 0.01),
    "vitest/vitest.xml": (4, 2, 1, 1, 0, 0.008),
}


def report_of(path: Path) -> JUnitReport:
    return junit.read_all([path], root=path.parent)


def test_every_sample_has_its_expectation() -> None:
    assert {str(path.relative_to(PRODUCERS)) for path in PRODUCERS.rglob("*.xml")} == set(EXPECTED)


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=EXPECTED.keys())
def test_a_file_is_read_as_its_tool_means_it(name: str, expected: tuple[float, ...]) -> None:
    report = report_of(PRODUCERS / name)
    tally = Tally.of(report.cases)
    flaky = sum(1 for case in report.cases if case.reruns and case.outcome == "passed")
    counts = (tally.tests, tally.passed, tally.failing, tally.skipped, flaky)

    assert counts == expected[:-1]
    assert tally.seconds == pytest.approx(expected[-1], abs=0.001)
    assert (report.contradictions, report.damage) == ((), ())


DOCTEST = """<testsuites>
  <testsuite name="cart" errors="0" failures="1" tests="9">
    <testcase classname="cart.cpp" name="adds" time="0.000001" status="run"/>
    <testcase classname="cart.cpp" name="fails" time="0.000001" status="run">
      <failure message="1 == 2" type="CHECK">cart.cpp(4): no</failure>
    </testcase>
  </testsuite>
</testsuites>"""


def test_a_file_of_doctest_counts_assertions_as_tests(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(DOCTEST, encoding="utf-8")
    report = report_of(path)
    tally = Tally.of(report.cases)

    assert (tally.tests, tally.passed, tally.failing) == (2, 1, 1)
    assert (report.contradictions, report.damage) == ((), ())


def test_tries_of_testng_are_one_test_and_rows_of_its_data_are_not() -> None:
    """It writes its cases in any order, and calls a try that it repeats skipped."""
    cases = {
        case.name: case
        for case in report_of(PRODUCERS / "testng-junitreports/testng-junitreports.xml").cases
    }
    wavers, fails = cases["demo.NgTest::wavers"], cases["demo.NgTest::failsAlways"]

    assert (wavers.outcome, wavers.reruns) == ("passed", 2)
    assert (fails.outcome, fails.reruns) == ("failed", 2)
    assert {str(cases[f"demo.NgTest::many{more}"].outcome) for more in ("", " #2")} == {
        "failed",
        "passed",
    }


def test_surefires_tries_keep_their_messages() -> None:
    cases = {
        case.name: case
        for case in report_of(PRODUCERS / "surefire/surefire-TEST-demo.CartTest.xml").cases
    }
    assert "try 2" in cases["demo.CartTest::wavers"].text
    assert cases["demo.CartTest::fails"].reruns > 0


def test_a_program_that_ctest_does_not_find_is_an_error() -> None:
    cases = {case.name: case for case in report_of(PRODUCERS / "ctest/ctest.xml").cases}
    assert cases["missing"].outcome == "error"


MAY_FAIL = """<testsuites><testsuite name="c" errors="0" failures="0" tests="2" hostname="tbd">
  <testcase classname="c.global" name="ok" time="0" status="run"/>
  <testcase classname="c.global" name="mayfail" time="0" status="run">
    <skipped message="{}"/>
    <failure message="1==2" type="CHECK">FAILED: CHECK( 1==2 ) at c.cc:4</failure>
  </testcase></testsuite></testsuites>"""


def test_a_test_of_catch2_that_may_fail_is_an_expected_failure(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(MAY_FAIL.format("TEST_CASE tagged with !mayfail"), encoding="utf-8")
    report = report_of(path)
    case = report.cases[1]

    assert (case.outcome, case.is_expected_failure) == ("skipped", True)
    assert "CHECK( 1==2 )" in case.text
    assert report.contradictions == ()


def test_a_failure_beside_any_other_skip_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(MAY_FAIL.format("skipped after its clean-up failed"), encoding="utf-8")
    assert report_of(path).cases[1].outcome == "failed"


def test_an_expected_failure_hides_no_failure_that_is_declared_and_not_shown(
    tmp_path: Path,
) -> None:
    path = tmp_path / "junit.xml"
    text = MAY_FAIL.format("TEST_CASE tagged with !mayfail")
    path.write_text(text.replace('failures="0"', 'failures="1"'), encoding="utf-8")
    assert [str(case.outcome) for case in report_of(path).cases] == ["passed", "skipped", "error"]


@pytest.mark.parametrize(("message", "is_said"), [("g.cc:4&#10;", True), ("g.cc:9&#10;no", False)])
def test_a_suite_of_googletest_that_never_began_is_said(
    tmp_path: Path, message: str, *, is_said: bool
) -> None:
    """Whether its set-up failed stands nowhere in the file."""
    path = tmp_path / "junit.xml"
    path.write_text(
        "<testsuites><testsuite name='S' tests='1' failures='0' skipped='1'><testcase name='a' "
        f"file='g.cc' line='4' status='run' result='skipped'><skipped message='{message}'/>"
        "</testcase></testsuite><testsuite name='T'><testcase name='b'/></testsuite></testsuites>",
        encoding="utf-8",
    )
    told = [each for each in report_of(path).notices if "suite S: SetUpTestSuite failed" in each]
    assert bool(told) == is_said
