"""Collation: one result from whatever files a pod sent before it ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.core.deadline import Deadline
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.collate import collate
from floe_tests.results.formats import junit

if TYPE_CHECKING:
    from conftest import PytestRun, RunPytest

MIXED_CASES = 17
MIXED_TESTS = 15


@pytest.fixture
def received(mixed_run: PytestRun, tmp_path: Path) -> Path:
    """Return a copy of what a complete run leaves, for a test to damage."""
    directory = tmp_path / "received"
    shutil.copytree(mixed_run.results, directory)
    counts = {"collected": MIXED_TESTS, "deselected": 2}
    (directory / "collection.json").write_text(json.dumps(counts), encoding="utf-8")
    return directory


def _write_junit(path: Path, **outcomes: str) -> None:
    cases = [
        CaseResult(name=f"t::{name}", outcome=CaseOutcome(outcome), seconds=0.5)
        for name, outcome in outcomes.items()
    ]
    junit.write(path, cases, suite="suite")


def test_a_complete_run_is_taken_from_junit_and_nothing_is_missing(received: Path) -> None:
    results = collate(received)
    assert (results.source, len(results.cases)) == ("junit", MIXED_CASES)
    assert (results.collected, results.reported, results.missing) == (MIXED_TESTS, MIXED_TESTS, 0)
    assert results.deselected == 2
    assert (results.session_finished, results.exit_status) == (True, 1)
    assert (results.in_flight, results.notices) == ((), ())


def test_cases_from_junit_get_their_place_and_output_from_the_events(received: Path) -> None:
    cases = {case.name: case for case in collate(received).cases}
    failed = cases["pkg.test_mixed::test_fails"]
    assert failed.file == "pkg/test_mixed.py"
    assert "printed before the failure" in failed.text


def _remove(path: Path) -> None:
    path.unlink()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def _lose_cases(path: Path) -> None:
    junit.write(path, junit.read(path)[:5], suite="pytest")


@pytest.mark.parametrize(
    ("damage", "notice"),
    [
        (_remove, None),
        (_truncate, "junit.xml cannot be used to its end: it is cut off after 2000 bytes"),
        (_lose_cases, "JUnit lacks "),
    ],
    ids=["absent", "cut off", "fewer cases"],
)
def test_results_are_rebuilt_from_the_events_when_junit_is_damaged(
    received: Path, damage: Callable[[Path], None], notice: str | None
) -> None:
    whole = collate(received)
    damage(received / "junit.xml")
    rebuilt = collate(received)
    assert rebuilt.source == "events"
    assert {case.name: case.outcome for case in rebuilt.cases} == {
        case.name: case.outcome for case in whole.cases
    }
    assert (rebuilt.reported, rebuilt.missing) == (MIXED_TESTS, 0)
    assert bool(rebuilt.notices) == bool(notice)
    assert any(text.startswith(notice or "") for text in rebuilt.notices) == bool(notice)


def test_a_killed_run_is_partial_and_says_what_is_missing(run_pytest: RunPytest) -> None:
    suite = """
import os, signal

def test_passes(): pass
def test_fails(): assert False
def test_dies(): os.kill(os.getpid(), signal.SIGKILL)
def test_never_reached(): pass
"""
    run = run_pytest({"test_k.py": suite})
    (run.results / "collection.json").write_text('{"collected": 4, "deselected": 0}')
    results = collate(run.results)
    assert (results.source, results.tally.passed, results.tally.failed) == ("events", 1, 1)
    assert (results.collected, results.reported, results.missing) == (4, 2, 2)
    assert results.in_flight == ("test_k::test_dies",)
    assert (results.session_finished, results.exit_status) == (False, None)


def test_a_failure_whose_clean_up_was_killed_is_reported(run_pytest: RunPytest) -> None:
    suite = """
import os, signal
import pytest

@pytest.fixture
def dies():
    yield
    os.kill(os.getpid(), signal.SIGKILL)

def test_fails(dies): assert False
"""
    results = collate(run_pytest({"test_k.py": suite}).results)
    assert [(case.name, case.outcome) for case in results.cases] == [
        ("test_k::test_fails", "failed")
    ]
    assert results.in_flight == ("test_k::test_fails",)


def test_nothing_received_is_no_result(tmp_path: Path) -> None:
    results = collate(tmp_path)
    assert (results.source, results.cases, results.collected) == ("none", (), None)
    assert results.missing is None


def test_a_green_file_that_a_test_wrote_does_not_hide_its_failure(received: Path) -> None:
    """A test can write junit.xml itself; the events disagree, and the worse outcome stands."""
    path = received / "junit.xml"
    path.write_text(path.read_text().replace("<failure ", "<x ").replace("</failure>", "</x>"))
    results = collate(received)
    outcomes = {case.name: case.outcome for case in results.cases}
    assert outcomes["pkg.test_mixed::test_fails"] == "failed"
    assert any(text.startswith("JUnit and events disagree on pkg.") for text in results.notices)


def test_several_junit_files_are_one_result(tmp_path: Path) -> None:
    _write_junit(tmp_path / "junit.xml", a="passed", b="failed")
    _write_junit(tmp_path / "shard" / "junit-2.xml", a="error")
    _write_junit(tmp_path / "reports" / "TEST-com.acme.A.xml", c="skipped")
    _write_junit(tmp_path / "go-junit.xml", d="passed")
    (tmp_path / "coverage.xml").write_text("<coverage/>")
    results = collate(tmp_path)
    assert {case.name: str(case.outcome) for case in results.cases} == {
        "t::d": "passed",
        "t::a [junit.xml]": "passed",
        "t::b": "failed",
        "t::c": "skipped",
        "t::a [shard/junit-2.xml]": "error",
    }
    assert results.source == "junit"


def test_a_copy_of_a_junit_file_is_read_once(tmp_path: Path) -> None:
    _write_junit(tmp_path / "junit.xml", a="passed")
    (tmp_path / "artifacts").mkdir()
    shutil.copy(tmp_path / "junit.xml", tmp_path / "artifacts" / "junit.xml")
    results = collate(tmp_path)
    assert len(results.cases) == 1
    assert results.notices == ("junit.xml is a copy of artifacts/junit.xml.",)


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    _write_junit(outside / "junit.xml", a="passed")
    received = tmp_path / "received"
    received.mkdir()
    (received / "junit.xml").symlink_to(outside / "junit.xml")
    (received / "more").symlink_to(outside, target_is_directory=True)
    (received / "events.jsonl").symlink_to(outside / "junit.xml")
    assert collate(received).source == "none"


@pytest.mark.parametrize(
    ("content", "collected", "notice"),
    [
        ('{"collected": 3}', 3, None),
        ('{"collected": 0, "deselected": null}', 0, None),
        ('{"collected": "3"}', None, 'says collected = "3", which is no number of tests'),
        ('{"collected": -1}', None, "says collected = -1"),
        ('{"collected": true}', None, "says collected = true"),
        ('{"collected": 1e400}', None, "says collected = Infinity"),
        ('{"collected": 3.0}', None, "says collected = 3.0"),
        ('{"collected": 3, "sessions": -1}', None, "says sessions = -1"),
        ('{"collected": null}', None, "has no number in `collected`"),
        ('{"Collected": 3}', None, "has no number in `collected`"),
        ("", None, "cannot be read"),
        ("[3]", None, "is no JSON object"),
        ("{", None, "cannot be read"),
        ("[" * 60_000, None, "cannot be read"),
        ("\x00" * 100_000, None, "cannot be read"),
    ],
)
def test_a_collection_file_is_not_trusted(
    tmp_path: Path, content: str, collected: int | None, notice: str | None
) -> None:
    (tmp_path / "collection.json").write_text(content, encoding="utf-8")
    results = collate(tmp_path)
    assert results.collected == collected
    assert len(results.contradictions) == (1 if notice else 0)
    assert f"collection.json {notice}" in "".join(results.contradictions) or notice is None


def test_more_reported_than_collected_is_noticed(tmp_path: Path) -> None:
    _write_junit(tmp_path / "junit.xml", a="passed", b="passed")
    (tmp_path / "collection.json").write_text('{"collected": 1}', encoding="utf-8")
    results = collate(tmp_path)
    assert results.missing == 0
    assert results.notices == ("2 tests were reported, 1 were collected.",)


def test_the_texts_of_many_failures_are_bounded_and_their_outcomes_kept(tmp_path: Path) -> None:
    """1,500 failures of 20 kB each are 30 MB twice, in JUnit and in the events."""
    text = "x" * 20_000
    with (
        (tmp_path / "junit.xml").open("w", encoding="utf-8") as xml,
        (tmp_path / "events.jsonl").open("w", encoding="utf-8") as events,
    ):
        xml.write("<testsuites name='pytest tests'><testsuite name='pytest'>")
        for number in range(1500):
            xml.write(f"<testcase classname='t' name='t{number}'><failure message='m'>{text}")
            xml.write("</failure></testcase>")
            for when, outcome, longrepr in (("call", "failed", text), ("teardown", "passed", None)):
                report = {
                    "$report_type": "TestReport",
                    "nodeid": f"t.py::t{number}",
                    "when": when,
                    "outcome": outcome,
                    "longrepr": longrepr,
                }
                events.write(json.dumps(report) + "\n")
        xml.write("</testsuite></testsuites>")
    results = collate(tmp_path)
    assert results.tally.failed == 1500
    assert sum(len(case.text) for case in results.cases) < 25 * 1024 * 1024
    assert any("left out" in notice for notice in results.notices)


def test_a_test_in_whose_middle_the_session_was_stopped_has_not_passed(
    run_pytest: RunPytest,
) -> None:
    """pytest writes it into its JUnit file without a name and without a failure."""
    suite = """
import pytest

def test_passes(): pass
def test_is_stopped(): pytest.exit("stopped", returncode=143)
def test_never_reached(): pass
"""
    results = collate(run_pytest({"test_k.py": suite}).results)

    assert [case.name for case in results.cases] == ["test_k::test_passes"]
    assert results.in_flight == ("test_k::test_is_stopped",)


def test_a_test_in_whose_clean_up_the_session_was_stopped_has_not_passed(
    run_pytest: RunPytest,
) -> None:
    suite = """
import pytest

@pytest.fixture
def stops():
    yield
    pytest.exit("stopped", returncode=143)

def test_passes(): pass
def test_is_stopped(stops): pass
"""
    results = collate(run_pytest({"test_k.py": suite}).results)

    assert [case.name for case in results.cases] == ["test_k::test_passes"]
    assert results.in_flight == ("test_k::test_is_stopped",)


def test_a_test_at_which_a_cap_cut_the_events_may_have_passed(run_pytest: RunPytest) -> None:
    """Whole events that end there say that it did not end; cut ones say nothing."""
    suite = "def test_first(): pass\ndef test_second(): pass\n"
    directory = run_pytest({"test_k.py": suite}).results
    events = directory / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    is_second = [b"test_second" in line for line in lines]
    events.write_bytes(b"".join(lines[: is_second.index(True) + 1]))

    whole, cut = collate(directory), collate(directory, cut={"events.jsonl"})

    assert whole.in_flight == ("test_k::test_second",)
    assert (whole.reported, whole.ends_early) == (1, True)
    assert cut.in_flight == ()
    assert (cut.reported, cut.in_junit, cut.ends_early) == (2, 2, False)


def test_what_junit_declares_and_does_not_show_is_told(tmp_path: Path) -> None:
    xml = "<testsuite name='s' tests='5'><testcase name='a'/></testsuite>"
    (tmp_path / "junit.xml").write_text(xml, encoding="utf-8")
    results = collate(tmp_path)
    assert results.contradictions == ("junit.xml: suite s declares 5 tests and has 1",)


def test_a_junit_file_without_a_test_is_a_result(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text("<testsuite tests='0'/>", encoding="utf-8")
    results = collate(tmp_path)
    assert (results.has_result_file, results.reported, results.contradictions) == (True, 0, ())


def test_events_that_hold_every_test_outweigh_what_junit_promises(received: Path) -> None:
    path = received / "junit.xml"
    path.write_text(path.read_text().replace('failures="', 'failures="9'))
    results = collate(received)
    assert results.contradictions == ()
    assert any("failures and errors and shows" in notice for notice in results.notices)


def test_reading_ends_at_its_deadline_and_says_so(received: Path) -> None:
    results = collate(received, deadline=Deadline(0))
    assert any("took longer than 0 s" in doubt for doubt in results.doubts)


def test_two_tests_of_one_title_are_two_of_those_that_were_collected(tmp_path: Path) -> None:
    (tmp_path / "collection.json").write_text('{"collected": 2}', encoding="utf-8")
    (tmp_path / "junit.xml").write_text(
        "<testsuite name='a.js' tests='2' failures='1'><testcase classname='a.js' name='w'>"
        "<failure message='x'/></testcase><testcase classname='a.js' name='w'/></testsuite>",
        encoding="utf-8",
    )
    results = collate(tmp_path)
    assert (results.reported, results.missing, results.tally.failed) == (2, 0, 1)


def test_an_attachment_that_junit_names_stays_beside_a_longer_text_of_the_events(
    received: Path,
) -> None:
    case = CaseResult(
        name="pkg.test_mixed::test_fails",
        outcome=CaseOutcome.FAILED,
        seconds=0.1,
        text="[[ATTACHMENT|shots/a.png]]",
    )
    junit.write(received / "junit.xml", [case], suite="suite")

    (failed,) = (each for each in collate(received).cases if each.name == case.name)

    assert failed.attachments == ("shots/a.png",)
    assert "printed before the failure" in failed.text
