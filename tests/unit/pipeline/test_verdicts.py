"""A run judges each suite once: what its log says is what is published, whoever publishes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.core.verdict import Cause, Fault, Verdict
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt, Timings, judge
from floe_tests.execution.stream import Completeness
from floe_tests.execution.verdict.facts import ContainerFacts, Facts, PodFacts
from floe_tests.pipeline.entries import RunEntries
from floe_tests.pipeline.measurements import measure
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.records import SuiteVerdict, Workers
from floe_tests.pipeline.run import TierRun
from tests.support.soaks import soak_lines, write_lines

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
DEAD = Holder(process_id=4194300, created=1.0, host="a-pod-that-is-gone")
COMPLETE = Completeness(complete=True, problems=(), notices=(), missing=(), verified=())
JUNIT = (
    '<testsuites><testsuite name="s" tests="2"><testcase classname="a" name="test_one" time="1"/>'
    '<testcase classname="a" name="test_two" time="2"><failure message="no"/></testcase>'
    "</testsuite></testsuites>"
)
LIST = "- {test: 'a::test_two', owner: data, reason: a race, expires: 2999-01-01}\n"


class OneFailure:
    """An attempt in which one of two tests fails."""

    def __init__(self, directory: Path, suite: str, number: int) -> None:
        self._directory, self._suite, self._number = directory, suite, number

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        results = self._directory / "results"
        results.mkdir(parents=True)
        (results / "junit.xml").write_text(JUNIT)
        ended = ContainerFacts("tests", "terminated", exit_code=1)
        facts, verdict = judge(
            Facts(f"process/{self._suite}", pod=PodFacts(self._suite, "Succeeded", test=ended)),
            directory=results,
            completeness=COMPLETE,
        )
        now = datetime.now(UTC)
        attempt = Attempt(
            self._suite, self._number, self._directory, now, facts, verdict, Timings(total=1)
        )
        record(attempt)
        return attempt

    def remove(self) -> None:
        """Nothing is there."""


@pytest.fixture
def attempts_made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let no process start; return the numbers of the attempts that were asked for."""
    made: list[int] = []

    def prepare(run: TierRun, _lease: Lease, suite: SuiteSettings, *, number: int) -> OneFailure:
        made.append(number)
        received = run.workspace.received(run.settings.name, run.run_id)
        return OneFailure(received / f"{suite.name}-{number}", suite.name, number)

    monkeypatch.setattr("floe_tests.pipeline.suites.prepare", prepare)
    return made


@pytest.fixture
def run(tmp_path: Path, attempts_made: list[int]) -> TierRun:
    assert attempts_made == []
    settings = {
        "name": "tiny",
        "description": "d",
        "environments": ["local"],
        "quarantine": "quarantine.yaml",
        "removals": "removals.yaml",
        "suites": [{"name": "suite", "command": ["true"]}],
    }
    (tmp_path / "quarantine.yaml").write_text(LIST)
    (tmp_path / "removals.yaml").write_text("[]\n")
    return TierRun(
        settings=TierSettings.model_validate(settings),
        workspace=Workspace(
            root=tmp_path,
            output=tmp_path / "output",
            home=tmp_path / "home",
            history_url=f"sqlite:///{tmp_path}/history.db",
        ),
        run_id=RUN,
        log=print,
    )


def test_a_list_that_changes_before_a_run_is_published_does_not_change_its_verdict(
    run: TierRun,
) -> None:
    """The log said PASS, and minutes later the same results were published as red."""
    with run.stage("cluster"):
        run.acquire()
    with run.stage("test_job"):
        run.run_suites()
    (run.workspace.root / "quarantine.yaml").write_text("[]\n")

    published = publish(run.state())

    assert published.verdict.passed, published.verdict
    assert list(published.suites[0].quarantined) == ["a::test_two"]
    assert any("quarantined until 2999-01-01" in each for each in published.suites[0].notices)


def test_a_resumed_run_keeps_the_verdict_of_a_suite_that_was_judged(
    run: TierRun, attempts_made: list[int]
) -> None:
    with run.stage("cluster"):
        run.acquire()
    run.run_suites()
    run.entries.write_workers(Workers((DEAD, Holder.this_process())))
    (run.workspace.root / "quarantine.yaml").write_text("[]\n")

    with run.stage("test_job"):
        run.run_suites()

    assert attempts_made == [1]
    assert publish(run.state()).verdict.passed


def test_a_suite_that_was_not_judged_before_its_run_ended_is_judged_when_it_is_published(
    run: TierRun,
) -> None:
    with run.stage("cluster"):
        run.acquire()
    directory = run.workspace.received("tiny", RUN) / "suite-1"
    OneFailure(directory, "suite", 1).run(record=run.entries.write_attempt)
    (run.workspace.root / "quarantine.yaml").write_text("[]\n")

    published = publish(run.state())

    assert published.verdict.cause == "TEST_FAILURE"
    assert run.entries.verdicts()["suite"].verdict.cause == "TEST_FAILURE"


def test_a_list_of_removed_tests_that_is_wrong_ends_the_run_before_its_tests(
    run: TierRun, attempts_made: list[int]
) -> None:
    """An hour of tests was run, and their verdict was lost to a mistake in a list."""
    (run.workspace.root / "removals.yaml").write_text("- test: '*'\n  owner: o\n  reason: r\n")
    with run.stage("cluster"):
        run.acquire()

    with pytest.raises(ConfigurationError, match=r"removals.yaml"), run.stage("test_job"):
        run.run_suites()

    assert attempts_made == []
    assert publish(run.state()).verdict.cause == "CONFIG"


def test_what_a_suite_measured_is_read_back_as_it_was_judged(run: TierRun, tmp_path: Path) -> None:
    (tmp_path / "made" / "results").mkdir(parents=True)
    write_lines(tmp_path / "made" / "results", soak_lines(memory=lambda seconds: 400 + seconds))
    facts = Facts("job/suite-1")
    passed = Verdict(Cause.PASS, Fault.NONE, (), "Nothing to do.")
    made = Attempt("suite", 1, tmp_path / "made", datetime.now(UTC), facts, passed, Timings(1))
    suite = SuiteSettings.model_validate({"name": "suite", "command": ["true"], "soak": {}})
    judged = SuiteVerdict("suite", 1, passed, measured=measure(run.state(), suite, made))
    entries = RunEntries(Ledger(tmp_path / "ledger"), RUN)

    entries.write_verdict(judged)

    assert judged.measured is not None
    assert judged.measured.soak is not None
    assert judged.measured.soak.plots
    assert entries.verdicts() == {"suite": judged}
