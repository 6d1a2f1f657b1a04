"""The history: what goes in comes out, on SQLite and on Postgres, and runs are never mixed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from floe_tests.core.errors import ConfigurationError
from floe_tests.core.evidence import Evidence
from floe_tests.results.cases import NAME_BYTES, CaseOutcome, CaseResult, Tally
from floe_tests.results.history import migration
from floe_tests.results.history.branches import Branch
from floe_tests.results.history.database import HistoryUnavailableError
from floe_tests.results.history.store import History
from floe_tests.results.records import AttemptRecord, RunRecord, SuiteRecord

STARTED = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with History.open(url) as opened:
        yield opened


def _case(name: str, outcome: str = "passed", **fields: object) -> CaseResult:
    return CaseResult(
        **{"name": name, "outcome": CaseOutcome(outcome), "seconds": 0.25, **fields}  # type: ignore[arg-type]
    )


def _suite(*cases: CaseResult, name: str = "integration", **fields: object) -> SuiteRecord:
    given = {"name": name, "outcome": "passed", "cause": "PASS", **fields}
    return SuiteRecord(**given, tally=Tally.of(cases), cases=cases)  # type: ignore[arg-type]


def _run(run_id: str = "run-1", *suites: SuiteRecord, **fields: object) -> RunRecord:
    given: dict[str, object] = {
        "run_id": run_id,
        "tier": "integration",
        "provider": "kind",
        "environment": "floe-integration",
        "outcome": "passed",
        "cause": "PASS",
        "started_at": STARTED,
        "suites": suites,
        **fields,
    }
    return RunRecord(**given)  # type: ignore[arg-type]


CASES = (
    _case("t.a::passes", file="t/a.py", line=3),
    _case("t.a::fails", "failed", message="no", text="Traceback\n...", file="t/a.py", line=9),
    _case("t.a::breaks", "error", message="set-up broke", reruns=2),
    _case("t.a::waits", "skipped", message="not today"),
    _case("t.b", "error", message="collection failure", text="ImportError", is_collection=True),
)
FULL_SUITE = _suite(
    *CASES,
    outcome="failed",
    cause="TEST_FAILURE",
    fault="test",
    attempts=(
        AttemptRecord(
            number=1,
            cause="INFRA_NODE",
            fault="infrastructure",
            evidence=(
                Evidence(subject="pod/a", field="status.reason", value="NodeLost", time="t"),
                Evidence(subject="node/n", field="Ready", value="Unknown"),
            ),
            job="integration-x1",
            pod="integration-x1-abcde",
            node="n",
            started_at=STARTED,
            seconds=12.5,
        ),
        AttemptRecord(number=2, cause="TEST_FAILURE", fault="test", exit_code=1, shard=0),
    ),
    source="events",
    collected=5,
    deselected=1,
    reported=4,
    in_flight=("t.a::never_ends",),
    session_finished=True,
    exit_status=1,
    notices=("The events end inside a line.",),
    seconds=33.0,
)
FULL_RUN = _run(
    "run-full",
    FULL_SUITE,
    _suite(_case("t.c::passes"), name="contract"),
    outcome="failed",
    cause="TEST_FAILURE",
    fault="test",
    summary="2 of 5 tests failed",
    ref="main",
    commit="0123abc",
    trigger="schedule",
    finished_at=STARTED + timedelta(minutes=3),
    stage_seconds={"cluster": 24.5, "platform": 40.0},
    first_test_seconds=70.1,
    overhead_seconds=1.9,
    platform={"floe-platform": {"version": "0.1.0", "images": ["a@sha256:1"]}},
    retained_lease="floe-integration",
)


def _without_cases(run: RunRecord) -> RunRecord:
    return replace(run, suites=tuple(replace(suite, cases=()) for suite in run.suites))


def test_a_run_comes_back_as_it_was_recorded(history: History) -> None:
    history.record(run=FULL_RUN)
    assert history.run(run_id="run-full") == _without_cases(FULL_RUN)


def test_cases_come_back_by_suite_as_they_were_recorded(history: History) -> None:
    history.record(run=FULL_RUN)
    cases = history.cases(run_id="run-full")
    assert list(cases) == ["integration", "contract"]
    assert set(cases["integration"]) == set(CASES)


def test_an_unknown_run_is_none_and_has_no_cases(history: History) -> None:
    assert history.run(run_id="never") is None
    assert history.cases(run_id="never") == {}


def test_recording_a_run_again_replaces_it(history: History) -> None:
    """A run is recorded when it ends and again when it is imported; it must not count twice."""
    history.record(run=FULL_RUN)
    history.record(run=FULL_RUN)
    assert history.run(run_id="run-full") == _without_cases(FULL_RUN)
    smaller = replace(FULL_RUN, cause="PASS", suites=(_suite(_case("t.a::passes")),))
    history.record(run=smaller)
    assert history.run(run_id="run-full") == _without_cases(smaller)
    assert [case.name for case in history.cases(run_id="run-full")["integration"]] == [
        "t.a::passes"
    ]
    query = {"tier": "integration", "provider": "kind"}
    assert history.test_history(name="t.a::fails", **query) == ()
    assert len(history.test_history(name="t.a::passes", **query)) == 1


def test_a_run_that_cannot_be_recorded_leaves_the_old_one(history: History) -> None:
    history.record(run=FULL_RUN)
    twice = _suite(_case("t.a::passes"), _case("t.a::passes"))
    with pytest.raises(ValueError, match="two cases of one name"):
        history.record(run=replace(FULL_RUN, suites=(twice,)))
    assert history.run(run_id="run-full") == _without_cases(FULL_RUN)


def test_runs_are_given_newest_first_and_limited(history: History) -> None:
    for day in (2, 5, 1, 4, 3):
        history.record(run=_run(f"run-{day}", started_at=STARTED + timedelta(days=day)))
    runs = history.runs(tier="integration", provider="kind", limit=3)
    assert [run.run_id for run in runs] == ["run-5", "run-4", "run-3"]


def test_runs_of_other_providers_tiers_and_refs_are_not_mixed_in(history: History) -> None:
    case = _case("t.a::passes")
    history.record(run=_run("kind", _suite(case), ref="main"))
    history.record(run=_run("kind-branch", _suite(case), ref="topic"))
    history.record(run=_run("local", _suite(case), provider="local"))
    history.record(run=_run("e2e", _suite(case), tier="e2e"))
    query = {"tier": "integration", "provider": "kind"}
    assert {run.run_id for run in history.runs(**query)} == {"kind", "kind-branch"}
    assert {run.run_id for run in history.runs(**query, branch=Branch("main"))} == {"kind"}
    assert {found.run_id for found in history.test_history(name=case.name, **query)} == {
        "kind",
        "kind-branch",
    }


def test_a_tests_history_says_what_it_did_in_each_run(history: History) -> None:
    for day, outcome in enumerate(("passed", "failed", "passed")):
        suite = _suite(_case("t.a::x", outcome, message="no" if outcome == "failed" else ""))
        history.record(
            run=_run(
                f"run-{day}",
                suite,
                commit=f"c{day}",
                cause="TEST_FAILURE" if outcome == "failed" else "PASS",
                started_at=STARTED + timedelta(days=day),
            )
        )
    found = history.test_history(name="t.a::x", tier="integration", provider="kind", limit=2)
    assert [(run.run_id, run.commit, run.cause, run.case.outcome) for run in found] == [
        ("run-2", "c2", "PASS", "passed"),
        ("run-1", "c1", "TEST_FAILURE", "failed"),
    ]
    assert found[1].case.message == "no"
    assert found[1].provider == "kind"
    assert found[1].started_at == STARTED + timedelta(days=1)


def test_one_name_in_two_suites_is_two_tests(history: History) -> None:
    suites = _suite(_case("t::x", "failed"), name="a"), _suite(_case("t::x"), name="b")
    history.record(run=_run("run-1", *suites))
    query = {"name": "t::x", "tier": "integration", "provider": "kind"}
    assert [(run.suite, run.case.outcome) for run in history.test_history(**query)] == [
        ("a", "failed"),
        ("b", "passed"),
    ]
    assert [run.suite for run in history.test_history(**query, suite="b")] == ["b"]


def test_times_come_back_aware_and_in_utc(history: History) -> None:
    tokyo = timezone(timedelta(hours=9))
    history.record(run=_run(started_at=STARTED.astimezone(tokyo)))
    found = history.run(run_id="run-1")
    assert found is not None
    assert found.started_at == STARTED
    assert found.started_at.utcoffset() == timedelta(0)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        _run(started_at=datetime(2026, 1, 2, 3, 4, 5))  # noqa: DTZ001 - the fault under test
    with pytest.raises(ValueError, match="has no time zone"):
        AttemptRecord(number=1, cause="PASS", started_at=datetime(2026, 1, 2))  # noqa: DTZ001


def test_what_a_cluster_or_a_test_wrote_fits_into_every_database(history: History) -> None:
    hostile = "nul \x00, half a pair \ud800"
    longest = "ü" * NAME_BYTES
    evidence = Evidence(subject=hostile, field=hostile, value=hostile)
    suite = _suite(
        _case(hostile, "failed", message=hostile, text=hostile, file=hostile),
        _case(longest),
        notices=(hostile,),
        in_flight=(hostile,),
        attempts=(AttemptRecord(number=1, cause="PASS", pod=hostile, evidence=(evidence,)),),
    )
    history.record(
        run=_run(
            "run-1",
            suite,
            ref=hostile,
            summary=hostile,
            platform={hostile: [hostile, float("nan")]},
            overhead_seconds=float("inf"),
        )
    )
    found = history.run(run_id="run-1")
    assert found is not None
    assert found.ref == "nul \\x00, half a pair \ufffd"
    assert found.overhead_seconds is None
    assert len(history.cases(run_id="run-1")["integration"]) == 2


def test_ten_thousand_cases_are_recorded_in_under_three_seconds(history: History) -> None:
    """The limit counts processor time: other work on the machine is not the history's."""
    cases = [
        _case(
            f"tests.unit.module_{n % 97}.TestSomething::test_{n}",
            "failed" if n % 50 == 0 else "passed",
            text="x" * 2000 if n % 50 == 0 else "",
        )
        for n in range(10_000)
    ]
    started = time.process_time()
    history.record(run=_run("run-1", _suite(*cases)))
    seconds = time.process_time() - started
    assert seconds < 3
    assert len(history.cases(run_id="run-1")["integration"]) == 10_000


def test_many_threads_record_at_once(history: History) -> None:
    """Runs of several tiers end together; all of them add tests and none may be lost."""
    cases = [_case(f"t::{n}") for n in range(50)]

    def record(number: int) -> None:
        # In turns forwards and backwards, so that two would deadlock on each other's new tests.
        suite = _suite(*(cases if number % 2 else reversed(cases)))
        history.record(run=_run(f"run-{number % 6}", suite))

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(record, range(12)))
    runs = history.runs(tier="integration", provider="kind")
    assert {run.run_id for run in runs} == {f"run-{number}" for number in range(6)}
    found = history.test_history(name="t::7", tier="integration", provider="kind")
    assert len(found) == 6


@pytest.mark.functional
def test_processes_that_open_a_new_history_at_once_all_get_it(url: str) -> None:
    program = (
        "import sys; from floe_tests.results.history.store import History; "
        "History.open(sys.argv[1])"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors


def test_a_writer_on_sqlite_holds_the_lock_before_it_reads(sqlite_url: str) -> None:
    """Two that read first and then migrate would fail on each other, however long they wait."""
    with (
        History.open(sqlite_url) as history,
        closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), timeout=0)) as other,
    ):
        with history._writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")
        with history._reading() as connection:
            # Readers do not wait for the writer.
            assert migration.version(connection) == migration.head()


def test_a_recorded_run_is_there_after_the_history_was_closed(url: str) -> None:
    with History.open(url) as history:
        history.record(run=FULL_RUN)
    with History.open(url) as history:
        assert history.run(run_id="run-full") == _without_cases(FULL_RUN)


def test_the_history_lives_beside_other_tables_of_the_same_names(url: str) -> None:
    """Dagster's storage has a table `runs` and an `alembic_version` in the same database."""
    if url.startswith("sqlite:"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('of dagster')"))
    with History.open(url) as history:
        history.record(run=FULL_RUN)
    with engine.connect() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars()
        assert list(versions) == ["of dagster"]
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("history.db", "cannot be read"),
        ("mysql://host/db", "cannot be kept in 'mysql'"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_an_address_that_cannot_hold_a_history_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        History.open(url)


def test_a_database_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(HistoryUnavailableError) as refused:
        History.open(f"postgresql://user:hunter2@/db?host={tmp_path}")
    assert "user:***@" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are notes, not a database " * 200)
    with pytest.raises(HistoryUnavailableError, match="not a database"):
        History.open(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"these are notes")


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"commit": "c" * 256}, "history_runs.commit"),
        ({"tier": "t" * 64}, "history_runs.tier"),
        ({"provider": "p" * 64}, "history_runs.provider"),
        ({"run_id": "r" * 256}, "history_runs.run_id"),
        ({"cause": "C" * 64}, "history_runs.cause"),
    ],
)
def test_what_is_longer_than_a_column_is_refused_alike_on_every_database(
    history: History, changed: dict[str, str], column: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"{column} cannot .* at most [0-9]+ fit"):
        history.record(run=replace(FULL_RUN, **changed))
    assert history.tiers() == ()


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        ({"exit_status": 2**31}, "history_suites.exit_status"),
        ({"reported": -(2**40)}, "history_suites.reported"),
        ({"name": "s" * 64}, "history_suites.name"),
    ],
)
def test_what_is_larger_than_a_column_is_refused_alike_on_every_database(
    history: History, changed: dict[str, Any], column: str
) -> None:
    suite = replace(FULL_RUN.suites[0], **changed)
    with pytest.raises(ConfigurationError, match=column):
        history.record(run=replace(FULL_RUN, suites=(suite,)))
    assert history.tiers() == ()


def test_a_text_without_a_limit_may_be_as_long_as_it_likes(history: History) -> None:
    history.record(run=replace(FULL_RUN, summary="s" * 100_000))
    run = history.run(run_id=FULL_RUN.run_id)
    assert run is not None
    assert len(run.summary) == 100_000
