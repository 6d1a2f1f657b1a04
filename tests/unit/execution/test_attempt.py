"""Judging an attempt: the proof that results are complete is in the files themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from floe_tests.core.verdict import Cause, Fault
from floe_tests.execution.attempt import Timings, judge
from floe_tests.execution.stream import Completeness, CutResult
from floe_tests.execution.verdict.facts import ContainerFacts, Facts, PodFacts

COMPLETE = Completeness(complete=True, problems=(), notices=(), missing=(), verified=())
ENDED_WELL = Facts(
    subject="job/a",
    pod=PodFacts(
        name="a",
        phase="Succeeded",
        test=ContainerFacts(
            name="t", state="terminated", exit_code=0, started_at=datetime(2026, 11, 23, tzinfo=UTC)
        ),
    ),
)


def received(directory: Path, *, collected: int, passed: int) -> Path:
    cases = "".join(f'<testcase classname="t" name="test_{n}"/>' for n in range(passed))
    (directory / "junit.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    (directory / "collection.json").write_text(json.dumps({"collected": collected}))
    return directory


def test_all_that_was_collected_was_reported_and_passed(tmp_path: Path):
    directory = received(tmp_path, collected=3, passed=3)

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=COMPLETE)

    assert verdict.cause is Cause.PASS
    assert (facts.results.reported, facts.results.collected) == (3, 3)


def test_a_test_that_was_collected_and_not_reported_is_no_pass(tmp_path: Path):
    """Exit code 0, checksums that match, and one test that nobody heard of again."""
    directory = received(tmp_path, collected=3, passed=2)

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=COMPLETE)

    assert verdict.cause is Cause.RESULT_LOST
    assert facts.results.problems == ("2 of 3 collected tests were reported",)


def test_what_the_stream_did_not_prove_is_no_pass(tmp_path: Path):
    directory = received(tmp_path, collected=3, passed=3)
    cut = replace(COMPLETE, complete=False, problems=("frame 7 is missing",))

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=cut)

    assert verdict.cause is Cause.RESULT_LOST
    assert facts.results.problems == ("frame 7 is missing",)


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        ({"refused": ("junit-2.xml: a FIFO is not a regular file",)}, Fault.TEST),
        ({"complete": True, "doubts": ("deep: Permission denied",)}, Fault.TEST),
        ({"problems": ("frame 7 is missing",)}, Fault.HARNESS),
        ({"problems": ("frame 7 is missing",), "refused": ("junit-2.xml: a FIFO",)}, Fault.HARNESS),
    ],
)
def test_a_result_that_could_not_be_sent_is_the_tests_fault_and_a_lost_one_is_not(
    tmp_path: Path, stream: dict[str, Any], fault: Fault
):
    directory = received(tmp_path, collected=3, passed=3)
    if "doubts" in stream:
        (directory / "collection.json").unlink()
    completeness = replace(COMPLETE, **{"complete": False, **stream})

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=completeness)

    assert (verdict.cause, verdict.fault) == (Cause.RESULT_LOST, fault)
    assert set(facts.results.problems) == {
        text for name in stream if name != "complete" for text in stream[name]
    }
    assert not facts.results.complete


def events(count: int, *, finished: bool) -> str:
    """Return the events of tests that passed, as pytest-reportlog writes them."""
    reports: list[dict[str, object]] = [{"$report_type": "SessionStart"}]
    reports += [
        {
            "$report_type": "TestReport",
            "nodeid": f"t.py::test_{number}",
            "when": when,
            "outcome": "passed",
        }
        for number in range(count)
        for when in ("setup", "call", "teardown")
    ]
    if finished:
        reports.append({"$report_type": "SessionFinish", "exitstatus": 0})
    return "".join(f"{json.dumps(report)}\n" for report in reports)


def cut(path: str) -> Completeness:
    """Return what the stream says when a cap cut this file and nothing else is wrong."""
    result = CutResult(path, sent_bytes=60, size_bytes=90)
    return replace(
        COMPLETE, complete=False, problems=(f"{path}: 60 of 90 bytes were sent",), cut=(result,)
    )


def test_cut_events_are_a_notice_where_junit_holds_every_collected_test(tmp_path: Path):
    directory = received(tmp_path, collected=3, passed=3)
    (directory / "events.jsonl").write_text(events(1, finished=False) + '{"$report')

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=cut("events.jsonl"))

    assert verdict.cause is Cause.PASS
    assert facts.results.notices == (
        "events.jsonl: 60 of 90 bytes were sent; all 3 collected tests are in the other results",
    )


def test_a_cut_junit_file_is_a_notice_where_the_events_hold_every_collected_test(tmp_path: Path):
    directory = received(tmp_path, collected=3, passed=3)
    (directory / "junit.xml").write_text("<testsuites><testsuite>")
    (directory / "events.jsonl").write_text(events(3, finished=True))

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=cut("junit.xml"))

    assert verdict.cause is Cause.PASS
    assert len(facts.results.notices) == 1


@pytest.mark.parametrize(
    ("path", "collected", "in_junit", "in_events", "finished"),
    [
        pytest.param("events.jsonl", 3, 2, 3, True, id="JUnit lacks a test"),
        pytest.param("events.jsonl", None, 3, 1, False, id="nobody said how many there are"),
        pytest.param("junit.xml", 3, 0, 3, False, id="the session did not end"),
        pytest.param("junit.xml", 3, 1, 2, True, id="the events lack a test"),
        pytest.param("collection.json", 3, 3, 3, True, id="the count itself is cut"),
        pytest.param("shard/junit-2.xml", 3, 3, 2, True, id="one of several JUnit files"),
    ],
)
def test_a_cut_result_that_nothing_else_proves_is_no_pass(
    tmp_path: Path,
    path: str,
    *,
    collected: int | None,
    in_junit: int,
    in_events: int,
    finished: bool,
):
    directory = received(tmp_path, collected=collected or 0, passed=in_junit)
    if collected is None:
        (directory / "collection.json").unlink()
    (directory / "events.jsonl").write_text(events(in_events, finished=finished))

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=cut(path))

    assert verdict.cause is Cause.RESULT_LOST
    assert f"{path}: 60 of 90 bytes were sent" in facts.results.problems
    assert facts.results.notices == ()


def test_a_junit_file_that_cannot_be_read_beside_a_green_one_is_no_pass(tmp_path: Path):
    """Tools that write a file a class do not say how many tests there are."""
    directory = received(tmp_path, collected=3, passed=3)
    (directory / "collection.json").unlink()
    (directory / "TEST-other.xml").write_text("<testsuite><testcase name='a'>")

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=COMPLETE)

    assert verdict.cause is Cause.RESULT_LOST
    assert facts.results.problems == (
        "TEST-other.xml cannot be used: it is cut off after 30 bytes, in the middle of a.",
    )
    (directory / "events.jsonl").write_text(events(3, finished=True))
    assert judge(ENDED_WELL, directory=directory, completeness=COMPLETE)[1].passed
    (directory / "events.jsonl").unlink()
    (directory / "collection.json").write_text('{"collected": 3}')
    assert judge(ENDED_WELL, directory=directory, completeness=COMPLETE)[1].passed


def test_events_that_could_not_all_be_kept_are_no_pass(tmp_path: Path):
    """What was left out may have failed; nobody said how many tests there are."""
    lost = "[" * (17 * 1024 * 1024)
    (tmp_path / "events.jsonl").write_text(f"{lost}\n{events(3, finished=True)}")

    facts, verdict = judge(ENDED_WELL, directory=tmp_path, completeness=COMPLETE)

    assert verdict.cause is Cause.RESULT_LOST
    assert facts.results.problems == ("1 events were too long and are lost.",)


def test_two_cut_results_prove_nothing_for_each_other(tmp_path: Path):
    directory = received(tmp_path, collected=3, passed=3)
    (directory / "events.jsonl").write_text(events(3, finished=True))
    both = replace(
        cut("events.jsonl"),
        problems=("events.jsonl: 60 of 90 bytes were sent", "junit.xml: 60 of 90 bytes were sent"),
        cut=(*cut("events.jsonl").cut, *cut("junit.xml").cut),
    )

    assert judge(ENDED_WELL, directory=directory, completeness=both)[1].cause is Cause.RESULT_LOST


def test_a_junit_file_from_before_the_end_of_the_session_is_no_pass(tmp_path: Path):
    """pytest writes it last: a test that writes one and ends the process is not believed."""
    directory = received(tmp_path, collected=3, passed=3)
    (directory / "events.jsonl").write_text(events(2, finished=False))

    _, verdict = judge(ENDED_WELL, directory=directory, completeness=COMPLETE)

    assert verdict.cause is Cause.TEST_CRASH


def test_events_that_end_inside_the_session_are_no_pass(tmp_path: Path):
    """Exit code 0 in the middle, and nobody said how many tests there are."""
    (tmp_path / "events.jsonl").write_text(events(2, finished=False))

    facts, verdict = judge(ENDED_WELL, directory=tmp_path, completeness=COMPLETE)

    assert verdict.cause is Cause.TEST_CRASH
    assert facts.results.problems == ("pytest's events end before its session did",)


def test_what_the_stream_had_to_say_is_kept_and_bounded(tmp_path: Path):
    directory = received(tmp_path, collected=1, passed=1)
    many = replace(COMPLETE, notices=tuple(f"link-{number}" for number in range(1000)))

    facts, verdict = judge(ENDED_WELL, directory=directory, completeness=many)

    assert verdict.cause is Cause.PASS
    assert facts.results.notices[0] == "link-0"
    assert facts.results.notices[-1] == "950 more notices are left out"
    assert len(facts.results.notices) == 51


def test_judging_again_from_the_same_files_gives_the_same(tmp_path: Path):
    directory = received(tmp_path, collected=3, passed=3)

    first = judge(ENDED_WELL, directory=directory, completeness=COMPLETE)

    assert judge(first[0], directory=directory, completeness=COMPLETE) == first


def test_overhead_is_what_neither_the_pods_start_nor_the_tests_took():
    assert Timings(total=70, pod_start=8, tests=60).overhead == 2
    assert Timings(total=5).overhead is None
    assert Timings(total=59, pod_start=0, tests=60).overhead == 0


@pytest.mark.parametrize(
    ("log", "reasons"),
    [
        pytest.param(
            "FAIL Required test coverage of 9% not reached. Total: 3%", 1, id="pytest-cov"
        ),
        pytest.param(
            "ERROR: Coverage failure: total of 67 is less than fail-under=99", 1, id="new"
        ),
        pytest.param(
            'Jest: "global" coverage threshold for lines (80%) not met: 50%', 1, id="Jest"
        ),
        pytest.param("ERROR: Coverage for lines (5%) does not meet global threshold", 1, id="nyc"),
        pytest.param("INTERNALERROR> KeyError: 'x'", 1, id="INTERNALERROR"),
        pytest.param("!!!!!!!! stopping after 1 failures !!!!!!!!", 1, id="-x"),
        pytest.param("!!!!!!!! _pytest.outcomes.Exit: enough !!!!!!!!", 1, id="pytest.exit"),
        pytest.param("TOTAL 3 2 33%\nFAILED t.py::a - assert 0\n1 failed in 0.1s", 0, id="failure"),
        pytest.param("    E  AssertionError: FAIL of coverage", 0, id="a test's own words"),
        pytest.param(
            "Traceback (most recent call last):\nAssertionError: no\nFAILED (failures=1)",
            0,
            id="a test's traceback by unittest",
        ),
        pytest.param(
            'Traceback (most recent call last):\n  File "/x/_pytest/x.py"\nE: 7\n1 failed in 1.0s',
            0,
            id="a test's traceback by pytest",
        ),
        pytest.param(
            '1 failed in 1.0s\nTraceback (most recent call last):\n  File "/x/pluggy/_h.py"\nE: 7',
            2,
            id="pytest's own traceback",
        ),
    ],
)
def test_a_log_that_names_another_reason_for_a_bad_end_is_read(
    tmp_path: Path, log: str, reasons: int
):
    directory = tmp_path / "results"
    directory.mkdir()
    (directory / "junit.xml").write_text(
        "<testsuite><testcase name='a'><failure/></testcase><testcase name='b'/></testsuite>"
    )
    (tmp_path / "pod.log").write_text(f"collected 2 items\n{log}\n")

    facts, _ = judge(ENDED_WELL, directory=directory, completeness=COMPLETE)

    assert len(facts.results.other_reasons) == reasons, facts.results.other_reasons
