"""What JUnit files declare, in counts, attributes and odd words, against what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.results.cases import Tally
from floe_tests.results.formats import junit
from floe_tests.results.formats.junit import JUnitReport

CASE = "<testcase classname='c' name='n'/>"
RED = "<testcase classname='c' name='n'><failure message='no'/></testcase>"


def read(tmp_path: Path, xml: str | bytes) -> JUnitReport:
    path = tmp_path / "junit.xml"
    path.write_bytes(xml.encode() if isinstance(xml, str) else xml)
    return junit.read_all([path], root=tmp_path)


@pytest.mark.parametrize(
    ("xml", "told"),
    [
        (f"<testsuite name='s' tests='5'>{CASE}</testsuite>", ["declares 5 tests and has 1"]),
        (
            f"<testsuite name='s' tests='10' failures='3'>{RED}</testsuite>",
            ["declares 3 failures and errors and shows 1", "declares 10 tests and has 1"],
        ),
        (
            f"<testsuites name='r' tests='5'><testsuite tests='1'>{CASE}</testsuite></testsuites>",
            ["suite r declares 5 tests and has 1"],
        ),
        (
            f"<testsuites tests='5'><testsuite name='i' tests='5'>{CASE}</testsuite></testsuites>",
            ["suite i declares 5 tests and has 1"],
        ),
        (
            f"<testsuites tests='9'><testsuite name='i' tests='5'>{CASE}</testsuite></testsuites>",
            ["suite i declares 5 tests and has 1", "suite without a name declares 9 tests"],
        ),
        ("<testsuite name='s' tests='2'/>", ["declares 2 tests and has 0"]),
        (f"<testsuite name='s' failures='three'>{CASE}</testsuite>", ['failures="three"']),
        (f"<testsuite name='s' tests='-1'>{CASE}</testsuite>", ['tests="-1"']),
        (
            f"<testsuite name='s' tests='2'>{CASE}<testcase/><testcase name=''/></testsuite>",
            ["declares 2 tests and has 3, 2 of them without a name"],
        ),
    ],
)
def test_what_is_declared_and_not_shown_is_said(tmp_path: Path, xml: str, told: list[str]) -> None:
    contradictions = read(tmp_path, xml).contradictions
    assert len(contradictions) == len(told)
    for sentence, part in zip(contradictions, told, strict=True):
        assert part in sentence


@pytest.mark.parametrize(
    "xml",
    [
        f"<testsuite tests='3' skipped='2'>{CASE}</testsuite>",
        f"<testsuite tests='3' disabled='2'>{CASE}</testsuite>",
        f"<testsuite tests='0'>{CASE}</testsuite>",
        f"<testsuite>{CASE}</testsuite>",
        f"<testsuite tests='' failures=''>{CASE}</testsuite>",
        "<testsuite tests='0' failures='0'/>",
    ],
)
def test_what_fits_or_is_not_declared_is_no_contradiction(tmp_path: Path, xml: str) -> None:
    assert read(tmp_path, xml).contradictions == ()


@pytest.mark.parametrize(
    "body",
    [
        "<testcase name='n'><Failure message='no'/></testcase>",
        "<TestCase name='n'><FAILURE message='no'/></TestCase>",
        "<testcase name='n'><rerunFailure message='no'/></testcase>",
        "<testcase name='n'><rerunError message='no'/></testcase>",
        "<testcase name='n'><failed>no</failed></testcase>",
        "<testcase name='n'><exception>no</exception></testcase>",
        "<testcase name='n' status='failed'/>",
        "<testcase name='n' status='Timed Out'/>",
        "<testcase name='n' result='failure'/>",
        "<testcase name='n' result='Error'/>",
        "<testcase name='n' outcome='Failed'/>",
        "<testcase name='n' executed='True' success='False'/>",
        "<testcase name='n' status='failed'><skipped/></testcase>",
        "<testcase name='n'><skipped/><failure/></testcase>",
        "<testcase name='n'><failure/></testcase>",
        "<testcase name='n'><testcase name='inner'><failure/></testcase></testcase>",
    ],
)
def test_a_failure_is_one_however_it_is_written(tmp_path: Path, body: str) -> None:
    tally = Tally.of(read(tmp_path, f"<testsuite name='s'>{body}</testsuite>").cases)
    assert tally.failing == 1


@pytest.mark.parametrize(
    "xml",
    [
        "<testsuite name='s' failures='+3'><testcase name='n'/></testsuite>",
        "<testsuite name='s' errors='1'/>",
        "<testsuite name='s'><error message='the fork crashed'/></testsuite>",
        "<testsuites failures='1'><testsuite><testcase name='n'/></testsuite></testsuites>",
        (
            "<x:testsuite xmlns:x='urn:j' name='s'><x:testcase name='n'><x:failure/></x:testcase>"
            "</x:testsuite>"
        ),
        "<TestSuite xmlns='urn:j' name='s'><TestCase name='n'><Error/></TestCase></TestSuite>",
    ],
)
def test_a_suite_that_failed_is_never_green(tmp_path: Path, xml: str) -> None:
    assert Tally.of(read(tmp_path, xml).cases).failing == 1


@pytest.mark.parametrize("word", ["notrun", "disabled", "Skipped", "suppressed", "pending"])
def test_a_test_that_did_not_run_may_say_so_in_an_attribute(tmp_path: Path, word: str) -> None:
    xml = f"<testsuite><testcase name='n' status='run' result='{word}'/></testsuite>"
    assert Tally.of(read(tmp_path, xml).cases).skipped == 1


def test_every_failure_of_a_case_is_kept(tmp_path: Path) -> None:
    faults = "".join(f"<failure message='no {n}'>trace {n}</failure>" for n in range(3))
    (case,) = read(tmp_path, f"<testsuite><testcase name='n'>{faults}</testcase></testsuite>").cases
    assert case.message == "no 0"
    for said in ("trace 0", "no 1", "trace 1", "no 2", "trace 2"):
        assert said in case.text


def test_an_empty_failure_gives_way_to_the_error_behind_it(tmp_path: Path) -> None:
    inner = "<failure/><error message='still not visible'/><system-err>stack</system-err>"
    (case,) = read(tmp_path, f"<testsuite><testcase name='n'>{inner}</testcase></testsuite>").cases
    assert (case.outcome, case.message) == ("error", "still not visible")
    assert "stack" in case.text


def test_failures_of_earlier_tries_count_among_those_declared(tmp_path: Path) -> None:
    """Surefire counts them in `failures` and each try in `tests`."""
    tries = "<flakyFailure message='one'/><flakyError message='two'/>"
    xml = (
        "<testsuite name='s' tests='3' failures='1' errors='1'>"
        f"<testcase name='n' time='1'>{tries}</testcase></testsuite>"
    )
    report = read(tmp_path, xml)
    (case,) = report.cases
    assert (case.outcome, case.reruns) == ("passed", 2)
    assert "one" in case.text
    assert "two" in case.text
    assert report.contradictions == ()


def test_the_earliest_time_in_the_file_is_its_begin(tmp_path: Path) -> None:
    xml = (
        "<testsuites><testsuite timestamp='2026-11-01T12:00:05'/>"
        "<testsuite timestamp='0001-01-01T00:00:00+02:00'/>"
        "<testsuite timestamp='Sun, 01 Nov 2026 12:00:01 GMT'/></testsuites>"
    )
    started_at = read(tmp_path, xml).started_at
    assert started_at is not None
    assert started_at.isoformat() == "2026-11-01T12:00:01+00:00"


def test_an_expected_failure_is_known_from_a_skip(tmp_path: Path) -> None:
    xml = (
        "<testsuite name='pytest'>"
        "<testcase classname='t' name='a'><skipped type='pytest.xfail' message='bug'/></testcase>"
        "<testcase classname='t' name='b'><skipped type='pytest.skip' message='no'/></testcase>"
        "</testsuite>"
    )
    cases = read(tmp_path, xml).cases
    assert [(case.name, case.is_expected_failure) for case in cases] == [
        ("t::a", True),
        ("t::b", False),
    ]
    written = tmp_path / "written.xml"
    junit.write(written, cases, suite="s")
    assert junit.read(written) == cases
