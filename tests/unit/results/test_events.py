"""Events: real pytest runs, killed ones too, and streams that nobody should send."""

from __future__ import annotations

import json
import signal
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from floe_tests.results.cases import CaseResult, Tally
from floe_tests.results.formats import junit
from floe_tests.results.formats.events import EventLimits, EventReader

if TYPE_CHECKING:
    from conftest import PytestRun, RunPytest


def _read(data: bytes) -> EventReader:
    reader = EventReader()
    reader.feed(data)
    return reader


def _comparable(case: CaseResult) -> tuple[object, ...]:
    """What both sources know; JUnit has no place for the reason of an unexpected pass."""
    message = "" if case.outcome == "passed" else case.message
    return case.name, case.outcome, message, case.reruns, case.is_collection


def test_events_give_the_cases_that_pytests_junit_gives(mixed_run: PytestRun) -> None:
    """A history fed from both sources would otherwise show one test as two."""
    from_events = {_comparable(case) for case in _read(mixed_run.events).cases}
    from_junit = {_comparable(case) for case in junit.read(mixed_run.results / "junit.xml")}
    assert from_events == from_junit


def test_a_finished_session_says_so(mixed_run: PytestRun) -> None:
    reader = _read(mixed_run.events)
    assert reader.session_started
    assert reader.session_finished
    assert reader.exit_status == mixed_run.exit_code == 1
    assert (reader.in_flight, reader.notices) == ((), ())


def test_failures_carry_traceback_output_and_place(mixed_run: PytestRun) -> None:
    cases = {case.name: case for case in _read(mixed_run.events).cases}
    failed = cases["pkg.test_mixed::test_fails"]
    assert failed.message == "AssertionError: one is not two\nassert 1 == 2"
    assert '>       assert 1 == 2, "one is not two"' in failed.text
    assert "printed before the failure" in failed.text
    assert failed.file == "pkg/test_mixed.py"
    source = (mixed_run.results.parent / "suite" / "pkg" / "test_mixed.py").read_text()
    assert source.splitlines()[(failed.line or 0) - 1] == "def test_fails():"
    chained = cases["pkg.test_mixed::test_chained"]
    assert chained.message == "ValueError: outer"
    assert "KeyError: 'inner'" in chained.text
    assert "direct cause" in chained.text


@pytest.mark.parametrize("piece_bytes", [1, 7, 4096])
def test_progress_does_not_depend_on_how_the_bytes_were_cut(
    mixed_run: PytestRun, piece_bytes: int
) -> None:
    data, reader = mixed_run.events, EventReader()
    progress = [
        step
        for start in range(0, len(data), piece_bytes)
        for step in reader.feed(data[start : start + piece_bytes])
    ]
    whole = _read(data)
    assert tuple(step.case for step in progress) == whole.cases
    assert [step.tally.tests for step in progress] == list(range(1, len(whole.cases) + 1))
    counted = Tally.of(whole.cases)
    assert progress[-1].tally == whole.tally
    assert (counted.tests, counted.failing) == (whole.tally.tests, whole.tally.failing)


KILLED = """
import os, signal
import pytest

def test_first():
    pass

def test_second():
    assert False, "before the kill"

@pytest.fixture
def dies_in_clean_up():
    yield
    os.kill(os.getpid(), signal.SIGKILL)

def test_dies():
    os.kill(os.getpid(), signal.SIGKILL)

def test_fails_and_dies_in_clean_up(dies_in_clean_up):
    assert False, "known before it died"

def test_never_reached():
    pass
"""


def test_a_killed_run_keeps_what_finished_and_names_what_was_running(
    run_pytest: RunPytest,
) -> None:
    run = run_pytest({"test_k.py": KILLED})
    reader = _read(run.events)
    assert run.exit_code == -signal.SIGKILL
    assert not (run.results / "junit.xml").exists()
    assert {case.name: case.outcome for case in reader.cases} == {
        "test_k::test_first": "passed",
        "test_k::test_second": "failed",
    }
    assert reader.in_flight == ("test_k::test_dies",)
    assert reader.cut_short == ()
    assert (reader.session_finished, reader.exit_status) == (False, None)


def test_a_failure_is_known_although_the_clean_up_was_killed(run_pytest: RunPytest) -> None:
    run = run_pytest({"test_k.py": KILLED}, "-k", "clean_up")
    reader = _read(run.events)
    assert reader.in_flight == ("test_k::test_fails_and_dies_in_clean_up",)
    assert [(case.outcome, case.message) for case in reader.cut_short] == [
        ("failed", "AssertionError: known before it died\nassert False")
    ]


def test_an_interrupt_is_seen_in_the_exit_status(run_pytest: RunPytest) -> None:
    suite = "import os, signal\ndef test_a(): os.kill(os.getpid(), signal.SIGINT)\n"
    reader = _read(run_pytest({"test_i.py": suite}).events)
    assert (reader.session_finished, reader.exit_status) == (True, 2)
    assert reader.in_flight == ("test_i::test_a",)


def test_subtests_make_their_test_fail(run_pytest: RunPytest) -> None:
    suite = """
def test_rows(subtests):
    for row in range(3):
        with subtests.test(row=row):
            assert row != 1, "row one is wrong"
"""
    run = run_pytest({"test_s.py": suite})
    if "fixture 'subtests' not found" in run.output:
        pytest.skip("this pytest has no subtests")
    reader = _read(run.events)
    assert [(case.name, case.outcome) for case in reader.cases] == [("test_s::test_rows", "failed")]
    assert "row one is wrong" in reader.cases[0].message


def _report(node_id: str, when: str, outcome: str = "passed", **fields: object) -> dict[str, Any]:
    """Write a report as pytest-reportlog does."""
    return {
        "nodeid": node_id,
        "location": ["test_r.py", 4, "test_a"],
        "outcome": outcome,
        "longrepr": None,
        "when": when,
        "sections": [],
        "duration": 0.5,
        **fields,
        "$report_type": "TestReport",
    }


def _lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


RERUN = [
    _report("test_r.py::test_a", "setup", rerun=0),
    _report("test_r.py::test_a", "call", "rerun", longrepr="first try", rerun=0),
    _report("test_r.py::test_a", "teardown", rerun=0),
    _report("test_r.py::test_a", "setup", rerun=1),
]


@pytest.mark.parametrize("last", ["passed", "failed"])
def test_a_rerun_test_counts_once_with_its_last_outcome(last: str) -> None:
    """The order of reports is that of pytest-rerunfailures 16."""
    call = _report("test_r.py::test_a", "call", last, longrepr="second try", rerun=1)
    teardown = _report("test_r.py::test_a", "teardown", rerun=1)
    (case,) = _read(_lines(*RERUN, call, teardown)).cases
    assert (case.outcome, case.reruns) == (last, 1)
    assert case.message == ("second try" if last == "failed" else "first try")
    assert "first try" in case.text
    assert case.seconds == pytest.approx(3.0)


def test_a_crashed_worker_of_xdist_makes_its_test_an_error() -> None:
    reader = _read(
        _lines(
            _report("test_r.py::test_a", "setup"),
            _report(
                "test_r.py::test_a", "???", "failed", longrepr="worker 'gw0' crashed", duration=0
            ),
        )
    )
    assert [(case.outcome, case.file) for case in reader.cases] == [("error", "test_r.py")]
    assert "worker 'gw0' crashed" in reader.cases[0].message
    assert reader.in_flight == ()


def test_a_test_that_ran_twice_keeps_its_worse_outcome() -> None:
    def once(outcome: str) -> list[dict[str, Any]]:
        return [
            _report("test_r.py::test_a", "setup"),
            _report("test_r.py::test_a", "call", outcome, longrepr="no"),
            _report("test_r.py::test_a", "teardown"),
        ]

    reader = EventReader()
    progress = reader.feed(_lines(*once("failed"), *once("passed")))
    assert [step.case.outcome for step in progress] == ["failed", "failed"]
    assert reader.tally == Tally(tests=1, failed=1, seconds=3.0)


def test_garbage_between_events_is_counted_and_skipped() -> None:
    good = _lines(_report("test_r.py::test_a", "setup"), _report("test_r.py::test_a", "teardown"))
    first, second = good.splitlines(keepends=True)
    garbage = b"\xff\xfe\x00\n[1]\n{}\nnull\n" + b"[" * 100_000 + b'\n{"$report_type": 5}\n'
    reader = _read(first + garbage + second)
    assert [case.outcome for case in reader.cases] == ["passed"]
    assert reader.notices == ("5 lines of the events are no events.",)


def test_a_stream_cut_inside_a_line_says_so() -> None:
    reader = _read(_lines(_report("test_r.py::test_a", "setup"))[:-20])
    assert reader.notices == ("The events end inside a line.",)


def test_output_of_100_mib_costs_neither_the_outcome_nor_the_memory() -> None:
    reader = EventReader()
    reader.feed(_lines(_report("test_r.py::test_a", "setup")))
    head, tail = json.dumps(
        _report("test_r.py::test_a", "call", "failed", sections=[["Captured stdout call", "@"]])
    ).split("@")
    reader.feed(head.encode())
    for _ in range(100):
        reader.feed(b"x" * 1024 * 1024)
    reader.feed(tail.encode() + b"\n")
    reader.feed(_lines(_report("test_r.py::test_a", "teardown")))
    (case,) = reader.cases
    assert case.outcome == "failed"
    assert "xxxx" in case.text
    assert reader.notices == ()


def test_cases_beyond_the_limit_are_counted_in_a_notice() -> None:
    reader = EventReader(EventLimits(cases=2))
    for number in range(5):
        reader.feed(_lines(_report(f"test_r.py::test_{number}", "teardown")))
    assert len(reader.cases) == 2
    assert reader.notices == ("3 cases beyond 2 were not kept.",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
EVENTS = st.fixed_dictionaries(
    {"$report_type": st.sampled_from(["TestReport", "CollectReport", "SessionFinish"])},
    optional={
        "nodeid": st.sampled_from(["a.py::b", "a.py", ""]) | JSON,
        "when": st.sampled_from(["setup", "call", "teardown", "???"]) | JSON,
        "outcome": st.sampled_from(["passed", "failed", "skipped", "rerun"]) | JSON,
        "longrepr": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "reprcrash": JSON,
                "chain": st.lists(st.lists(JSON, max_size=3), max_size=3),
                "reprtraceback": st.fixed_dictionaries({"reprentries": JSON}),
                "sections": JSON,
            },
        ),
        "sections": JSON,
        "location": JSON,
        "duration": JSON | st.just(10**400),
        "wasxfail": JSON,
        "exitstatus": JSON,
    },
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=6))
def test_no_event_makes_the_reader_fail(events: list[dict[str, Any]]) -> None:
    reader = _read(_lines(*events))
    assert Tally.of(reader.cases).tests == reader.tally.tests
    assert all(isinstance(notice, str) for notice in reader.notices)
    assert all(case.outcome.is_failing for case in reader.cut_short)


def test_a_test_that_fails_without_end_costs_no_memory_and_stays_failed() -> None:
    """One report a line of a loop; a skip before them hides no failure."""
    reader = EventReader()
    tracemalloc.start()
    try:
        for number in range(2000):
            report = _report("t.py::t", "call", "skipped" if number < 30 else "failed")
            reader.feed(_lines({**report, "longrepr": f"{number} " + "x" * 20_000}))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    reader.feed(_lines(_report("t.py::t", "teardown")))
    assert [case.outcome for case in reader.cases] == ["failed"]
    assert peak_bytes < 4 * 1024 * 1024


def _told_by_an_adapter(when: str, outcome: str, **more: object) -> bytes:
    names = {"nodeid": "[id:1]", "classname": "example.com/shop", "name": "TestTotal/one.py::item"}
    event = {"$report_type": "TestReport", **names, "when": when, "outcome": outcome, **more}
    return json.dumps(event).encode() + b"\n"


def test_a_test_of_another_tool_has_the_name_of_its_junit_file() -> None:
    begun = _told_by_an_adapter("setup", "passed")
    name = "example.com/shop::TestTotal/one.py::item"

    assert _read(begun).in_flight == (name,)
    ended = _told_by_an_adapter("call", "passed") + _told_by_an_adapter("teardown", "passed")
    (case,) = _read(begun + ended).cases
    assert case.name == name


def test_what_another_tool_calls_an_error_is_one_as_it_stands() -> None:
    said = {"longrepr": {"reprcrash": {"message": "no such file"}}, "sections": [["stack", "at x"]]}
    call = _told_by_an_adapter("call", "error", **said)

    (case,) = _read(call + _told_by_an_adapter("teardown", "passed")).cases

    assert (case.outcome, case.message) == ("error", "no such file")
    assert "at x" in case.text
