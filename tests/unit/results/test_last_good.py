"""Which runs a suite is compared with, and what the history says of their tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from floe_tests.results.cases import CaseOutcome, CaseResult, Tally
from floe_tests.results.history.branches import Branch
from floe_tests.results.history.last_good import Like
from floe_tests.results.history.store import History
from floe_tests.results.presence.losses import PastTest
from floe_tests.results.records import RunRecord
from tests.support.runs import NEWEST, run_of

LIKE = Like(
    tier="demo",
    provider="local",
    environment="local",
    suite="tiny",
    selection="",
    branch=Branch("main", is_default=True),
    run_id="run-now",
    before=NEWEST + timedelta(hours=1),
)


@pytest.fixture
def history(url: str) -> Iterator[History]:
    """Return an empty history on each database."""
    with History.open(url) as opened:
        yield opened


def of(
    number: int, outcomes: dict[str, str], selection: str | None = "", **more: object
) -> RunRecord:
    run = run_of(number, outcomes, **more)  # type: ignore[arg-type]
    return replace(run, suites=tuple(replace(each, selection=selection) for each in run.suites))


def test_the_last_good_runs_say_what_each_test_did(history: History):
    history.record(run=of(0, {"m::a": ".", "m::b": "s"}))
    history.record(run=of(1, {"m::a": ".", "m::b": ".", "m::c": "."}))

    found = history.last_good(LIKE)

    assert [run.run_id for run in found.runs] == ["run-0000", "run-0001"]
    assert (found.runs[0].commit, found.runs[0].ref) == ("c0", "main")
    assert sorted(found.tests) == [
        PastTest("m::a", None, 0b11, 0b11),
        PastTest("m::b", None, 0b11, 0b10),
        PastTest("m::c", None, 0b10, 0b10),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"ref": "feature"},
        {"provider": "kind"},
        {"environment": "other"},
        {"tier": "other"},
        {"selection": "smoke"},
        {"selection": None},
        {"run_id": "run-now"},
        {"started_at": NEWEST + timedelta(hours=2)},
        {"cause": "INFRA_NODE", "fault": "infrastructure"},
    ],
    ids=str,
)
def test_only_good_runs_that_are_alike_are_compared_with(
    history: History, other: dict[str, object]
):
    history.record(run=of(0, {"m::a": "."}, **other))  # type: ignore[arg-type]

    assert history.last_good(LIKE).runs == ()


def test_a_run_of_the_full_ref_counts_and_five_are_enough(history: History):
    for number in range(7):
        history.record(run=of(number, {"m::a": "."}, ref="refs/heads/main"))

    assert len(history.last_good(LIKE).runs) == 5


def test_a_module_that_was_skipped_is_no_test(history: History):
    run = of(0, {"m::a": "."})
    (suite,) = run.suites
    module = CaseResult(name="n", outcome=CaseOutcome.SKIPPED, seconds=0, is_collection=True)
    cases = (*suite.cases, module)
    history.record(run=replace(run, suites=(replace(suite, cases=cases, tally=Tally.of(cases)),)))

    assert [test.name for test in history.last_good(LIKE).tests] == ["m::a"]


def test_ten_thousand_tests_are_read_in_a_moment(history: History):
    """A run's end must not wait for it: 0.1 s on an idle machine, a whole second on a busy one."""
    outcomes = {f"tests.unit.test_{n // 50}::test_{n}": "." for n in range(10_000)}
    for number in range(5):
        history.record(run=of(number, outcomes))

    began = time.process_time()
    found = history.last_good(LIKE)

    assert len(found.tests) == 10_000
    assert time.process_time() - began < 1
