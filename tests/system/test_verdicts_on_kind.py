"""A green, a red and two simultaneous runs on a real cluster; what can go wrong is in faults/."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from floe_tests.pipeline.publish import publish
from floe_tests.results.formats import junit
from floe_tests.results.history.store import History

from .conftest import job

if TYPE_CHECKING:
    from .conftest import SmallTier

GREEN = """
    import pytest
    @pytest.mark.parametrize("number", range(20))
    def test_number(number):
        assert number >= 0
    @pytest.mark.skip(reason="not here")
    def test_skipped(): pass
"""


def _causes(published: object) -> str:
    return " | ".join(str(item) for item in published.verdict.evidence)  # type: ignore[attr-defined]


def test_a_green_suite_passes_with_the_counts_that_the_pod_saw(small_tier: SmallTier) -> None:
    published = small_tier.run(job(GREEN))

    assert published.verdict.cause == "PASS", _causes(published)
    received = published.directory / "suite-1" / "results" / "junit.xml"
    assert [case.name for case in junit.read(published.junit)] == [
        case.name for case in junit.read(received)
    ]
    tally = published.suites[0].results.tally
    assert (tally.tests, tally.passed, tally.skipped) == (21, 20, 1)
    with History.open(f"sqlite:///{small_tier.root / 'history.db'}") as history:
        remembered = history.run(run_id=published.run_id)
    assert remembered is not None
    assert (remembered.cause, remembered.suites[0].tally.tests) == ("PASS", 21)


def test_a_failing_test_is_named_and_blamed(small_tier: SmallTier) -> None:
    published = small_tier.run(
        job("def test_good(): pass\ndef test_bad(): assert 1 == 2, 'one is not two'")
    )

    assert published.verdict.cause == "TEST_FAILURE"
    assert published.verdict.fault == "test"
    failing = [case for case in published.suites[0].results.cases if case.outcome.is_failing]
    assert [case.name for case in failing] == ["test_suite::test_bad"]
    assert "one is not two" in failing[0].message


def test_two_runs_beside_each_other_keep_to_their_own_namespaces(small_tier: SmallTier) -> None:
    other = type(small_tier)(small_tier.root.parent / "other", small_tier.kubeconfig)
    first = small_tier.prepare(job(GREEN))
    second = other.prepare(job("def test_bad(): assert False"))
    try:
        leases = []
        for run in (first, second):
            with run.stage("cluster"):
                leases.append(run.acquire())
        verdicts = []
        for run in (second, first):
            with run.stage("test_job"):
                run.run_suites()
            verdicts.append(str(publish(run.state()).verdict.cause))
            run.give_back()
    finally:
        for run in (first, second):
            run.give_back()

    assert all(a.namespace != b.namespace for a, b in itertools.combinations(leases, 2))
    assert verdicts == ["TEST_FAILURE", "PASS"]
