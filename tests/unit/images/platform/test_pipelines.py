"""The code location's jobs, run by the real Dagster in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from floe_platform.definitions import defs


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("FLOE_DATA_DIR", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def run(
    instance: dg.DagsterInstance,
    job: str,
    config: dict[str, Any] | None = None,
    assets: list[str] | None = None,
) -> dg.ExecuteInProcessResult:
    selection = [dg.AssetKey(name) for name in assets] if assets else None
    return defs.resolve_job_def(job).execute_in_process(
        run_config=config or {},
        instance=instance,
        asset_selection=selection,
        raise_on_error=False,
    )


def observed(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    observations = [
        event.asset_observation_data.asset_observation
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
    ]
    return {
        each.asset_key.to_user_string(): {
            name: value.value for name, value in each.metadata.items()
        }
        for each in observations
    }


def import_config(csv: str) -> dict[str, Any]:
    return {"ops": {"import_orders": {"config": {"csv": csv}}}}


def test_the_code_location_loads_whole() -> None:
    """A code server loads every job; loading one by one hides clashes between them."""
    repository = defs.get_repository_def()
    repository.load_all_definitions()

    assert {"orders_pipeline", "import_orders", "describe_tables"} <= set(repository.job_names)
    schedule = repository.get_schedule_def("orders_every_minute")
    assert (schedule.cron_schedule, schedule.default_status.value) == ("* * * * *", "STOPPED")


def test_the_pipeline_reports_what_it_wrote(instance: dg.DagsterInstance) -> None:
    config = {"ops": {"orders": {"config": {"rows": 50, "seed": 1, "dirty_every": 0}}}}
    cents = sum(100 + (n * 7919 + 104729) % 9900 for n in range(1, 51))

    result = run(instance, "orders_pipeline", config)

    reported = {
        event.asset_key.to_user_string(): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }
    assert result.success
    assert reported == {
        "orders": {"rows": 50},
        "orders_cleaned": {"rows": 50},
        "daily_totals": {
            "rows": 31,
            "orders": 50,
            "revenue": cents / 100,
            "revenue_cents": cents,
        },
    }
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert observed(run(instance, "describe_tables"))["orders"] == {
        "rows": 50,
        "sum_amount_cents": cents,
    }


def test_totals_older_than_their_orders_fail_the_check_and_the_run(
    instance: dg.DagsterInstance,
) -> None:
    run(instance, "orders_pipeline")
    newer = {"ops": {"orders": {"config": {"rows": 10}}}}
    assert run(instance, "orders_pipeline", newer, ["orders", "orders_cleaned"]).success

    job = defs.get_repository_def().get_job("orders_pipeline")
    check = dg.AssetCheckKey(dg.AssetKey("daily_totals"), "totals_match_orders")
    result = job.get_subset(asset_selection=set(), asset_check_selection={check})
    outcome = result.execute_in_process(instance=instance, raise_on_error=False)

    assert not outcome.success
    evaluations = outcome.get_asset_check_evaluations()
    assert [(each.check_name, each.passed) for each in evaluations] == [
        ("totals_match_orders", False)
    ]


def test_a_bad_import_fails_with_its_reason_and_leaves_the_table(
    instance: dg.DagsterInstance,
) -> None:
    header = "order_id,customer,day,amount\n"
    good = f"{header}1,ann,2026-01-01,3.20\n"
    assert run(instance, "import_orders", import_config(good)).success
    before = observed(run(instance, "describe_tables"))

    result = run(instance, "import_orders", import_config(f"{good}2,bob,2026-01-02,abc\n"))

    failure = next(event for event in result.all_events if event.is_step_failure)
    data = failure.step_failure_data.user_failure_data
    assert not result.success
    assert data is not None
    assert data.description == "line 3: amount 'abc' is not a number"
    assert before == {"imported_orders": {"rows": 1, "sum_amount_cents": 320}}
    assert observed(run(instance, "describe_tables")) == before
