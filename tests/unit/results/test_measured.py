"""What was measured stays measured: in both databases, in a bundle, and apart by environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from floe_tests.results.cases import CaseOutcome, CaseResult, Tally
from floe_tests.results.history import bundle, importing
from floe_tests.results.history.branches import Branch
from floe_tests.results.history.import_files import RunFiles
from floe_tests.results.history.store import History
from floe_tests.results.measurements.baseline import Ground
from floe_tests.results.measurements.judgement import fingerprint_digest, platform_identity
from floe_tests.results.records import MeasurementRecord, RunRecord, SoakRecord, SuiteRecord
from tests.support.soaks import BEGAN

MEASURED = MeasurementRecord(
    name="lakehouse_ingest",
    unit="s",
    better="lower",
    samples=12,
    median=2.0,
    values=(1.9, 2.0, 2.1),
    fingerprint="f1",
    platform="floe-platform 0.3.0",
    finding="unchanged",
    change=0.01,
    change_low=-0.02,
    change_high=0.04,
)
SOAKED = SoakRecord(
    component="cube",
    metric="memory",
    unit="B",
    samples=32,
    hours=0.13,
    median=4e8,
    largest=4.1e8,
    limit=1e9,
    slope_per_hour=1.5e6,
    slope_low=-1e5,
    slope_high=3e6,
    sigma=2e5,
    hours_to_limit=400.0,
    fingerprint="f1",
    platform="floe-platform 0.3.0",
)
GROUND = Ground(
    tier="staging",
    provider="context",
    environment="eks",
    suite="soak",
    run_id="now",
    before=BEGAN + timedelta(days=1),
    fingerprint="f1",
    branch=Branch("main", is_default=True),
)


def run(
    run_id: str, at: datetime = BEGAN, *, outcome: str = "passed", **fields: object
) -> RunRecord:
    suite = SuiteRecord(
        name="soak",
        outcome=outcome,
        cause="PASS" if outcome == "passed" else "REGRESSION",
        tally=Tally.of(()),
        measurements=(MEASURED, replace(MEASURED, name="query", median=None, values=())),
        soak=(SOAKED, replace(SOAKED, metric="cpu", slope_per_hour=None, limit=None)),
    )
    given: dict[str, object] = {
        "tier": "staging",
        "provider": "context",
        "environment": "eks",
        "cause": suite.cause,
        "suites": (suite,),
        **fields,
    }
    return RunRecord(run_id=run_id, outcome=outcome, started_at=at, **given)  # type: ignore[arg-type]


def with_fingerprint(record: RunRecord, fingerprint: str) -> RunRecord:
    (suite,) = record.suites
    return replace(
        record,
        suites=(
            replace(
                suite,
                measurements=tuple(
                    replace(each, fingerprint=fingerprint) for each in suite.measurements
                ),
                soak=tuple(replace(each, fingerprint=fingerprint) for each in suite.soak),
            ),
        ),
    )


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History.open(url) as opened:
        yield opened


def test_what_was_measured_comes_back_as_it_was_recorded(history: History) -> None:
    history.record(run=run("a"))
    history.record(run=run("a"))

    assert history.run(run_id="a") == run("a")


def test_a_bundle_carries_it_and_an_import_twice_is_one(tmp_path: Path, url: str) -> None:
    case = CaseResult(name="soak::ran", outcome=CaseOutcome.PASSED, seconds=1)
    (suite,) = run("a").suites
    counted = replace(suite, tally=Tally.of((case,)))
    record = run("a", suites=(replace(counted, cases=(case,)),))
    bundle.write(tmp_path / bundle.NAME, record)
    with History.open(url) as history:
        states = [
            importing.add(
                history, importing.read(RunFiles.of(tmp_path / bundle.NAME), None).run
            ).state
            for _ in range(2)
        ]
        assert states == ["added", "unchanged"]
        assert history.run(run_id="a") == replace(record, suites=(counted,))


@pytest.mark.parametrize(
    "other",
    [
        run("b", tier="other"),
        run("b", provider="kind"),
        run("b", environment="gke"),
        run("b", BEGAN + timedelta(days=2)),
        with_fingerprint(run("b"), "f2"),
        run("now"),
        run("b", ref="refs/pull/7/merge"),
        run("b", ref="HEAD"),
    ],
    ids=[
        "tier",
        "provider",
        "cluster",
        "a later run",
        "fingerprint",
        "the run itself",
        "a pull request",
        "a detached checkout",
    ],
)
def test_only_runs_that_may_be_compared_are_given(history: History, other: RunRecord) -> None:
    """Two clusters in one baseline are one false alarm a night."""
    history.record(run=run("a"))
    history.record(run=other)

    assert [past.run_id for past in history.past_measurements(GROUND)["lakehouse_ingest"]] == ["a"]
    history.record(run=replace(run("a"), tier="gone"))
    assert history.past_measurements(GROUND) == {}
    assert history.last_good_soak(GROUND) == {}


def test_past_measurements_are_newest_first_and_as_many_runs_as_asked(history: History) -> None:
    for number in range(4):
        outcome = "failed" if number == 2 else "passed"
        at = BEGAN + timedelta(hours=number)
        history.record(run=run(f"r{number}", at, outcome=outcome, commit=f"c{number}"))

    found = history.past_measurements(GROUND, runs=3)["lakehouse_ingest"]

    assert [(each.run_id, each.is_good, each.is_regression) for each in found] == [
        ("r3", True, False),
        ("r2", False, True),
        ("r1", True, False),
    ]
    assert found[0].commit == "c3"
    assert found[0].record == MEASURED


def test_the_last_good_soak_is_no_red_one(history: History) -> None:
    history.record(run=run("good"))
    red = run("red", BEGAN + timedelta(hours=1), outcome="failed")
    (suite,) = red.suites
    worse = replace(suite, soak=(replace(SOAKED, slope_per_hour=9e9),))
    history.record(run=replace(red, suites=(worse,)))

    assert history.last_good_soak(GROUND)["cube", "memory"] == SOAKED


def test_a_fingerprint_is_the_same_in_any_order_and_number_form() -> None:
    one = {"scale": 10_000, "node": {"cpus": 2, "memory_gib": 8.0}}
    same = {"node": {"memory_gib": 8, "cpus": 2.0}, "scale": 1e4}

    assert fingerprint_digest(one) == fingerprint_digest(same)
    assert fingerprint_digest(one) != fingerprint_digest({**one, "scale": 10_001})
    assert fingerprint_digest({}) == ""


def test_a_platform_is_its_charts_and_the_digests_of_its_images() -> None:
    release = {"chart": "floe", "version": "1", "app_version": "2", "images": [["a", "sha256:1"]]}
    other = {**release, "images": [["a", "sha256:2"]]}

    assert platform_identity({"releases": [release]}).startswith("floe 1 (app 2), images ")
    assert platform_identity({"releases": [release]}) != platform_identity({"releases": [other]})
    assert platform_identity({}) == ""
    found = {"fingerprint": {"chart": "floe-1", "version": "2", "digests": ["sha256:1"]}}
    assert platform_identity(found).startswith("floe-1 (app 2), images ")
