"""What a suite measured meets the history, and does without it where it is away."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.execution.attempt import Attempt, Timings
from floe_tests.execution.verdict.facts import Facts
from floe_tests.execution.verdict.rules import classify
from floe_tests.pipeline.measurements import measure
from floe_tests.pipeline.state import RunState, read_state
from tests.support.soaks import FINGERPRINT, soak_lines, write_lines


@pytest.fixture
def state(tmp_path: Path) -> RunState:
    # A file stands where the history's folder would have to be.
    (tmp_path / "taken").write_text("")
    settings = {
        "name": "tiny",
        "description": "d",
        "environments": ["local"],
        "suites": [{"name": "suite", "command": ["true"]}],
    }
    return read_state(
        settings=TierSettings.model_validate(settings),
        workspace=Workspace(
            root=tmp_path,
            output=tmp_path / "output",
            home=tmp_path / "home",
            history_url=f"sqlite:///{tmp_path}/taken/history.db",
        ),
        run_id="r",
    )


def attempt(tmp_path: Path) -> Attempt:
    (tmp_path / "results").mkdir()
    return Attempt(
        suite="suite",
        number=1,
        directory=tmp_path,
        started_at=datetime.now(UTC),
        facts=Facts("job/suite-1"),
        verdict=classify(Facts("job/suite-1")),
        timings=Timings(total=1),
    )


def suite(**judged: object) -> SuiteSettings:
    return SuiteSettings.model_validate({"name": "suite", "command": ["true"], **judged})


def test_a_suite_without_rules_is_not_judged(state: RunState, tmp_path: Path) -> None:
    assert measure(state, suite(), attempt(tmp_path)) is None


def test_a_soak_needs_no_history_and_says_that_it_had_none(state: RunState, tmp_path: Path) -> None:
    """Eight hours of soak must not be lost because a database restarts at their end."""
    made = attempt(tmp_path)
    write_lines(tmp_path / "results", soak_lines(memory=lambda seconds: 400 + 12 * seconds / 60))

    found = measure(state, suite(soak={}), made)

    assert found is not None
    assert [each.subject for each in found.judgement.drifts] == ["cube"]
    assert found.judgement.doubts == ()
    assert "compared with: nothing: " in str(found.judgement.notes[0])


def test_a_benchmark_without_its_history_is_no_first_run(state: RunState, tmp_path: Path) -> None:
    """A database that is away must not make every regression a recorded baseline."""
    made = attempt(tmp_path)
    values = [2.0 + 0.01 * number for number in range(12)]
    measurement = {"name": "ingest", "unit": "s", "better": "lower", "values": values}
    (tmp_path / "results" / "benchmark.json").write_text(
        json.dumps({"fingerprint": FINGERPRINT, "measurements": [measurement]})
    )

    found = measure(state, suite(benchmark={}), made)

    assert found is not None
    assert found.judgement.doubts[0].field == "baseline"
    assert "cannot be created" in found.judgement.doubts[0].value


def test_a_suite_may_be_both(state: RunState, tmp_path: Path) -> None:
    found = measure(state, suite(soak={}, benchmark={}), attempt(tmp_path))

    assert found is not None
    assert {each.subject for each in found.judgement.doubts} == {"soak", "benchmark"}
