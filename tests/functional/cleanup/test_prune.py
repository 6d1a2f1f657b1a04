"""Old runs removed from real places: folders, the ledger, a history, a Dagster instance.

Dagster reads annotations when it builds an op, so they are not postponed here.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from floe_tests.cleanup.prune import plan, stored_files, stored_in_history
from floe_tests.cli.app import app
from floe_tests.config.project import Workspace
from floe_tests.config.retention import KeptRuns, RetentionSettings, RunRetention
from floe_tests.config.tier import TierSettings
from floe_tests.core.ledger import Ledger
from floe_tests.environments.lease import ENTRY, new_lease
from floe_tests.orchestration.prune import remove_all, stored_in_dagster
from floe_tests.results.cases import CaseOutcome, CaseResult, Tally
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord, SuiteRecord

NOW = datetime.now(UTC)
ONE = KeptRuns(days=1, least=1, most=5)
TIER = TierSettings.model_validate(
    {
        "name": "demo",
        "description": "x",
        "environments": ["local"],
        "suites": [{"name": "tiny", "command": ["true"]}],
        "retention": RetentionSettings(
            files=RunRetention(green=ONE, red=ONE),
            history=RunRetention(green=ONE, red=ONE),
            dagster=RunRetention(green=ONE, red=ONE),
        ).model_dump(),
    }
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return Workspace(
        root=tmp_path,
        output=tmp_path / "output",
        home=home,
        history_url=f"sqlite:///{home}/floe_tests.db",
    )


@pytest.fixture
def instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(workspace.home)) as made:
        yield made


def ledger(workspace: Workspace) -> Ledger:
    return Ledger(workspace.home / "floe-tests" / "runs")


def put_files(
    workspace: Workspace,
    run_id: str,
    *,
    days: float,
    cause: str | None = "PASS",
    state: str = "released",
) -> Path:
    folder = workspace.output / "demo" / "runs" / run_id
    (folder / "suite-1").mkdir(parents=True)
    (folder / "suite-1" / "log.txt").write_text("x" * 1000)
    if cause is not None:
        (folder / "verdict.json").write_text(json.dumps({"run_id": run_id, "cause": cause}))
    book = ledger(workspace)
    lease = new_lease(TIER, workspace, run_id=run_id, provider="local")
    book.write(run_id, ENTRY, replace(lease, state=state))
    then = (NOW - timedelta(days=days)).timestamp()
    for path in (folder, book.directory / run_id):
        os.utime(path, (then, then))
    return folder


def old_ids(workspace: Workspace) -> list[str]:
    files = stored_files(workspace, ledger(workspace), now=NOW)
    return [each.run.run_id for each in plan(files, [TIER], now=NOW)]


def test_old_folders_go_with_their_entries_of_the_ledger(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    new, old = (put_files(workspace, name, days=days) for name, days in (("new", 3), ("old", 9)))
    files = stored_files(workspace, ledger(workspace), now=NOW)

    left = remove_all(workspace, instance, plan(files, [TIER], now=NOW))

    assert left == ()
    assert (new.is_dir(), old.exists()) == (True, False)
    assert [path.name for path in ledger(workspace).directory.iterdir()] == ["new"]


@pytest.mark.parametrize("state", ["acquiring", "held", "kept"])
def test_a_run_that_has_an_environment_stays(workspace: Workspace, state: str) -> None:
    put_files(workspace, "new", days=3)
    put_files(workspace, "busy", days=90, state=state)

    assert old_ids(workspace) == []


def test_a_run_whose_lease_cannot_be_read_stays(workspace: Workspace) -> None:
    put_files(workspace, "new", days=3)
    put_files(workspace, "torn", days=90)
    (ledger(workspace).directory / "torn" / "lease.json").write_text("{")

    assert old_ids(workspace) == []


def test_the_newest_run_of_a_tier_stays_by_whatever_rule(workspace: Workspace) -> None:
    put_files(workspace, "shown", days=90, cause="TEST_FAILURE")
    put_files(workspace, "newer-and-red", days=3, cause="TEST_FAILURE")
    (workspace.output / "demo" / "verdict.json").write_text('{"run_id": "shown", "cause": "PASS"}')

    assert old_ids(workspace) == []


def test_a_run_without_a_verdict_counts_as_red(workspace: Workspace) -> None:
    put_files(workspace, "green", days=3)
    put_files(workspace, "killed", days=3, cause=None)
    put_files(workspace, "killed-before", days=9, cause=None)

    assert old_ids(workspace) == ["killed-before"]


def test_a_link_in_place_of_a_runs_folder_is_removed_and_not_followed(
    workspace: Workspace, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    put_files(workspace, "new", days=3)
    folder = put_files(workspace, "old", days=9)
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    then = (NOW - timedelta(days=9)).timestamp()
    os.utime(elsewhere, (then, then))

    files = stored_files(workspace, ledger(workspace), now=NOW)
    assert remove_all(workspace, instance, plan(files, [TIER], now=NOW)) == ()
    assert not folder.is_symlink()
    assert (elsewhere / "suite-1" / "log.txt").is_file()


def record(run_id: str, *, days: float, tests: tuple[str, ...], ref: str = "main") -> RunRecord:
    cases = tuple(CaseResult(name=name, outcome=CaseOutcome.PASSED, seconds=1) for name in tests)
    green = {"outcome": "passed", "cause": "PASS", "fault": "none"}
    suite = SuiteRecord(name="tiny", tally=Tally.of(cases), cases=cases, **green)
    return RunRecord(
        run_id=run_id,
        tier="demo",
        provider="local",
        environment="local",
        ref=ref,
        **green,
        started_at=NOW - timedelta(days=days),
        suites=(suite,),
    )


def test_old_runs_leave_the_history_with_tests_that_nobody_else_has(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    with History.open(workspace.history_url) as history:
        history.record(run=record("new", days=3, tests=("a::b",)))
        history.record(run=record("old", days=9, tests=("a::b", "a::gone")))
        history.record(run=record("branch", days=9, tests=("a::b",), ref="feature"))

    old = plan(stored_in_history(workspace), [TIER], now=NOW)
    assert [each.run.run_id for each in old] == ["old"]
    assert remove_all(workspace, instance, old) == ()

    with History.open(workspace.history_url) as history:
        found = history.runs(tier="demo", provider="local")
        assert sorted(run.run_id for run in found) == ["branch", "new"]
        assert len(history.test_history(name="a::b", tier="demo", provider="local")) == 2
        assert history.test_history(name="a::gone", tier="demo", provider="local") == ()
        assert "a::gone" not in history.durations(tier="demo", provider="local", suite="tiny")


@dg.op
def speak(context: dg.OpExecutionContext) -> None:
    context.log.info("said")


@dg.job(name="demo", tags={"floe-tests/tier": "demo", "floe-tests/cause": "PASS"})
def demo() -> None:
    speak()


def test_old_runs_leave_dagster_with_their_events_and_logs(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    first, second = (demo.execute_in_process(instance=instance).run_id for _ in range(2))
    shards = {path.stem for path in workspace.home.rglob("*.db")}
    assert {first, second} <= shards

    old = plan(stored_in_dagster(instance), [TIER], now=NOW + timedelta(days=2))
    assert [each.run.run_id for each in old] == [first]
    assert remove_all(workspace, instance, old) == ()

    assert [run.run_id for run in instance.get_runs()] == [second]
    assert not [path for path in workspace.home.rglob("*") if first in path.name]
    assert instance.all_logs(second)


def test_a_run_in_progress_stays(instance: dg.DagsterInstance) -> None:
    done = demo.execute_in_process(instance=instance).run_id
    running = instance.create_run_for_job(demo, status=dg.DagsterRunStatus.STARTED).run_id

    old = plan(stored_in_dagster(instance), [TIER], now=NOW + timedelta(days=90))

    assert running not in {each.run.run_id for each in old}
    assert done not in {each.run.run_id for each in old}


def test_the_command_lists_and_removes_nothing_until_it_is_told_to(workspace: Workspace) -> None:
    for number in range(25):
        put_files(workspace, f"run-{number:02}", days=40 + number)
    environment = {
        "DAGSTER_HOME": str(workspace.home),
        "FLOE_TESTS_OUTPUT": str(workspace.output),
        "FLOE_TESTS_HISTORY": workspace.history_url,
    }

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["prune", *words], env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    def folders() -> int:
        return len(list((workspace.output / "demo" / "runs").iterdir()))

    listed = run()
    assert "green, older than 30 days" in " ".join(listed.split())
    assert "floe-tests prune --yes" in listed
    assert folders() == 25
    found = json.loads(run("--json"))
    assert [each["run"] for each in found["runs"]] == [f"run-{n:02}" for n in range(24, 19, -1)]
    assert all(each["bytes"] > 1000 for each in found["runs"])
    run("--yes", "--tier", "demo")
    assert folders() == 20
    assert "Nothing is too old" in run()


def test_the_command_says_that_there_is_no_such_tier(workspace: Workspace) -> None:
    environment = {"DAGSTER_HOME": str(workspace.home), "FLOE_TESTS_OUTPUT": str(workspace.output)}

    done = CliRunner().invoke(app, ["prune", "--tier", "nope"], env=environment)

    assert done.exit_code == 2
    assert "there is no tier nope" in done.output


def test_the_job_removes_what_the_tiers_allow(
    workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from floe_tests.orchestration.prune import prune_definitions

    for number in range(22):
        put_files(workspace, f"run-{number:02}", days=40 + number)
    monkeypatch.setenv("DAGSTER_HOME", str(workspace.home))
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(workspace.output))
    monkeypatch.setenv("FLOE_TESTS_HISTORY", workspace.history_url)
    (workspace.root / "pyproject.toml").write_text(
        '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "empty"\n'
    )
    (workspace.root / "empty" / "defs").mkdir(parents=True)

    definitions = prune_definitions(workspace.root)
    done = definitions.resolve_job_def("prune").execute_in_process(instance=instance)

    assert done.success
    assert len(list((workspace.output / "demo" / "runs").iterdir())) == 20
