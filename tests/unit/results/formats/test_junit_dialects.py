"""What single tools say in a way of their own, where nobody looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.results.cases import CaseResult
from floe_tests.results.formats import junit


def cases_of(folder: Path, *files: str) -> dict[str, CaseResult]:
    paths = [folder / f"{number}.xml" for number, _ in enumerate(files)]
    for path, xml in zip(paths, files, strict=True):
        path.write_text(xml, encoding="utf-8")
    return {case.name: case for case in junit.read_all(paths, root=folder).cases}


TESTCAFE = "<testsuite name='TestCafe Tests: Chrome' tests='1'>{}</testsuite>"
UNSTABLE = {
    "xunit": "<testcase classname='Cart' name='adds (unstable) (screenshots: shots/03-16/1.png)'/>",
    "junit": "<testcase classname='Cart' name='adds'><system-out>\n  (unstable)\n\n"
    "  (screenshots: shots/03-16/1.png)\n</system-out></testcase>",
}


@pytest.mark.parametrize("case", UNSTABLE.values(), ids=UNSTABLE.keys())
def test_a_flaky_test_of_testcafe_keeps_its_name(tmp_path: Path, case: str) -> None:
    """Its name has the time of the run in it: it would be a new test each time."""
    found = cases_of(tmp_path, TESTCAFE.format(case))
    assert {name: (one.outcome, one.reruns) for name, one in found.items()} == {
        "Cart::adds": ("passed", 1)
    }


def test_the_screenshots_of_a_failure_of_testcafe_are_its_attachments(tmp_path: Path) -> None:
    case = "<testcase classname='C' name='a (screenshots: shots/1.png)'><failure>no</failure>"
    found = cases_of(tmp_path, TESTCAFE.format(f"{case}</testcase>"))
    assert found["C::a"].attachments == ("shots/1.png",)


def test_words_in_brackets_are_part_of_the_names_of_other_tools(tmp_path: Path) -> None:
    xml = "<testsuite name='s'><testcase classname='c' name='adds (unstable)'/></testsuite>"
    assert set(cases_of(tmp_path, xml)) == {"c::adds (unstable)"}


WDIO = (
    "<testsuite name='cart' tests='3'><properties><property name='specId' value='0'/></properties>"
    "{}</testsuite>"
)
TRY = (
    "<testcase classname='c' name='wavers'><skipped/><system-err>\nError: {}\n at x"
    "</system-err></testcase>"
)


def test_a_try_that_webdriverio_calls_skipped_is_one(tmp_path: Path) -> None:
    body = TRY.format("one") + TRY.format("two") + "<testcase classname='c' name='wavers'/>"
    (wavers,) = cases_of(tmp_path, WDIO.format(body)).values()
    assert (wavers.name, wavers.outcome, wavers.reruns) == ("c::wavers", "passed", 2)
    assert all(said in wavers.text for said in ("Error: one", "Error: two"))


def test_tests_of_one_title_in_webdriverio_stay_two(tmp_path: Path) -> None:
    skipped = "<testcase classname='c' name='a'><skipped/></testcase>"
    found = cases_of(tmp_path, WDIO.format(f"{skipped}<testcase classname='c' name='a'/>"))
    assert [str(case.outcome) for case in found.values()] == ["skipped", "passed"]


def test_tests_of_one_title_in_two_files_of_cypress_are_told_apart_by_the_file(
    tmp_path: Path,
) -> None:
    """Each file of tests has a report of its own, named by a digest, and one suite names it."""
    report = (
        "<testsuites name='Mocha Tests'><testsuite name='Root Suite' file='{}' tests='0'/>"
        "<testsuite name='cart'><testcase classname='adds' name='adds'>{}</testcase></testsuite>"
        "</testsuites>"
    )
    files = [report.format("e2e/a.cy.js", "<failure/>"), report.format("e2e/b.cy.js", "")]
    for order in (files, files[::-1]):
        found = cases_of(tmp_path, *order)
        assert {name: str(case.outcome) for name, case in found.items()} == {
            "e2e/a.cy.js::adds": "failed",
            "e2e/b.cy.js::adds": "passed",
        }


GO = {
    "gotestsum": "<failure message='Failed'>=== RUN   TestA&#xA;    a_test.go:4: no é&#xA;"
    "--- FAIL: TestA</failure>",
    "go-junit-report": "<failure message='Failed'>said before\n    a_test.go:4: no é</failure>",
    "a panic": "<failure message='Failed'>panic: a_test.go:4: no é&#xA;&#xA;goroutine 1</failure>",
    "a skip of gotestsum": "<skipped message='=== RUN   TestA&#xA;    a_test.go:4: no é&#xA;"
    "--- SKIP: TestA (0.00s)&#xA;'/>",
}


@pytest.mark.parametrize("inner", GO.values(), ids=GO.keys())
def test_a_message_that_all_tests_of_go_share_gives_way_to_what_the_test_said(
    tmp_path: Path, inner: str
) -> None:
    """Failures are grouped by their messages: "Failed" groups all of them."""
    xml = f"<testsuite name='p'><testcase classname='p' name='TestA'>{inner}</testcase></testsuite>"
    assert cases_of(tmp_path, xml)["p::TestA"].message.endswith("a_test.go:4: no é")


def test_a_flaky_test_of_ginkgo_is_told_by_what_it_printed(tmp_path: Path) -> None:
    printed = "first try&#xA;Attempt #1 Failed.  Retrying ↺ @ 12/01/26&#xA;&gt; Enter [It] b"
    xml = (
        "<testsuite name='s'><properties><property name='SuiteSucceeded' value='true'/>"
        "</properties><testcase name='[It] a' classname='s' status='passed'/>"
        f"<testcase name='[It] b' classname='s' status='passed'><system-err>{printed}</system-err>"
        "</testcase></testsuite>"
    )
    found = cases_of(tmp_path, xml)
    assert {name: one.reruns for name, one in found.items()} == {"s::[It] a": 0, "s::[It] b": 1}
    assert "first try" in found["s::[It] b"].text


MESSAGES = {
    "PHPUnit": (
        "<failure type='X.Failed'>c::a&#xA;no such order&#xA;&#xA;/a.php:5</failure>",
        "X.Failed: no such order",
    ),
    "Catch2": (
        "<error type='TEST_CASE'>&#xA;FAILED:&#xA;no such order&#xA;</error>",
        "no such order",
    ),
    "bats": ("<failure type='failure'>no such order</failure>", "no such order"),
    "behave": ("<error type='NoneType' message='None'>&#xA;no such order</error>", "no such order"),
    "a line that begins like the test": ("<failure>c cannot order</failure>", "c cannot order"),
    "an attachment alone": (
        "<failure/><system-out>[[ATTACHMENT|shot.png]]</system-out>",
        "the test case is marked as failed",
    ),
    "CTest": (
        "<failure message=''/><system-out>began&#xA;no such order&#xA;&#xA;</system-out>",
        "no such order",
    ),
}


@pytest.mark.parametrize(("inner", "message"), MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message_is_what_tells_this_failure_from_others(
    tmp_path: Path, inner: str, message: str
) -> None:
    xml = f"<testsuite name='s'><testcase classname='c' name='a'>{inner}</testcase></testsuite>"
    assert cases_of(tmp_path, xml)["c::a"].message == message


DOCTEST = (
    "<testsuites><testsuite name='t' errors='0' failures='{}' tests='40' time='0.1' "
    "doctest_version='2.4.9'><testcase classname='c' name='a' status='run'>{}</testcase>"
    "</testsuite></testsuites>"
)
WARNING = "<failure message='1 == 2' type='{}'>t.cpp:7: is NOT correct!</failure>"


@pytest.mark.parametrize("kind", ["WARN", "WARN_EQ", "WARN_THROWS"])
def test_a_warning_of_doctest_is_no_failure_and_keeps_its_message(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "t.xml").write_text(DOCTEST.format(1, WARNING.format(kind)), "utf-8")
    report = junit.read_all([tmp_path / "t.xml"], root=tmp_path)
    (case,) = report.cases
    assert (case.outcome, case.message) == ("passed", "1 == 2")
    assert "is NOT correct" in case.text
    assert report.contradictions == (), "it counts assertions"


def test_a_failure_of_doctest_beside_a_warning_stands(tmp_path: Path) -> None:
    both = WARNING.format("WARN") + WARNING.format("CHECK")
    assert cases_of(tmp_path, DOCTEST.format(2, both))["c::a"].outcome == "failed"


def test_a_warning_of_another_tool_is_a_failure(tmp_path: Path) -> None:
    xml = "<testsuite><testcase classname='c' name='a'><failure type='WARN'/></testcase>"
    assert cases_of(tmp_path, f"{xml}</testsuite>")["c::a"].outcome == "failed"


BOOST = (
    "<testsuite tests='1' skipped='0' errors='0' failures='{}' id='0' name='mod' time='0'>"
    "<testcase assertions='1' classname='s' name='a' time='0'><failure message='failure' "
    "type='assertion error'>\nASSERTION FAILURE:\n- file   : t.cpp\n- line   : 7\n"
    "- message: check 1==2 has failed [1 != 2]\n\n</failure>{}</testcase></testsuite>"
)
SAID = "<system-err>Failures detected in:\n- test case: s/a\n</system-err>"


def test_a_failure_that_boost_expected_is_one(tmp_path: Path) -> None:
    case = cases_of(tmp_path, BOOST.format(0, ""))["s::a"]
    assert (case.outcome, case.is_expected_failure) == ("skipped", True)
    assert case.message == "expected failure: check 1==2 has failed [1 != 2]"


def test_a_failure_of_boost_says_what_failed(tmp_path: Path) -> None:
    case = cases_of(tmp_path, BOOST.format(1, SAID))["s::a"]
    assert (case.outcome, case.message) == ("failed", "check 1==2 has failed [1 != 2]")


MESON = (
    "<testsuites tests='1' errors='0' failures='0'><testsuite name='m' tests='1' errors='0' "
    "failures='0' skipped='0' time='{}'><testcase name='a' classname='m'/></testsuite></testsuites>"
)


@pytest.mark.parametrize(("time", "is_said"), [("0.0217459201812744", True), ("0.022", False)])
def test_a_file_of_meson_does_not_tell_of_timeouts(
    tmp_path: Path, time: str, *, is_said: bool
) -> None:
    (tmp_path / "m.xml").write_text(MESON.format(time), "utf-8")
    notices = junit.read_all([tmp_path / "m.xml"], root=tmp_path).notices
    assert ["exit code of `meson test`" in notice for notice in notices] == [True] * is_said
