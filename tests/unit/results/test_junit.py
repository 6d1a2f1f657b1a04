"""JUnit: what each producer writes, what an attacker could write, and what is written here."""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floe_tests.results.cases import CaseOutcome, CaseResult, Tally
from floe_tests.results.formats import junit
from floe_tests.results.formats.junit import DEFAULT_LIMITS, UnreadableResults

if TYPE_CHECKING:
    from conftest import PytestRun

MIB = 1024 * 1024


def _read(tmp_path: Path, xml: str | bytes) -> tuple[CaseResult, ...]:
    path = tmp_path / "junit.xml"
    path.write_bytes(xml.encode() if isinstance(xml, str) else xml)
    return junit.read(path)


def _outcomes(cases: tuple[CaseResult, ...]) -> dict[str, str]:
    return {case.name: str(case.outcome) for case in cases}


SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0"
    name="com.acme.OrderTest" time="1,234.5" tests="6" errors="1" skipped="1" failures="1">
  <properties><property name="java.version" value="17"/></properties>
  <testcase name="totals" classname="com.acme.OrderTest" time="0.012"/>
  <testcase name="adds(int)[1]" classname="com.acme.OrderTest" time="1,002.5"/>
  <testcase name="adds(int)[1]" classname="com.acme.OrderTest" time="0.001"/>
  <testcase name="rejects" classname="com.acme.OrderTest" time="0.1">
    <failure message="expected: &lt;1&gt; but was: &lt;2&gt;"
        type="org.opentest4j.AssertionFailedError"><![CDATA[AssertionFailedError: expected: <1>
	at com.acme.OrderTest.rejects(OrderTest.java:17)
]]></failure>
    <system-out><![CDATA[placing order 7]]></system-out>
  </testcase>
  <testcase name="connects" classname="com.acme.OrderTest" time="0.2">
    <error type="java.net.ConnectException">java.net.ConnectException: refused</error>
  </testcase>
  <testcase name="later" classname="com.acme.OrderTest" time="0">
    <skipped message="not yet"/>
  </testcase>
  <testcase name="unsteady" classname="com.acme.OrderTest" time="0.3">
    <flakyFailure message="first try" type="java.lang.AssertionError">
      <stackTrace>at line 1</stackTrace>
    </flakyFailure>
  </testcase>
</testsuite>
"""

GO_JUNIT_REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="3" failures="1" skipped="1">
	<testsuite name="example.com/orders/db" tests="3" failures="1" errors="0" id="0"
			hostname="ci" skipped="1" time="0.311" timestamp="2026-01-02T03:04:05Z">
		<properties><property name="go.version" value="go1.24"></property></properties>
		<testcase name="TestInsert" classname="example.com/orders/db" time="0.010"></testcase>
		<testcase name="TestQuery/empty_table" classname="example.com/orders/db" time="0.300">
			<failure message="Failed" type=""><![CDATA[db_test.go:31: got 1 row]]></failure>
		</testcase>
		<testcase name="TestSlow" classname="example.com/orders/db" time="0.000">
			<skipped message="    db_test.go:50: short mode"></skipped>
		</testcase>
		<system-out><![CDATA[listening on :0]]></system-out>
	</testsuite>
</testsuites>
"""

JEST_JUNIT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="2" failures="1" errors="0" time="0.832">
  <testsuite name="addition" errors="0" failures="1" skipped="0" time="0.6" tests="2">
    <testcase classname="addition positive numbers should add up"
        name="addition positive numbers should add up" time="0.004">
    </testcase>
    <testcase classname="addition negative numbers" name="addition negative numbers" time="0.002">
      <failure>Error: expect(received).toBe(expected)
    at Object.&lt;anonymous&gt; (add.test.js:5:3)</failure>
    </testcase>
  </testsuite>
</testsuites>
"""

GOOGLE_TEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="0" disabled="1" errors="0" time="0.001" name="AllTests">
  <testsuite name="Codec" tests="2" failures="0" disabled="1" errors="0" time="0.001">
    <testcase name="RoundTrip" status="run" result="completed" time="0.001" classname="Codec"
        file="codec_test.cc" line="12"/>
    <testcase name="DISABLED_Big" status="notrun" result="suppressed" time="0" classname="Codec"/>
  </testsuite>
</testsuites>
"""

NESTED = """<testsuites>
  <testsuite name="outer">
    <testsuite name="inner">
      <testcase name="without class name" time="1"/>
    </testsuite>
    <testcase classname="outer.A" name="b" time="2"><error message="broke"/></testcase>
  </testsuite>
</testsuites>
"""


@pytest.mark.parametrize(
    ("xml", "expected", "seconds"),
    [
        (
            SUREFIRE,
            {
                "com.acme.OrderTest::totals": "passed",
                "com.acme.OrderTest::adds(int)[1]": "passed",
                "com.acme.OrderTest::adds(int)[1] #2": "passed",
                "com.acme.OrderTest::rejects": "failed",
                "com.acme.OrderTest::connects": "error",
                "com.acme.OrderTest::later": "skipped",
                "com.acme.OrderTest::unsteady": "passed",
            },
            1003.113,
        ),
        (
            GO_JUNIT_REPORT,
            {
                "example.com/orders/db::TestInsert": "passed",
                "example.com/orders/db::TestQuery/empty_table": "failed",
                "example.com/orders/db::TestSlow": "skipped",
            },
            0.31,
        ),
        (
            JEST_JUNIT,
            {
                "addition positive numbers should add up": "passed",
                "addition negative numbers": "failed",
            },
            0.006,
        ),
        (GOOGLE_TEST, {"Codec::RoundTrip": "passed", "Codec::DISABLED_Big": "skipped"}, 0.001),
        (NESTED, {"inner::without class name": "passed", "outer.A::b": "error"}, 3.0),
        ("<testsuites/>", {}, 0.0),
    ],
    ids=["surefire", "go-junit-report", "jest-junit", "googletest", "nested suites", "empty"],
)
def test_each_producer_is_read(
    tmp_path: Path, xml: str, expected: dict[str, str], seconds: float
) -> None:
    cases = _read(tmp_path, xml)
    assert _outcomes(cases) == expected
    assert Tally.of(cases).seconds == pytest.approx(seconds)


def test_surefire_failures_keep_message_trace_output_and_reruns(tmp_path: Path) -> None:
    cases = {case.name.partition("::")[2]: case for case in _read(tmp_path, SUREFIRE)}
    assert cases["rejects"].message == "expected: <1> but was: <2>"
    assert "OrderTest.java:17" in cases["rejects"].text
    assert "placing order 7" in cases["rejects"].text
    assert cases["connects"].message == "java.net.ConnectException: refused"
    assert cases["unsteady"].reruns == 1


def test_a_failure_without_a_message_takes_the_first_line_of_its_text(tmp_path: Path) -> None:
    failed = next(case for case in _read(tmp_path, JEST_JUNIT) if case.outcome.is_failing)
    assert failed.message == "Error: expect(received).toBe(expected)"


def test_file_and_line_are_kept_where_the_producer_writes_them(tmp_path: Path) -> None:
    first = _read(tmp_path, GOOGLE_TEST)[0]
    assert (first.file, first.line) == ("codec_test.cc", 12)


def test_pytest_counts_are_those_of_its_own_summary(mixed_run: PytestRun) -> None:
    cases = junit.read(mixed_run.results / "junit.xml")
    summary = {
        word: int(number)
        for number, word in re.findall(
            r"(\d+) (failed|passed|skipped|xfailed|xpassed)", mixed_run.output.splitlines()[-1]
        )
    }
    counts = Counter(case.outcome for case in cases)
    broken_teardowns_after_a_pass = 1
    assert counts["failed"] == summary["failed"]
    assert counts["skipped"] == summary["skipped"] + summary["xfailed"]
    # pytest counts a test whose clean-up broke twice: as passed and as an error.
    assert counts["passed"] == (
        summary["passed"] + summary["xpassed"] - broken_teardowns_after_a_pass
    )


def test_a_teardown_error_does_not_become_a_second_case(mixed_run: PytestRun) -> None:
    cases = {case.name: case for case in junit.read(mixed_run.results / "junit.xml")}
    assert len(cases) == 17
    both = cases["pkg.test_mixed::test_fails_and_cleans_up_badly"]
    assert both.outcome == "failed"
    assert "the call failed" in both.message
    assert "clean-up broke" in both.text
    assert cases["pkg.test_mixed::test_teardown_error"].outcome == "error"


def test_modules_that_pytest_could_not_collect_are_told_from_tests(mixed_run: PytestRun) -> None:
    cases = junit.read(mixed_run.results / "junit.xml")
    collection = {case.name: case.outcome for case in cases if case.is_collection}
    assert collection == {"pkg.test_uncollectable": "error", "pkg.test_skipped_module": "skipped"}


@pytest.mark.parametrize(
    "xml",
    [
        '<testsuite name="s" tests="1" errors="1"><testcase name="a"/></testsuite>',
        '<testsuites failures="2"><testsuite><testcase name="a"/></testsuite></testsuites>',
        '<testsuite name="s"><testcase name="a"/><error message="the fork crashed"/></testsuite>',
    ],
    ids=["suite declares an error", "root declares failures", "suite carries an error"],
)
def test_a_failure_that_no_case_shows_is_not_green(tmp_path: Path, xml: str) -> None:
    tally = Tally.of(_read(tmp_path, xml))
    assert (tally.tests, tally.failing) == (2, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<testsuite><testcase name='a'>", "is cut off after 30 bytes"),
        (b"<testsuite><testcase name='a", "is cut off after 28 bytes"),
        (b"<testsuite>\x00</testsuite>", "holds a NUL byte at offset 11"),
        (b"<html></html>", "its root is <html>"),
        (b"<testsuite></testsuit>", "is not well-formed XML"),
        (b"\x89PNG\r\n\x1a\n", "cannot be used"),
    ],
)
def test_what_is_no_junit_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(UnreadableResults, match=re.escape(reason)):
        _read(tmp_path, content)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableResults, match=r"junit\.xml cannot be read: No such file"):
        junit.read(tmp_path / "junit.xml")


BILLION_LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    + "]><testsuite><testcase name='&l9;'/></testsuite>"
)


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (BILLION_LAUGHS, "declares entities"),
        (
            '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite name="&x;"/>',
            "declares entities",
        ),
        ('<!DOCTYPE t [<!ENTITY % x "y">]><testsuite/>', "declares entities"),
        ('<!DOCTYPE t SYSTEM "http://127.0.0.1:1/evil.dtd"><testsuite/>', "in another file"),
        ('<!DOCTYPE t PUBLIC "x" "evil.dtd"><testsuite/>', "in another file"),
        (
            "<!DOCTYPE t [<!ATTLIST testcase"
            + "".join(f' a{number} CDATA "x"' for number in range(300))
            + ">]><testsuite/>",
            "more than 256 attributes",
        ),
    ],
    ids=[
        "billion laughs",
        "external entity",
        "parameter entity",
        "external document type",
        "public document type",
        "many defaults",
    ],
)
def test_what_a_document_type_could_add_is_refused(tmp_path: Path, xml: str, reason: str) -> None:
    with pytest.raises(UnreadableResults, match=f"its document type .*{reason}"):
        _read(tmp_path, xml)


@pytest.mark.parametrize(
    "declared",
    [
        "<!DOCTYPE testsuite>",
        "<!DOCTYPE testsuite []>",
        '<!DOCTYPE testsuite [<!ELEMENT a ANY><!ATTLIST testcase status CDATA "failed">]>',
    ],
)
@pytest.mark.parametrize("before", ["", '<?xml version="1.0" encoding="UTF-8"?>\n'])
def test_a_document_type_without_entities_changes_nothing(
    tmp_path: Path, before: str, declared: str
) -> None:
    case = '<testsuite name="s"><testcase name="a"/></testsuite>'
    assert _read(tmp_path, before + declared + case) == _read(tmp_path, case)


def test_a_tag_of_100_mib_is_refused_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    with path.open("wb") as file:
        file.write(b"<testsuite><testcase name='")
        for _ in range(100):
            file.write(b"a" * MIB)
        file.write(b"'/></testsuite>")
    with pytest.raises(UnreadableResults, match="at most 67108864 are read"):
        junit.read(path)
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableResults, match="a tag of more than 8388608 bytes"):
            junit.read(path, replace(DEFAULT_LIMITS, file_bytes=200 * MIB))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 64 * MIB


def test_elements_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableResults, match="nested deeper than 64"):
        _read(tmp_path, "<testsuite>" * 10_000)


def test_too_many_cases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text("<testsuite>" + "<testcase/>" * 11 + "</testsuite>", encoding="utf-8")
    with pytest.raises(UnreadableResults, match="more than 10 test cases"):
        junit.read(path, replace(DEFAULT_LIMITS, cases=10))


def test_texts_beyond_the_limit_are_left_out_and_outcomes_are_not(tmp_path: Path) -> None:
    failure = f"<failure message='no'>{'x' * 50_000}</failure>"
    failing = "".join(f"<testcase name='{n}'>{failure}</testcase>" for n in range(100))
    path = tmp_path / "junit.xml"
    path.write_text(f"<testsuite>{failing}</testsuite>", encoding="utf-8")
    cases = junit.read(path, replace(DEFAULT_LIMITS, text_bytes=MIB))
    assert Tally.of(cases).failed == 100
    assert sum(len(case.text) for case in cases) < 1.1 * MIB


def test_what_a_hostile_test_printed_is_written_as_legal_xml(tmp_path: Path) -> None:
    printed = "\x00\x1b[31m]]></failure><testcase name='forged'/>&\ud800\uffff"
    case = CaseResult(
        name=f"a{printed}::b",
        outcome=CaseOutcome.FAILED,
        seconds=1.0,
        message=printed,
        text=printed,
    )
    path = tmp_path / "out" / "junit.xml"
    junit.write(path, [case], suite=printed, properties={printed: printed}, hostname=printed)
    assert junit.read(path) == (case,)


def test_the_export_carries_counts_and_properties_for_ci(tmp_path: Path) -> None:
    outcomes = ["passed", "failed", "error", "skipped", "skipped"]
    cases = [
        CaseResult(name=f"a::{n}", outcome=CaseOutcome(outcome), seconds=0.5)
        for n, outcome in enumerate(outcomes)
    ]
    path = tmp_path / "junit.xml"
    started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    junit.write(
        path,
        cases,
        suite="integration",
        properties={"commit": "abc"},
        hostname="pod-1",
        started_at=started,
    )
    suite = ET.parse(path).getroot()[0]  # noqa: S314 - written above
    assert dict(suite.attrib) == {
        "name": "integration",
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
        "time": "2.5",
        "hostname": "pod-1",
        "timestamp": "2026-01-02T03:04:05.000+00:00",
    }
    assert suite.find("properties/property[@name='commit']") is not None


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.mkdir()
    with pytest.raises(OSError, match=r"junit\.xml"):
        junit.write(path, [], suite="s")
    assert [entry.name for entry in tmp_path.iterdir()] == ["junit.xml"]


CASES = st.builds(
    CaseResult,
    name=st.builds(
        "{}c{}n".format, st.sampled_from(["", "a::", "a.b::", "a::b::"]), st.text(max_size=20)
    ),
    outcome=st.sampled_from(CaseOutcome),
    seconds=st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000),
    # A reader puts the first line of the text where there is no message.
    message=st.text(max_size=80).map(lambda text: f"why: {text}"),
    text=st.text(max_size=300),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(st.lists(CASES, unique_by=lambda case: case.name, max_size=8))
def test_what_is_written_is_read_back(tmp_path: Path, cases: list[CaseResult]) -> None:
    path = tmp_path / "junit.xml"
    # JUnit has no place for the message of a test that passed.
    written = [
        replace(case, message="", text="") if case.outcome == "passed" else case for case in cases
    ]
    junit.write(path, written, suite="suite")
    assert junit.read(path) == tuple(written)
