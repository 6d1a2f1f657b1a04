"""What stands around a failure in a JUnit file: attachments, properties, what was printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.results.cases import TEXT_BYTES, CaseResult
from floe_tests.results.formats import junit

FAILS = "<failure message='no'>trace</failure>"


def cases_of(tmp_path: Path, body: str) -> dict[str, CaseResult]:
    path = tmp_path / "junit.xml"
    path.write_text(f"<testsuites><testsuite name='s'>{body}</testsuite></testsuites>", "utf-8")
    return {case.name: case for case in junit.read(path)}


def case(inner: str, name: str = "a") -> str:
    return f"<testcase classname='c' name='{name}'>{inner}</testcase>"


ATTACHED = {
    "Jenkins, Playwright": "<system-out>[[ATTACHMENT|shot.png]]\nand\n[[ATTACHMENT|a b/é.zip]]"
    "</system-out>",
    "a property of the test": "<properties><property name='attachment' value='shot.png'/>"
    "<property name='testrail_attachment' value='a b/é.zip'/></properties>",
    "inside of a try that failed": "<rerunFailure message='no'>t<system-out>[[ATTACHMENT|shot.png]]"
    " [[ATTACHMENT|a b/é.zip]]</system-out></rerunFailure>",
}


@pytest.mark.parametrize("inner", ATTACHED.values(), ids=ATTACHED.keys())
def test_the_files_that_a_failed_test_left_are_named(tmp_path: Path, inner: str) -> None:
    found = cases_of(tmp_path, case(FAILS + inner))["c::a"]
    assert found.attachments == ("shot.png", "a b/é.zip")


def test_attachments_are_kept_where_the_output_is_cut(tmp_path: Path) -> None:
    long = "x" * (2 * TEXT_BYTES)
    output = f"<system-out>{long}\n[[ATTACHMENT|shot.png]]\n{long}</system-out>"
    found = cases_of(tmp_path, case(FAILS + output))["c::a"]
    assert found.attachments == ("shot.png",)
    assert "bytes and more cut" in found.text
    assert len(found.text.encode()) <= TEXT_BYTES


def test_properties_of_a_failed_test_are_told(tmp_path: Path) -> None:
    inner = "<properties><property name='order' value='ü-17'/><property name='empty'/></properties>"
    text = cases_of(tmp_path, case(FAILS + inner))["c::a"].text
    assert "--- properties ---\norder: ü-17" in text
    assert "empty" not in text


def test_a_test_that_passed_at_last_keeps_what_it_left(tmp_path: Path) -> None:
    inner = "<flakyFailure message='no'/><system-out>said [[ATTACHMENT|trace.zip]]</system-out>"
    found = cases_of(tmp_path, case(inner))["c::a"]
    assert (found.outcome, found.attachments) == ("passed", ("trace.zip",))
    assert "said" in found.text


def test_what_a_test_printed_that_passed_at_once_is_not_kept(tmp_path: Path) -> None:
    assert cases_of(tmp_path, case("<system-out>said</system-out>"))["c::a"].text == ""


def test_the_output_of_a_class_is_given_to_its_failures_that_have_none(tmp_path: Path) -> None:
    """Gradle and Ant write one for all tests of a class, Bazel one for a target."""
    own = f"{FAILS}<system-out>my own</system-out>"
    body = case(FAILS) + case("", "b") + case(own, "own") + "<system-out>of all</system-out>"
    found = cases_of(tmp_path, f"{body}<system-err>[[ATTACHMENT|log.txt]]</system-err>")
    assert "--- standard output of the suite ---\nof all" in found["c::a"].text
    assert found["c::a"].attachments == ("log.txt",)
    assert found["c::b"].text == ""
    assert "of all" not in found["c::own"].text


def test_a_long_output_of_a_class_costs_little(tmp_path: Path) -> None:
    body = "".join(case(FAILS, f"n{number}") for number in range(100))
    printed = "begin" + "x" * 1_000_000 + "end"
    found = cases_of(tmp_path, f"{body}<system-out>{printed}</system-out>")
    texts = [one.text for one in found.values()]
    assert sum(map(len, texts)) < 300_000
    assert "begin" in texts[0]
    assert texts[0].endswith("end")
