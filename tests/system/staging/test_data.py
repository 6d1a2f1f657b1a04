"""The history outlasts an upgrade, and comes back out of a backup into a new Postgres."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import upgrade
from .orchestrator import Orchestrator


@pytest.fixture
def run_id(orchestrator: Orchestrator) -> str:
    """A run that the history knows."""
    launched = orchestrator.launch("waiting")
    orchestrator.let_it_pass(orchestrator.wait_for_test(launched))
    assert orchestrator.wait_until_over(launched, timeout_seconds=120) == "SUCCESS"
    return launched


def has_its_past(orchestrator: Orchestrator, run_id: str) -> None:
    assert orchestrator.remembered(run_id) == "PASS"
    assert orchestrator.status(run_id) == "SUCCESS"
    assert any("VERDICT" in line or "PASS" in line for line in orchestrator.log(run_id))


@pytest.mark.thorough
def test_an_upgrade_migrates_and_keeps_history_runs_and_passwords(
    orchestrator: Orchestrator, staging_kubeconfig: Path, run_id: str
) -> None:
    secret = ("get", "secret", "floe-tests-postgres-dagster", "--output", "jsonpath={.data}")
    password = orchestrator.kubectl(*secret)
    # As an older version left it: the hook has to do something.
    stale = orchestrator.sql("SELECT version_num FROM alembic_version", database="dagster")

    upgrade(staging_kubeconfig, "--set", "runs.maxConcurrent=3")
    upgrade(staging_kubeconfig, "--set", "runs.maxConcurrent=3")

    assert orchestrator.kubectl(*secret) == password
    assert orchestrator.sql("SELECT version_num FROM alembic_version", database="dagster") == stale
    has_its_past(orchestrator, run_id)
    orchestrator.wait_for_location()
    again = orchestrator.launch("waiting")
    orchestrator.let_it_pass(orchestrator.wait_for_test(again))
    assert orchestrator.wait_until_over(again, timeout_seconds=120) == "SUCCESS"


@pytest.mark.thorough
def test_a_backup_comes_back_into_a_new_postgres(
    orchestrator: Orchestrator, staging_kubeconfig: Path, run_id: str
) -> None:
    assert orchestrator.run_cron_job("floe-tests-backup", "backup-1") == "Complete"

    # While somebody writes, nothing is restored.
    assert orchestrator.run_cron_job("floe-tests-restore", "restore-early") == "Failed"
    assert "Stop them first" in orchestrator.kubectl("logs", "job/restore-early", "-c", "restore")
    has_its_past(orchestrator, run_id)

    orchestrator.stop_writers()
    orchestrator.kubectl("delete", "statefulset", "postgres", "--wait=true")
    orchestrator.kubectl("delete", "persistentvolumeclaim", "floe-tests-postgres", "--wait=true")
    upgrade(staging_kubeconfig, "--no-hooks", "--set", "webserver.replicas=1")
    assert orchestrator.sql("SELECT to_regclass('history_runs') IS NULL") == "t"
    orchestrator.stop_writers()

    def is_left_alone() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname IN ('dagster', 'history')"
        return orchestrator.sql(query, database="postgres") == "0"

    orchestrator.wait("nobody is connected", is_left_alone, timeout_seconds=60)
    said = orchestrator.run_cron_job("floe-tests-restore", "restore-1")
    assert said == "Complete", orchestrator.kubectl("logs", "job/restore-1", check=False)

    orchestrator.start_writers()
    has_its_past(orchestrator, run_id)
    orchestrator.wait_for_location()
    again = orchestrator.launch("waiting")
    orchestrator.let_it_pass(orchestrator.wait_for_test(again))
    assert orchestrator.wait_until_over(again, timeout_seconds=120) == "SUCCESS"


@pytest.mark.thorough
def test_as_many_backups_stay_as_the_values_say(orchestrator: Orchestrator) -> None:
    names = [f"backup-kept-{number}" for number in range(3)]
    for name in names:
        assert orchestrator.run_cron_job("floe-tests-backup", name) == "Complete"

    said = orchestrator.kubectl("logs", f"job/{names[-1]}", "-c", "store")

    assert len(said.partition("there are ")[2].split(", ")) == 2
