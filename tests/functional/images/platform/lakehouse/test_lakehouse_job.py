"""The job as the code location serves it: real Dagster, an Iceberg REST server, Postgres."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from floe_platform.definitions import definitions
from floe_platform.lakehouse.errors import SettingsError
from floe_platform.lakehouse.settings import ServingSettings
from pyiceberg.catalog.sql import SqlCatalog

from platform_suite.order_rules import OrderRules
from platform_suite.order_stream import StreamRules
from tests.support.platform_image import IMAGE

from .postgres import connection
from .rest_catalog import Fault, RestServer

RULES = OrderRules(rows=200, seed=5, dirty_every=6)
OTHER = OrderRules(rows=90, seed=2, dirty_every=0)
SWITCHED_ON = {
    "FLOE_CATALOG_KIND": "iceberg-rest",
    "FLOE_CATALOG_URI": "http://polaris:8181",
    "FLOE_CATALOG_WAREHOUSE": "s3://warehouse/",
    "FLOE_S3_ENDPOINT": "http://object-storage:7070",
    "FLOE_S3_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "FLOE_SERVING_HOST": "postgres",
    "FLOE_SERVING_PORT": "5432",
    "FLOE_SERVING_DB": "serving",
    "FLOE_SERVING_USER": "serving",
    "FLOE_SERVING_PASSWORD": "secret",
}
# What opening a connection brings; the code server and each process of it would pay for it.
LOADS = """
import sys
import floe_platform.definitions
print(sorted({"duckdb", "psycopg2", "pyarrow", "pyiceberg"} & sys.modules.keys()))
"""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def served(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return definitions(environment)


def config(
    batch: str, rules: OrderRules, cleaning: dict[str, object] | None = None
) -> dict[str, Any]:
    orders = {"rows": rules.rows, "seed": rules.seed, "dirty_every": rules.dirty_every}
    ops: dict[str, Any] = {"bronze__orders": {"config": {"batch": batch, **orders}}}
    if cleaning is not None:
        ops["silver__orders"] = {"config": cleaning}
    return {"ops": ops}


def run(
    served: dg.Definitions, instance: dg.DagsterInstance, run_config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    return served.resolve_job_def("lakehouse_pipeline").execute_in_process(
        run_config=run_config, instance=instance, raise_on_error=False
    )


def reported(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.to_user_string(): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def failure_of(result: dg.ExecuteInProcessResult) -> tuple[str, dg.Failure]:
    event = next(each for each in result.all_events if each.is_step_failure)
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return str(event.step_key), dg.Failure(data.description, metadata=data.metadata)


def test_without_a_catalog_there_is_no_lakehouse() -> None:
    names = definitions({}).get_repository_def().job_names

    assert "lakehouse_pipeline" not in names
    assert "orders_pipeline" in names


def test_the_whole_code_location_loads_with_the_lakehouse() -> None:
    repository = definitions(SWITCHED_ON).get_repository_def()
    repository.load_all_definitions()

    nodes = {node.name for node in repository.get_job("lakehouse_pipeline").nodes}
    assert nodes == {
        "bronze__orders",
        "silver__orders",
        "gold__daily_totals",
        "serving__daily_totals",
        "serving__daily_totals_totals_match_lakehouse",
    }


def test_runs_on_the_duckdb_file_are_tagged_and_the_lakehouse_is_not() -> None:
    repository = definitions(SWITCHED_ON).get_repository_def()

    tagged = {
        job.name for job in repository.get_all_jobs() if job.tags.get("floe/warehouse") == "duckdb"
    }

    assert tagged == {"orders_pipeline", "import_orders", "describe_tables"}


def test_a_switch_without_the_rest_is_refused_when_loading() -> None:
    with pytest.raises(SettingsError, match="FLOE_S3_ENDPOINT is not set"):
        definitions({"FLOE_CATALOG_URI": "http://polaris:8181"})


def test_loading_brings_in_no_heavy_library() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADS],
        env={**SWITCHED_ON, "PYTHONPATH": str(IMAGE)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert loaded.stdout == "[]\n"


def test_a_run_reports_what_the_rules_say(
    served: dg.Definitions, instance: dg.DagsterInstance, catalog: SqlCatalog
) -> None:
    result = run(served, instance, config("a", RULES))

    found = reported(result)
    snapshots = {
        layout: str(catalog.load_table(name).metadata.current_snapshot_id)
        for layout, name in (
            ("bronze", ("bronze", "orders")),
            ("silver", ("silver", "orders")),
            ("gold", ("gold", "daily_totals")),
        )
    }
    totals = {"orders": RULES.cleaned_rows(), "revenue_cents": RULES.cleaned_cents()}
    once = {"batch": "a", "attempts": 1}
    assert result.success
    assert found == {
        "bronze/orders": {
            **once,
            "rows": RULES.raw_rows(),
            "snapshot_id": snapshots["bronze"],
        },
        "silver/orders": {
            **once,
            "rows": RULES.cleaned_rows(),
            "snapshot_id": snapshots["silver"],
        },
        "gold/daily_totals": {
            **once,
            **totals,
            "rows": RULES.days(),
            "snapshot_id": snapshots["gold"],
            "silver_snapshot_id": snapshots["silver"],
        },
        "serving/daily_totals": {
            "batch": "a",
            **totals,
            "rows": RULES.days(),
            "gold_snapshot_id": snapshots["gold"],
        },
    }
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("totals_match_lakehouse", True)
    summary = catalog.load_table(("gold", "daily_totals")).current_snapshot()
    assert summary is not None
    assert summary.summary is not None
    assert summary.summary.additional_properties["floe.run-id"] == result.run_id


def test_totals_are_over_all_batches(served: dg.Definitions, instance: dg.DagsterInstance) -> None:
    run(served, instance, config("a", RULES))
    result = run(served, instance, config("b", OTHER))

    found = reported(result)
    assert found["silver/orders"]["rows"] == OTHER.cleaned_rows()
    assert found["serving/daily_totals"]["orders"] == RULES.cleaned_rows() + OTHER.cleaned_rows()
    assert found["serving/daily_totals"]["revenue_cents"] == (
        RULES.cleaned_cents() + OTHER.cleaned_cents()
    )


def test_an_order_that_is_too_dear_fails_silver_alone(
    served: dg.Definitions, instance: dg.DagsterInstance, catalog: SqlCatalog
) -> None:
    run(served, instance, config("a", OTHER))
    silver = catalog.load_table(("silver", "orders")).metadata.current_snapshot_id

    result = run(served, instance, config("a", RULES, {"highest_amount_cents": 200}))

    step, failure = failure_of(result)
    assert step == "silver__orders"
    assert failure.description is not None
    assert "of batch 'a'" in failure.description
    assert "highest_amount_cents = 200" in failure.description
    assert failure.metadata["snapshot_id"].value == str(silver)
    assert failure.metadata["data_files_written"].value == 1
    assert set(reported(result)) == {"bronze/orders"}
    assert catalog.load_table(("silver", "orders")).metadata.current_snapshot_id == silver


def test_a_run_that_names_two_batches_is_refused(
    served: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    result = run(served, instance, config("a", OTHER, {"batch": "b"}))

    step, failure = failure_of(result)
    assert step == "silver__orders"
    assert failure.description is not None
    assert "ingests batch 'a' and cleans batch 'b'" in failure.description


def test_served_totals_that_somebody_changed_fail_the_check_and_the_run(
    served: dg.Definitions, instance: dg.DagsterInstance, serving_settings: ServingSettings
) -> None:
    run(served, instance, config("a", OTHER))
    with connection(serving_settings) as changing:
        changing.cursor().execute(
            "UPDATE gold.daily_totals SET orders = orders + 1 WHERE day = '2026-01-02'"
        )
        changing.commit()
    key = dg.AssetCheckKey(dg.AssetKey(["serving", "daily_totals"]), "totals_match_lakehouse")
    job = served.get_repository_def().get_job("lakehouse_pipeline")
    check = job.get_subset(asset_selection=set(), asset_check_selection={key})

    result = check.execute_in_process(instance=instance, raise_on_error=False)

    (evaluation,) = result.get_asset_check_evaluations()
    assert not result.success
    assert not evaluation.passed
    assert evaluation.description is not None
    assert "differ on 1 days; on 2026-01-02 the serving database has 4 orders" in (
        evaluation.description
    )
    assert run(served, instance, config("a", OTHER)).success, "the next run mends it"


def test_a_catalog_that_stumbles_does_not_fail_the_run(
    served: dg.Definitions, instance: dg.DagsterInstance, rest_server: RestServer
) -> None:
    rest_server.faults += [Fault("GET", "/config"), Fault("GET", "/tables/orders")]

    result = run(served, instance, config("a", OTHER))

    assert result.success
    assert rest_server.faults == []


def test_secrets_are_in_no_event(
    served: dg.Definitions,
    instance: dg.DagsterInstance,
    environment: dict[str, str],
    rest_server: RestServer,
) -> None:
    rest_server.faults.append(Fault("GET", "/config", status=401))
    refused = run(served, instance, config("a", OTHER))
    failed = run(served, instance, config("a", OTHER, {"highest_amount_cents": 1}))
    done = run(served, instance, config("a", OTHER))

    assert (refused.success, failed.success, done.success) == (False, False, True)
    for result in (refused, failed, done):
        events = "\n".join(str(entry) for entry in instance.all_logs(result.run_id))
        assert environment["AWS_SECRET_ACCESS_KEY"] not in events
        assert environment["FLOE_SERVING_PASSWORD"] not in events


def test_part_of_a_stream_goes_all_the_way_and_is_kept_up(
    served: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    rules = StreamRules(10_000, seed=3)
    stream = {"scale": rules.scale, "seed": rules.seed, "part": 1}
    ops = {"bronze__orders": {"config": {"batch": "part-1", "stream": stream}}}
    result = run(served, instance, {"ops": ops})
    kept = served.resolve_job_def("lakehouse_maintenance").execute_in_process(instance=instance)

    made = reported(result)
    days = rules.daily_totals(1)
    assert made["bronze/orders"]["rows"] == rules.raw_rows(1)
    assert made["bronze/orders"]["seconds_to_generate"] > 0
    assert made["serving/daily_totals"]["orders"] == sum(each.orders for each in days.values())
    observed = {
        event.asset_key.to_user_string(): event.asset_observation_data.asset_observation.metadata
        for event in kept.get_asset_observation_events()
        if event.asset_key
    }
    assert observed.keys() == {"bronze/orders", "silver/orders", "gold/daily_totals"}
    assert all(each["snapshots"].value > 0 for each in observed.values())
    assert all(each["deleted_files"].value == 0 for each in observed.values()), "all of it is new"


def test_snapshots_of_just_now_go_only_while_no_other_run_is_under_way(
    served: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    for letter in "ab":
        assert run(served, instance, config(letter, OTHER)).success
    job = served.resolve_job_def("lakehouse_maintenance")
    config_of = {"ops": {"expire_and_delete": {"config": {"keep_minutes": 0.25}}}}
    other = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)

    refused = job.execute_in_process(config_of, instance=instance, raise_on_error=False)
    instance.report_run_failed(other)
    done = job.execute_in_process(config_of, instance=instance)

    reason = str(refused.get_step_failure_events()[0].event_specific_data)
    assert f"no other run may be under way: {other.run_id}" in reason
    assert done.success


def test_part_that_there_is_not_fails_by_name(
    served: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    stream = {"scale": 10_000, "seed": 3, "part": 4}
    ops = {"bronze__orders": {"config": {"batch": "part-4", "stream": stream}}}

    step, failure = failure_of(run(served, instance, {"ops": ops}))

    assert step == "bronze__orders"
    assert failure.description == "part 4: a stream of 10000 has the parts 0 to 3"
