"""Shards held against each other: what is proved, what is not, and what the suite comes to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.quarantine import Quarantine, QuarantineEntry
from floe_tests.core.verdict import Cause, Fault
from floe_tests.execution.attempt import Attempt, Timings
from floe_tests.execution.sharding.combined_results import merge_received
from floe_tests.execution.sharding.merge import merged
from floe_tests.execution.sharding.record import read_all
from floe_tests.execution.stream import Completeness
from floe_tests.execution.verdict.facts import ErrorFacts
from floe_tests.execution.verdict.rules import classify
from floe_tests.pipeline.verdicts import verdict_of
from floe_tests.results.collate import collate

Split = Callable[[int], tuple[list[str], list[list[str]]]]
Shards = Any


def shown(verdict: Any) -> str:
    return "\n".join(str(item) for item in verdict.evidence)


def test_three_green_shards_are_one_green_suite(shards: Shards, split: Split):
    tests, parts = split(10)
    for shard, part in enumerate(parts):
        shards.add(shard, part, of=tests)

    facts, verdict = merged(shards.directory, shards.end())

    assert verdict.cause is Cause.PASS, shown(verdict)
    assert (facts.results.collected, facts.results.reported, facts.results.passed) == (10, 10, 10)
    assert "3: 3 PASS" in shown(verdict)
    whole = collate(shards.directory / "results")
    assert (whole.collected, whole.deselected, whole.reported) == (10, 3, 10)
    assert (whole.in_junit, whole.in_events, whole.session_finished) == (10, 10, True)
    assert whole.notices == ()
    assert {case.name for case in whole.cases} == {f"tests.test_a::test_{n}" for n in range(10)}


def test_a_failing_test_names_its_shard_and_pod(shards: Shards, split: Split):
    tests, parts = split(9)
    for shard, part in enumerate(parts):
        shards.add(shard, part, of=tests, failing=[tests[4]] if shard == 1 else ())

    facts, verdict = merged(shards.directory, shards.end())

    assert verdict.cause is Cause.TEST_FAILURE
    assert "tests.test_a::test_4 outcome: failed" in shown(verdict)
    assert "shard/1 pod: suite-1-abcde: 1 of 3 tests failed" in shown(verdict)
    assert classify(facts).cause is Cause.TEST_FAILURE


def test_one_shard_of_failures_is_no_suspect_environment(shards: Shards, split: Split):
    """12 of 36 tests failed: hardly all of them, though all of one shard."""
    tests, parts = split(36)
    for shard, part in enumerate(parts):
        shards.add(shard, part, of=tests, failing=part if shard == 2 else ())

    assert shards.attempts[2].verdict.cause is Cause.SUSPECT_ENV
    assert merged(shards.directory, shards.end())[1].cause is Cause.TEST_FAILURE


def test_an_empty_shard_is_no_fault(shards: Shards):
    tests = ["tests/test_a.py::test_0", "tests/test_a.py::test_1"]
    shards.add(0, tests[:1], of=tests)
    shards.add(1, tests[1:], of=tests)
    shards.add(2, [], of=tests)

    assert merged(shards.directory, shards.end())[1].cause is Cause.PASS


@pytest.mark.parametrize(
    ("container", "cause", "words"),
    [
        pytest.param(
            {"exit_code": 137, "reason": "OOMKilled"},
            Cause.RESOURCE_OOM,
            "OOMKilled",
            id="out of memory",
        ),
        pytest.param(
            {"pod": {"conditions": ["DisruptionTarget"]}, "exit_code": 143},
            Cause.INFRA_DISRUPTED,
            "DisruptionTarget",
            id="disrupted",
        ),
        pytest.param({"exit_code": 3}, Cause.TEST_CRASH, "exit code: 3", id="pytest's own fault"),
    ],
)
def test_the_worst_shard_speaks_for_the_suite(
    shards: Shards, split: Split, container: dict[str, Any], cause: Cause, words: str
):
    tests, parts = split(9)
    shards.add(0, parts[0], of=tests, failing=[tests[0]])
    shards.add(1, parts[1], of=tests, unreported=parts[1][1:], **container)
    shards.add(2, parts[2], of=tests)

    facts, verdict = merged(shards.directory, shards.end())

    assert verdict.cause is cause, shown(verdict)
    assert words in str(verdict.evidence[0])
    assert "shard/1 pod: suite-1-abcde on node-a" in shown(verdict)
    assert verdict.retries == 0, "its shards had their attempts"
    assert classify(facts).cause is cause, "a quarantine list must find the same"
    assert (facts.results.reported, facts.results.collected) == (7, 9)
    # What the shards reported before is in the results all the same.
    assert collate(shards.directory / "results").reported == 7


def test_of_two_broken_shards_the_table_says_which_is_worse(shards: Shards, split: Split):
    tests, parts = split(9)
    oom = {"exit_code": 137, "reason": "OOMKilled"}
    shards.add(0, parts[0], of=tests, unreported=parts[0], **oom)
    shards.add(1, parts[1], of=tests, unreported=parts[1], pod={"reason": "Evicted"})
    shards.add(2, parts[2], of=tests)

    assert merged(shards.directory, shards.end())[1].cause is Cause.RESOURCE_EVICTED


def test_a_later_attempt_has_the_last_word(shards: Shards, split: Split):
    tests, parts = split(9)
    disrupted = {"pod": {"conditions": ["DisruptionTarget"]}, "exit_code": 143}
    shards.add(0, parts[0], of=tests, unreported=parts[0], **disrupted)
    shards.add(0, parts[0], of=tests, number=2)
    shards.add(1, parts[1], of=tests)
    shards.add(2, parts[2], of=tests)

    facts, verdict = merged(shards.directory, shards.end())

    assert verdict.cause is Cause.PASS
    assert "1 needed another attempt" in shown(verdict)
    assert facts.results.reported == 9
    assert [(each.shard, each.number) for each in read_all(shards.directory)] == [
        (0, 1),
        (0, 2),
        (1, 1),
        (2, 1),
    ]


def broken_stream(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    cut = Completeness(
        complete=False, problems=("frame 7 is missing",), notices=(), missing=(), verified=()
    )
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1], of=tests, completeness=cut)
    shards.add(2, parts[2], of=tests)


def missing_shard(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    shards.add(0, parts[0], of=tests)
    shards.add(2, parts[2], of=tests)


def other_collection(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1], of=[*tests, "tests/test_a.py::test_more"])
    shards.add(2, parts[2], of=tests)


def overlap(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    shards.add(0, [*parts[0], tests[1]], of=tests)
    shards.add(1, parts[1], of=tests)
    shards.add(2, parts[2], of=tests)


def gap(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1][1:], of=tests)
    shards.add(2, parts[2], of=tests)


def silent_shard(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1], of=tests, account=None)
    shards.add(2, parts[2], of=tests)


def other_plan(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1], of=tests, account={"plan": "another"})
    shards.add(2, parts[2], of=tests)


def other_count(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1], of=tests, account={"count": 4})
    shards.add(2, parts[2], of=tests)


def no_split(shards: Shards, tests: list[str], parts: list[list[str]]) -> None:
    """An image without the plugin: every pod runs everything."""
    del parts
    for shard in range(3):
        shards.add(shard, tests, of=tests, account=None)


@pytest.mark.parametrize(
    ("receive", "words"),
    [
        (broken_stream, "shard 1 (suite-1-abcde): frame 7 is missing"),
        (missing_shard, "shard 1 did not report at all"),
        (other_collection, "shard 1 collected other tests (10) than shards 0, 2 (9)"),
        (overlap, "shards 0 and 1 share 1 tests"),
        (gap, "the shards kept 8 tests, and collected 9"),
        (silent_shard, "shard 1 did not say what of the suite fell to them"),
        (other_plan, "shard 1 followed another plan than shards 0, 2"),
        (other_count, "shard 1 ran as one of another number than 3"),
        (no_split, "shards 0 and 1 both ran tests.test_a::test_0 and 8 more"),
    ],
)
def test_what_is_not_proved_is_lost_and_never_green(
    shards: Shards,
    split: Split,
    receive: Callable[[Shards, list[str], list[list[str]]], None],
    words: str,
):
    tests, parts = split(9)
    receive(shards, tests, parts)

    facts, verdict = merged(shards.directory, shards.end())

    assert verdict.cause is Cause.RESULT_LOST, shown(verdict)
    assert words in shown(verdict)
    assert classify(facts).cause is Cause.RESULT_LOST


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        ({"refused": ("b.xml: a FIFO is not a regular file",)}, Fault.TEST),
        ({"problems": ("frame 7 is missing",)}, Fault.HARNESS),
    ],
)
def test_a_file_that_a_shard_could_not_send_is_the_suites_fault(
    shards: Shards, split: Split, stream: dict[str, tuple[str, ...]], fault: Fault
):
    """One that was lost on its way is not."""
    tests, parts = split(9)
    whole = Completeness(complete=True, problems=(), notices=(), missing=(), verified=())
    unproved = replace(whole, complete=False, **stream)
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1], of=tests, completeness=unproved)
    shards.add(2, parts[2], of=tests)

    facts, verdict = merged(shards.directory, shards.end())

    for each in (verdict, classify(facts)):
        assert (each.cause, each.fault) == (Cause.RESULT_LOST, fault), shown(each)


def test_a_lost_result_of_one_shard_names_it_first(shards: Shards, split: Split):
    tests, parts = split(9)
    broken_stream(shards, tests, parts)

    verdict = merged(shards.directory, shards.end())[1]

    assert "shard 1" in str(verdict)
    assert "shard/1 pod: suite-1-abcde" in shown(verdict)


def test_an_image_that_splits_by_itself_is_held_to_what_it_reports(shards: Shards, split: Split):
    tests, parts = split(9)
    for shard, part in enumerate(parts):
        shards.add(shard, part, of=tests, account=None)

    assert merged(shards.directory, shards.end())[1].cause is Cause.PASS


def test_a_cancelled_suite_keeps_what_came(shards: Shards, split: Split):
    tests, parts = split(9)
    shards.add(0, parts[0], of=tests)

    facts, verdict = merged(shards.directory, shards.end(cancelled="a newer run"))

    assert verdict.cause is Cause.CANCELLED
    assert "3 reported" in shown(verdict) or "3 of" in shown(verdict)
    assert facts.results.passed == 3


@pytest.mark.parametrize(("begun", "retries"), [(1, 0), (0, 1)])
def test_an_api_that_is_gone_allows_another_attempt_only_before_the_first_test(
    shards: Shards, split: Split, begun: int, retries: int
):
    tests, parts = split(9)
    for shard in range(begun):
        shards.add(shard, parts[shard], of=tests)

    error = ErrorFacts("infrastructure", "the API is away")
    verdict = merged(shards.directory, shards.end(error=error))[1]

    assert (verdict.cause, verdict.retries) == (Cause.INFRA_CLUSTER, retries)


def test_a_module_that_no_shard_could_collect_is_one_case(shards: Shards, split: Split):
    tests, parts = split(3)
    event = json.dumps(
        {
            "nodeid": "tests/test_b.py",
            "outcome": "failed",
            "longrepr": "ImportError: no",
            "$report_type": "CollectReport",
        }
    )
    for shard, part in enumerate(parts):
        shards.add(shard, part, of=tests, exit_code=2)
        file = shards.directory / "shards" / f"{shard:03}-1" / "results" / "events.jsonl"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join([lines[0], event + "\n", *lines[1:]]))

    merged(shards.directory, shards.end())

    cases = collate(shards.directory / "results").cases
    assert [case.name for case in cases if case.is_collection] == ["tests.test_b"]


def test_a_quarantined_failure_in_one_shard_lets_the_suite_pass(shards: Shards, split: Split):
    tests, parts = split(9)
    for shard, part in enumerate(parts):
        shards.add(shard, part, of=tests, failing=[tests[4]] if shard == 1 else ())
    facts, verdict = merged(shards.directory, shards.end())
    attempt = Attempt(
        suite="suite",
        number=1,
        directory=shards.directory,
        started_at=shards.attempts[0].started_at,
        facts=facts,
        verdict=verdict,
        timings=Timings(total=1.0),
    )
    entry = QuarantineEntry(
        test="tests.test_a::test_4", owner="me", reason="its issue", expires=date(2999, 1, 1)
    )
    listed = Quarantine(entries=(entry,), today=date(2026, 11, 24))

    assert verdict_of([attempt], listed).cause is Cause.PASS


def test_a_killed_orchestrators_shards_are_read_as_one_suite(shards: Shards, split: Split):
    tests, parts = split(9)
    shards.add(0, parts[0], of=tests)
    shards.add(1, parts[1], of=tests, unreported=parts[1][1:])

    merge_received(shards.directory)

    results = collate(shards.directory / "results")
    assert (results.reported, results.collected, results.session_finished) == (4, 6, False)


def test_a_suite_without_shards_is_left_as_it_is(tmp_path: Path):
    merge_received(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["[]", "{", '{"all": "x"}', '{"all": 3, "selected": 7}'])
def test_an_account_that_cannot_be_read_is_none(shards: Shards, split: Split, content: str):
    tests, parts = split(9)
    for shard, part in enumerate(parts):
        shards.add(shard, part, of=tests)
    results = shards.directory / "shards" / "001-1" / "results"
    (results / "shard.json").write_text(content)

    assert merged(shards.directory, shards.end())[1].cause is Cause.RESULT_LOST
