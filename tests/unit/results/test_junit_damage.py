"""JUnit files that are damaged, mixed with something else, or no JUnit: what is kept and said."""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path

import pytest

from floe_tests.core.deadline import Deadline
from floe_tests.results.formats import junit
from floe_tests.results.formats.junit import JUnitReport

TWO = "<testsuite name='s'><testcase name='a'/><testcase name='b'><failure/></testcase></testsuite>"
OUTCOMES = [("s::a", "passed"), ("s::b", "failed")]


def read(tmp_path: Path, content: str | bytes) -> JUnitReport:
    path = tmp_path / "junit.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return junit.read_all([path], root=tmp_path)


def outcomes(report: JUnitReport) -> list[tuple[str, str]]:
    return [(case.name, str(case.outcome)) for case in report.cases]


WHOLE = {
    "UTF-8 with a byte order mark": codecs.BOM_UTF8 + TWO.encode(),
    "UTF-16": TWO.encode("utf-16"),
    "UTF-16 that says so": ("<?xml version='1.0' encoding='utf-16'?>" + TWO).encode("utf-16"),
    "UTF-16 in name alone": ("<?xml version='1.0' encoding='utf-16'?>" + TWO).encode(),
    "Latin-1 that says so": (
        "<?xml version='1.0' encoding='iso-8859-1'?><!-- \xe9 -->" + TWO
    ).encode("latin-1"),
    "Japanese": ("<?xml version='1.0' encoding='shift_jis'?><!-- \u65e5 -->" + TWO).encode(
        "shift_jis"
    ),
    "an encoding that nobody knows": f"<?xml version='1.0' encoding='no-such'?>{TWO}".encode(),
    "a line before it": b"npm warn old lockfile\n<?xml version='1.0'?>\n" + TWO.encode(),
    "a line before it, behind a byte order mark": codecs.BOM_UTF8 + b"> a@1 test\n" + TWO.encode(),
    "an empty line before it": b"\n<?xml version='1.0'?>" + TWO.encode(),
    "a line behind it": TWO.encode() + b"\nDone in 3 s.\n",
    "a control character": TWO.replace("<failure/>", "<failure>\x1b[31m</failure>").encode(),
    "a reference to one": TWO.replace("<failure/>", "<failure>&#x1b;&#0;</failure>").encode(),
    "an entity of HTML": TWO.replace("<failure/>", "<failure>a&nbsp;b & c</failure>").encode(),
    "bytes that are no UTF-8": TWO.replace("<failure/>", "<failure>\xff</failure>").encode(
        "latin-1"
    ),
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE.keys())
def test_what_touches_no_test_costs_no_result(tmp_path: Path, content: bytes) -> None:
    report = read(tmp_path, content)
    assert outcomes(report) == OUTCOMES
    assert (report.damage, report.files) == ((), 1)


@pytest.mark.parametrize(
    ("name", "notice"),
    [
        ("a line before it", "the first 22 bytes are no XML"),
        ("a line behind it", "bytes are no XML and were left out"),
        ("a control character", "such places were replaced"),
        ("bytes that are no UTF-8", "it holds bytes that are not UTF-8 at offset"),
    ],
)
def test_what_was_replaced_or_left_out_is_said(tmp_path: Path, name: str, notice: str) -> None:
    assert notice in "".join(read(tmp_path, WHOLE[name]).notices)


def test_a_file_that_its_writer_cut_keeps_what_came_before(tmp_path: Path) -> None:
    whole = (
        "<testsuite name='s' tests='3'><testcase name='a'/>"
        "<testcase name='b'><failure message='no'>trace</failure></testcase>"
        "<testcase name='c'><system-out>begins"
    )
    report = read(tmp_path, whole)
    assert outcomes(report) == OUTCOMES
    assert report.damage == (
        (
            f"junit.xml cannot be used to its end: it is cut off after {len(whole)} bytes, "
            "in the middle of s::c; 2 of its test cases are kept."
        ),
    )


def test_a_failure_in_whose_middle_a_file_is_cut_is_kept(tmp_path: Path) -> None:
    report = read(tmp_path, "<testsuite name='s'><testcase name='b'><failure message='no'>tra")
    assert outcomes(report) == [("s::b", "failed")]
    assert report.damage


@pytest.mark.parametrize(
    "rest",
    ["\x00\x00\x00", "<testcase name='c' <", "</testsuites>", "<testcase></testsuite>"],
    ids=["NUL bytes", "a broken tag", "a wrong end", "a case without an end"],
)
def test_what_is_no_xml_ends_the_reading_and_nothing_else(tmp_path: Path, rest: str) -> None:
    report = read(tmp_path, TWO.replace("</testsuite>", rest))
    assert outcomes(report) == OUTCOMES
    assert "2 of its test cases are kept" in report.damage[0]


def test_documents_behind_each_other_are_all_read(tmp_path: Path) -> None:
    other = "<?xml version='1.0'?>\n<testsuite name='t'><testcase name='c'><error/></testcase>"
    report = read(tmp_path, f"<?xml version='1.0'?>{TWO}\n{other}</testsuite>\n{TWO}")
    assert outcomes(report) == [
        ("s::a", "passed"),
        ("s::b", "failed"),
        ("t::c", "error"),
        ("s::a #2", "passed"),
        ("s::b #2", "failed"),
    ]
    assert report.notices == ("junit.xml: it holds 3 documents behind each other.",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("<!-- nothing -->", "it is cut off"),
        ("<html><body>Not found</body></html>", "a web page"),
        ("<testng-results skipped='0'/>", "TestNG's own report"),
        ("<test-run id='2' total='3'/>", "NUnit's own report"),
        ("<test-results name='x'/>", "NUnit 2's own report"),
        ("<assemblies><assembly total='3'/></assemblies>", "xUnit.net's own report"),
        ("<TestRun xmlns='http://example.org/TeamTest'/>", "Visual Studio's TRX"),
        ("<robot generator='Robot'/>", "Robot Framework's own report"),
        ("<Site><Testing/></Site>", "CTest's own report"),
        ("<Catch2TestRun name='t'/>", "Catch2's own report"),
        ("<coverage line-rate='1'/>", "a coverage report"),
        ("<nonsense/>", "its root is <nonsense>"),
        ("plain text", "not well-formed"),
        ('{"tests": 3}', "not well-formed"),
    ],
)
def test_what_is_no_junit_is_called_by_its_name(tmp_path: Path, content: str, reason: str) -> None:
    report = read(tmp_path, content)
    assert (report.cases, report.files) == ((), 0)
    (damage,) = report.damage
    assert damage.startswith("junit.xml cannot be used: ")
    assert reason in damage


def test_a_reading_ends_at_its_deadline_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(TWO, encoding="utf-8")
    report = junit.read_all([path], root=tmp_path, deadline=Deadline(0))
    assert "reading it took longer than 0 s" in report.damage[0]


def test_other_files_are_read_beside_one_that_cannot_be(tmp_path: Path) -> None:
    for name, content in (("a.xml", "<html/>"), ("b.xml", TWO)):
        (tmp_path / name).write_text(content, encoding="utf-8")
    paths = [tmp_path / name for name in ("a.xml", "b.xml", "gone.xml")]
    report = junit.read_all(paths, root=tmp_path)
    assert outcomes(report) == OUTCOMES
    assert len(report.damage) == 2
    assert report.damage[1] == "gone.xml cannot be read: No such file or directory."


def test_a_tag_of_a_hundred_thousand_attributes_is_refused(tmp_path: Path) -> None:
    attributes = "".join(f" a{number}=''" for number in range(100_000))
    report = read(tmp_path, f"<testsuite><testcase{attributes}/></testsuite>")
    assert "attributes" in report.damage[0]


def test_cases_beyond_the_limit_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(TWO, encoding="utf-8")
    limits = replace(junit.DEFAULT_LIMITS, cases=1)
    report = junit.read_all([path], root=tmp_path, limits=limits)
    assert outcomes(report) == OUTCOMES[:1]
    assert "it holds more than 1 test cases; 1 of its test cases are kept" in report.damage[0]
