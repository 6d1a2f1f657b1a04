"""A killed run in the history: red, with what it received, and never over its own verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.quarantine import QuarantineEntry
from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.core.labels import Owner
from floe_tests.core.process_identity import Holder
from floe_tests.core.verdict import Cause, Fault, Verdict
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt, Timings
from floe_tests.execution.verdict.facts import Facts
from floe_tests.pipeline.entries import entries_of, ledger_of
from floe_tests.pipeline.orphaned_run import remember_orphaned_run
from floe_tests.pipeline.records import StageRecord, SuiteVerdict
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
BEGAN = datetime(2026, 11, 24, 8, tzinfo=UTC)
LEASE = Lease(
    provider="kind",
    owner=Owner(RUN, "unit", "refs/heads/main", "72c65fc", BEGAN),
    namespace="floe-test-1a2b3c4d",
    keep="never",
    release_seconds=60,
    state="held",
    holder=Holder(process_id=4711, created=BEGAN.timestamp()),
    cluster="floe-tests",
)
JUNIT = (
    '<testsuites><testsuite name="s" tests="2"><testcase classname="a" name="test_one" time="1"/>'
    '<testcase classname="a" name="test_two" time="2"><failure message="no"/></testcase>'
    "</testsuite></testsuites>"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(
        root=tmp_path,
        output=tmp_path / "output",
        home=tmp_path,
        history_url=f"sqlite:///{tmp_path / 'history.db'}",
    )


@pytest.fixture
def history(workspace: Workspace) -> Iterator[History]:
    with History.open(workspace.history_url) as opened:
        yield opened


def ended(workspace: Workspace, *stages: str) -> None:
    for name in stages:
        record = StageRecord(name=name, started_at=BEGAN, seconds=2.5)
        entries_of(workspace, RUN).write_stage(record)


def remembered(history: History) -> RunRecord:
    record = history.run(run_id=RUN)
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("stages", "where"),
    [((), "cluster"), (("cluster", "platform"), "test_job"), (("cluster",), "platform")],
    ids=["at once", "while its tests ran", "while it installed"],
)
def test_it_says_where_it_was_killed(
    workspace: Workspace, history: History, stages: tuple[str, ...], where: str
):
    ended(workspace, *stages)

    verdict = remember_orphaned_run(workspace, LEASE)

    assert verdict is not None
    run = remembered(history)
    assert (run.cause, run.outcome, run.fault) == ("HARNESS", "failed", "harness")
    assert f"the orchestrator (process 4711) was killed in {where}" in run.summary
    assert (run.tier, run.provider, run.environment) == ("unit", "kind", "floe-tests")
    assert (run.ref, run.commit, run.started_at) == ("refs/heads/main", "72c65fc", BEGAN)
    assert run.stage_seconds == dict.fromkeys(stages, 2.5)


def test_it_keeps_what_it_had_received(workspace: Workspace, history: History):
    ended(workspace, "cluster", "platform")
    results = workspace.output / "unit" / "runs" / RUN / "my-suite-1" / "results"
    results.mkdir(parents=True)
    (results / "junit.xml").write_text(JUNIT)

    remember_orphaned_run(workspace, LEASE)

    (suite,) = remembered(history).suites
    assert (suite.name, suite.cause) == ("my-suite", "HARNESS")
    assert (suite.tally.passed, suite.tally.failed) == (1, 1)
    assert not (workspace.output / "unit" / "junit.xml").exists(), "that is the newest run's"


@pytest.mark.parametrize(
    ("retries", "cause"), [(0, "TEST_FAILURE"), (1, "HARNESS")], ids=["its last", "to be repeated"]
)
def test_a_suite_has_its_last_attempts_verdict_unless_another_was_to_come(
    workspace: Workspace, history: History, retries: int, cause: str
):
    runs = workspace.output / "unit" / "runs" / RUN
    number = 1 if retries else 2
    for each in range(1, number + 1):
        (runs / f"one-{each}" / "results").mkdir(parents=True)
        made = Attempt(
            suite="one",
            number=each,
            directory=runs / f"one-{each}",
            started_at=BEGAN,
            facts=Facts(subject="job/one"),
            verdict=Verdict(
                cause=Cause.TEST_FAILURE, fault=Fault.TEST, evidence=(), remedy="", retries=retries
            ),
            timings=Timings(total=1),
        )
        entries_of(workspace, RUN).write_attempt(made)
    (runs / f"one-{number}" / "results" / "junit.xml").write_text(JUNIT)

    remember_orphaned_run(workspace, LEASE)

    run = remembered(history)
    (suite,) = run.suites
    assert (run.cause, suite.cause, suite.tally.tests) == ("HARNESS", cause, 2)
    assert [each.number for each in suite.attempts] == list(range(1, number + 1))


def test_a_suite_that_was_judged_keeps_its_verdict(workspace: Workspace, history: History):
    """The log had said PASS, with the failure in quarantine: the history must not say otherwise."""
    folder = workspace.output / "unit" / "runs" / RUN / "one-1"
    (folder / "results").mkdir(parents=True)
    (folder / "results" / "junit.xml").write_text(JUNIT)
    red = Verdict(Cause.TEST_FAILURE, Fault.TEST, (), "")
    entries = entries_of(workspace, RUN)
    entries.write_attempt(Attempt("one", 1, folder, BEGAN, Facts("job/one"), red, Timings(1)))
    entry = QuarantineEntry(test="a::test_two", owner="data", reason="r", expires=date(2999, 1, 1))
    green = Verdict(Cause.PASS, Fault.NONE, (), "")
    entries.write_verdict(SuiteVerdict("one", 1, green, {"a::test_two": entry}))

    remember_orphaned_run(workspace, LEASE)

    run = remembered(history)
    (suite,) = run.suites
    assert (run.cause, suite.cause) == ("HARNESS", "PASS")
    assert suite.quarantined == ("a::test_two",)


def test_a_verdict_that_it_had_stands(workspace: Workspace, history: History):
    ledger_of(workspace).write(RUN, "published", {"cause": "PASS"})

    assert remember_orphaned_run(workspace, LEASE) is None
    assert history.run(run_id=RUN) is None


def test_one_that_the_history_knows_is_not_written_over(workspace: Workspace, history: History):
    """Killed between the history and the ledger: the history's is the run's own."""
    own = RunRecord(
        run_id=RUN,
        tier="unit",
        provider="kind",
        environment="floe-tests",
        outcome="passed",
        cause="PASS",
        started_at=BEGAN,
    )
    history.record(run=own)

    assert remember_orphaned_run(workspace, LEASE) is None
    assert remembered(history).cause == "PASS"


def test_a_history_that_cannot_be_written_is_an_error(workspace: Workspace, tmp_path: Path):
    nowhere = replace(workspace, history_url=f"sqlite:///{tmp_path}")

    with pytest.raises(FloeTestsError):
        remember_orphaned_run(nowhere, LEASE)


def test_a_lease_whose_tier_is_a_path_writes_nothing_elsewhere(
    workspace: Workspace, history: History, tmp_path: Path
):
    """A lease that was changed by hand led to a folder of somebody else."""
    elsewhere = tmp_path / "elsewhere"
    received = elsewhere / "runs" / RUN / "one-1" / "results"
    received.mkdir(parents=True)
    before = sorted(elsewhere.rglob("*"))
    lease = replace(LEASE, owner=replace(LEASE.owner, tier=str(elsewhere)))

    with pytest.raises(ConfigurationError, match="cannot be a tier"):
        remember_orphaned_run(workspace, lease)

    assert sorted(elsewhere.rglob("*")) == before
    assert history.run(run_id=RUN) is None
