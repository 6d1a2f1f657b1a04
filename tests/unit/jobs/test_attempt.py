"""Judging an attempt: the proof that results are complete is in the files themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.jobs.attempt import Timings, judge
from floe_tests.jobs.facts import ContainerFacts, Facts, PodFacts
from floe_tests.jobs.stream import Completeness
from floe_tests.jobs.verdict import Cause

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


def test_judging_again_from_the_same_files_gives_the_same(tmp_path: Path):
    directory = received(tmp_path, collected=3, passed=3)

    first = judge(ENDED_WELL, directory=directory, completeness=COMPLETE)

    assert judge(first[0], directory=directory, completeness=COMPLETE) == first


def test_overhead_is_what_neither_the_pods_start_nor_the_tests_took():
    assert Timings(total=70, pod_start=8, tests=60).overhead == 2
    assert Timings(total=5).overhead is None
    assert Timings(total=59, pod_start=0, tests=60).overhead == 0
