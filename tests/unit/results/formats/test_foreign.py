"""Results in a form that is not read, beside a green JUnit file: each is named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from floe_tests.results.collate import collate

GREEN = "<testsuite name='s' tests='1'><testcase classname='c' name='a'/></testsuite>"
RED = b"<testsuite name='t'><testcase name='b'><failure/></testcase></testsuite>"
TRX = b"<?xml version='1.0'?><TestRun xmlns='http://microsoft.com/schemas/VisualStudio/TeamTest/2010'/>"

UNREAD = {
    "TestResult.xml": (
        b"<?xml version='1.0'?>\n<test-run id='2' total='3'/>",
        "NUnit's own report",
    ),
    "old/TestResult.xml": (b"<!-- c --><test-results name='x'/>", "NUnit 2's own report"),
    "testng-results.xml": (b"<testng-results skipped='0'/>", "TestNG's own report"),
    "xunit.xml": (b"<assemblies><assembly/></assemblies>", "xUnit.net's own report"),
    "output.xml": (b"<robot generator='Robot 7'/>", "Robot Framework's own report"),
    "results.trx": (TRX, "Visual Studio's TRX"),
    "wide.trx": (TRX.decode().encode("utf-16"), "Visual Studio's TRX"),
    "Test.xml": (b"<Site Name='x'><Testing/></Site>", "CTest's own report"),
    "catch.xml": (b"<Catch2TestRun name='t'/>", "Catch2's own report"),
    "boost.log": (b"<TestLog><TestSuite/></TestLog>", "Boost.Test's own log"),
    "sonar.xml": (b"<testExecutions version='1'/>", "SonarQube's generic report"),
    "out.tap": (b"TAP version 13\nnot ok 1\n", "TAP"),
    "ctrf.json": (b'{\n "reportFormat": "CTRF", "results": {}}', "CTRF"),
    "junit.xml.gz": (gzip.compress(RED), "JUnit in gzip; write it unpacked"),
    "trx.gz": (gzip.compress(TRX), "Visual Studio's TRX in gzip"),
    "report": (RED, "JUnit; name it junit*.xml"),
    "junit.xml.tmp": (b"\xef\xbb\xbf" + RED, "JUnit; name it junit*.xml"),
    "Tests.xml.1": (b"<testrun name='all' tests='1'/>", "JUnit; name it junit*.xml"),
}


@pytest.mark.parametrize(("name", "found"), UNREAD.items(), ids=UNREAD.keys())
def test_results_that_are_not_read_are_named_with_the_remedy(
    tmp_path: Path, name: str, found: tuple[bytes, str]
) -> None:
    content, said = found
    (tmp_path / "green-junit.xml").write_text(GREEN)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    results = collate(tmp_path)

    assert results.tally.passed == 1
    (notice,) = results.notices
    assert notice.startswith(f"{name} was not read as a result: it is {said}")


OTHERS = {
    "coverage.xml": b"<coverage line-rate='1'/>",
    "jacoco.xml": b"<report name='j'/>",
    "pom.xml": b"<project/>",
    "Build.xml": b"<Site><Build/></Site>",
    "index.html": b"<html><testsuites/></html>",
    "page.svg": b"<svg/>",
    "app.log": b"said <testsuite name='s'>",
    "log.gz": gzip.compress(b"said <testsuite name='s'>"),
    "cut.gz": gzip.compress(RED)[:6],
    "data.json": b'{"results": 1}',
    "empty": b"",
    "noise": bytes(range(256)),
}


def test_what_holds_no_results_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(GREEN)
    for name, content in OTHERS.items():
        (tmp_path / name).write_bytes(content)
    assert collate(tmp_path).notices == ()


def test_many_of_them_are_counted(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.trx").write_bytes(TRX)
    notices = collate(tmp_path).notices
    assert len(notices) == 6
    assert notices[-1] == "4 more files hold results and were not read."


def test_a_small_file_that_unpacks_to_much_is_looked_into_at_its_beginning_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b" " * 50_000_000 + RED))
    assert collate(tmp_path).notices == ()
