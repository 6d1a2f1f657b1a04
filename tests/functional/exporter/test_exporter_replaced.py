"""What a result file had reported before it was written anew stays known."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from floe_tests.execution.attempt import judge
from floe_tests.execution.verdict.facts import ContainerFacts, Facts, PodFacts
from floe_tests.results.collate import collate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from floe_tests.execution.stream import Completeness
    from tests.functional.exporter.conftest import RunningExporter, Start

Outcomes = dict[str, str]


class Sessions:
    """Writes the files of one session of a test tool after another."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._number = 0

    def write(self, outcomes: Mapping[str, str], *files: str, collected: int | None = None) -> None:
        """Write a session's files: `junit`, `events`, `collection`."""
        self._number += 1
        if "collection" in files:
            counts = {"collected": len(outcomes) if collected is None else collected}
            other = self._results / ".collection"
            other.write_text(json.dumps(counts))
            other.replace(self._results / "collection.json")
        if "events" in files:
            (self._results / "events.jsonl").write_text(self._events(outcomes))
        if "junit" in files:
            (self._results / "junit.xml").write_text(self._junit(outcomes))

    def _junit(self, outcomes: Mapping[str, str]) -> str:
        fault = {"failed": f"<failure message='no {self._number}'/>", "skipped": "<skipped/>"}
        cases = "".join(
            f"<testcase classname='t' name='{name}' time='{self._number}'>"
            f"{fault.get(outcome, '')}</testcase>"
            for name, outcome in outcomes.items()
        )
        return f"<testsuite name='session {self._number}'>{cases}</testsuite>"

    def _events(self, outcomes: Mapping[str, str]) -> str:
        lines: list[dict[str, object]] = [{"$report_type": "SessionStart"}]
        for name, outcome in outcomes.items():
            report = {"$report_type": "TestReport", "nodeid": f"t.py::{name}", "duration": 0.1}
            call = {**report, "when": "call", "outcome": outcome, "longrepr": None}
            if outcome == "failed":
                call["longrepr"] = f"no {self._number}"
            lines += [call, {**report, "when": "teardown", "outcome": "passed", "longrepr": None}]
        lines.append({"$report_type": "SessionFinish", "exitstatus": 0})
        return "".join(f"{json.dumps(line)}\n" for line in lines)


@pytest.fixture
def sessions(results: Path) -> Sessions:
    return Sessions(results)


def arrived(running: RunningExporter, directory: Path, received: Path) -> None:
    """Wait until the receiving side has what is in the directory."""

    def is_there() -> bool:
        return all(
            (received / path.name).exists()
            and (received / path.name).read_bytes() == path.read_bytes()
            for path in directory.iterdir()
            if not path.name.startswith(".")
        )

    running.wait_until(is_there)


def run_all(
    start: Start, results: Path, received: Path, written: list[tuple[Outcomes, tuple[str, ...]]]
) -> Completeness:
    """Write sessions, each one after the one before has arrived."""
    sessions = Sessions(results)
    running = start("--heartbeat-seconds=0.05")
    for outcomes, files in written:
        sessions.write(outcomes, *files)
        arrived(running, results, received)
    completeness = running.stop()
    assert completeness.complete, completeness.problems
    return completeness


FILES = [
    pytest.param(("junit",), id="junit"),
    pytest.param(("events",), id="events"),
    pytest.param(("junit", "events"), id="both"),
    pytest.param(("junit", "events", "collection"), id="all"),
]


@pytest.mark.parametrize("files", FILES)
@pytest.mark.parametrize("again", [{"a": "passed", "b": "passed"}, {"b": "passed"}])
def test_a_test_that_failed_first_and_passed_then_is_flaky(
    start: Start, results: Path, received: Path, files: tuple[str, ...], again: Outcomes
) -> None:
    """`pytest || pytest`, and with `--lf` the last files alone would say 1 of 2 tests."""
    first = {"a": "passed", "b": "failed"}
    completeness = run_all(start, results, received, [(first, files), (again, files)])

    collated = collate(received)

    assert {case.name: str(case.outcome) for case in collated.cases} == {
        "t::a": "passed",
        "t::b": "passed",
    }
    flaky = next(case for case in collated.cases if case.name == "t::b")
    assert flaky.reruns == 1
    assert "no 1" in flaky.message + flaky.text
    assert collated.reported == 2
    assert collated.collected == (2 if "collection" in files else None)
    kept = "The results were written 2 times: 1 failure of account 1 is kept: t::b."
    assert kept in collated.notices
    assert verdict_of(received, completeness) == "PASS"


def verdict_of(received: Path, completeness: Completeness) -> str:
    """Judge what a test container with exit code 0 left."""
    test = ContainerFacts(name="suite", state="terminated", exit_code=0)
    facts = Facts(subject="job/a", pod=PodFacts(name="pod", phase="Succeeded", test=test))
    _, verdict = judge(facts, directory=received, completeness=completeness)
    return str(verdict.cause)


@pytest.mark.parametrize("files", FILES)
@pytest.mark.parametrize("later", [{"a": "passed"}, {"a": "passed", "b": "skipped"}])
def test_a_test_that_failed_and_did_not_pass_later_has_failed(
    start: Start, results: Path, received: Path, files: tuple[str, ...], later: Outcomes
) -> None:
    """`pytest; pytest -k a`: nobody has shown that it passes."""
    first = {"a": "passed", "b": "failed"}
    completeness = run_all(start, results, received, [(first, files), (later, files)])

    outcomes = {case.name: str(case.outcome) for case in collate(received).cases}
    assert outcomes == {"t::a": "passed", "t::b": "failed"}
    assert verdict_of(received, completeness) == "TEST_FAILURE"


def test_two_suites_that_write_the_same_files_are_both_counted(
    start: Start, results: Path, received: Path
) -> None:
    """`pytest a; pytest b` with one name for the results of both."""
    files = ("junit", "events", "collection")
    written: list[tuple[Outcomes, tuple[str, ...]]] = [
        ({"a": "passed", "b": "passed"}, files),
        ({"c": "passed"}, files),
    ]
    completeness = run_all(start, results, received, written)

    collated = collate(received)
    assert (collated.reported, collated.collected) == (3, 3)
    assert any("2 tests of earlier accounts" in notice for notice in collated.notices)
    assert verdict_of(received, completeness) == "PASS"


def test_each_of_many_tries_is_kept(start: Start, results: Path, received: Path) -> None:
    """`for i in 1 2 3 …; do pytest; done`: more often than a progress file would be sent."""
    written: list[tuple[Outcomes, tuple[str, ...]]] = [
        ({"a": "passed", f"b{number}": "failed"}, ("junit",)) for number in range(12)
    ]
    run_all(start, results, received, [*written, ({"a": "passed"}, ("junit",))])
    failed = [case.name for case in collate(received).cases if case.outcome.is_failing]
    assert sorted(failed) == sorted(f"t::b{number}" for number in range(12))


def test_a_file_that_is_written_anew_with_all_it_held_is_no_news(
    start: Start, results: Path, received: Path
) -> None:
    """Some tools write their file after each test, and say again what they said before."""
    cases = ["<testcase classname='t' name='a' time='1'><failure message='x'/></testcase>"]
    cases += [f"<testcase classname='t' name='b{n}' time='2'/>" for n in range(4)]
    running = start("--heartbeat-seconds=0.05")
    for number in range(1, len(cases) + 1):
        text = f"<testsuite tests='{number}'>{''.join(cases[:number])}</testsuite>"
        (results / "junit.xml").write_text(text)
        arrived(running, results, received)
    running.stop()

    collated = collate(received)

    assert (collated.reported, collated.tally.failed, collated.notices) == (5, 1, ())
    assert all(case.reruns == 0 for case in collated.cases)


def test_a_file_that_grows_has_no_earlier_versions(
    start: Start, results: Path, received: Path
) -> None:
    """It is the plain case, and costs nothing."""
    running = start("--heartbeat-seconds=0.05")
    with (results / "events.jsonl").open("w") as file:
        for number in range(5):
            file.write(f'{{"$report_type": "x{number}"}}\n')
            file.flush()
            arrived(running, results, received)
    running.stop()
    assert not (received / ".replaced").exists()


def test_an_account_that_was_replaced_while_the_exporter_was_away_is_kept(
    start: Start, results: Path, received: Path, sessions: Sessions
) -> None:
    """It was out of memory, and Kubernetes started it again."""
    sessions.write({"a": "failed", "b": "failed"}, "junit", "events")
    first = start()
    arrived(first, results, received)
    first.stop(signal.SIGKILL)
    sessions.write({"a": "passed"}, "junit", "events")

    completeness = start(stream=first.stream).stop()

    assert completeness.complete, completeness.problems
    outcomes = {case.name: str(case.outcome) for case in collate(received).cases}
    assert outcomes == {"t::a": "passed", "t::b": "failed"}


def test_a_count_that_was_never_reached_is_told_from_the_first_account(
    start: Start, results: Path, received: Path, sessions: Sessions
) -> None:
    """The first session was killed in the middle, and the second ran one test."""
    running = start("--heartbeat-seconds=0.05")
    sessions.write({"a": "passed"}, "events", "collection", collected=3)
    arrived(running, results, received)
    sessions.write({"b": "passed"}, "events", "collection")
    completeness = running.stop()
    assert collate(received).collected == 3
    assert verdict_of(received, completeness) == "RESULT_LOST"
