"""The assets of the group `lakehouse`: each opens what it needs, calls one function, reports.

A run names its batch once, in the config of bronze/orders. silver/orders takes it from there; its
own `batch` is for runs without bronze, and must be the same when both are given.
"""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from floe_platform import order_stream
from floe_platform.assets import OrdersConfig
from floe_platform.lakehouse import agreement, pipeline, serving
from floe_platform.lakehouse.catalog import Lakehouse, connect
from floe_platform.lakehouse.commits import Written
from floe_platform.lakehouse.errors import RuleError
from floe_platform.lakehouse.settings import read_settings

GROUP = "lakehouse"
DEFAULT_BATCH = "default"
# The name becomes part of the addresses of data files.
_BATCH_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_BRONZE_OP = "bronze__orders"
_SILVER_OP = "silver__orders"


class StreamConfig(dg.Config):
    """A part of a production-like stream; the rules are in `floe_platform.order_stream`."""

    scale: int = Field(
        ge=order_stream.SMALLEST_SCALE,
        le=order_stream.LARGEST_SCALE,
        description="How many orders the whole stream has.",
    )
    seed: int = Field(default=7, ge=0, le=4_294_967_295, description="Which stream of this scale.")
    part: int = Field(
        default=0,
        ge=0,
        description="Which part is the batch: 0 to parts - 1. A stream has 4 parts, and above "
        "2,000,000 orders one for each 500,000.",
    )


class BatchConfig(OrdersConfig):
    """The batch to ingest; the rules of its orders are in `floe_platform.orders`."""

    # A batch is held in memory, and two runs and the code server share a pod.
    rows: int = Field(default=1000, ge=1, le=1_000_000, description="Number of orders.")
    batch: str = Field(
        default=DEFAULT_BATCH,
        pattern=_BATCH_PATTERN,
        description="Its name; ingesting a batch again replaces it.",
    )
    stream: StreamConfig | None = Field(
        default=None,
        description="A part of a production-like stream in place of rows, seed and dirty_every.",
    )


class CleaningConfig(dg.Config):
    """What to clean, and what is too much."""

    batch: str | None = Field(
        default=None,
        pattern=_BATCH_PATTERN,
        description="The batch; by default the one that this run ingests.",
    )
    highest_amount_cents: int | None = Field(
        default=None, ge=1, description="No order may cost more; without it, anything goes."
    )


@dg.asset(key=["bronze", "orders"], group_name=GROUP, kinds={"iceberg", "duckdb"})
def bronze_orders(context: dg.AssetExecutionContext, config: BatchConfig) -> dg.MaterializeResult:
    """Raw orders, as a shop would send them, one batch a run."""
    if config.stream is not None:
        return _ingest_part(_lakehouse(context), config.batch, config.stream)
    written = pipeline.ingest(
        _lakehouse(context),
        config.batch,
        rows=config.rows,
        seed=config.seed,
        dirty_every=config.dirty_every,
    )
    return dg.MaterializeResult(metadata={"batch": config.batch, **_of_snapshot(written)})


@dg.asset(
    key=["silver", "orders"],
    group_name=GROUP,
    kinds={"iceberg", "duckdb"},
    deps=[bronze_orders],
)
def silver_orders(
    context: dg.AssetExecutionContext, config: CleaningConfig
) -> dg.MaterializeResult:
    """The orders that can be used, each once a batch."""
    batch = _batch_of(context.run.run_config)
    try:
        written = pipeline.clean(
            _lakehouse(context), batch, highest_amount_cents=config.highest_amount_cents
        )
    except RuleError as error:
        raise dg.Failure(
            description=str(error),
            metadata={
                "batch": batch,
                "rule": error.violation.rule,
                "order_id": error.violation.order_id,
                "amount_cents": error.violation.amount_cents,
                "orders": error.violation.orders,
                "data_files_written": error.data_files,
                "snapshot_id": str(error.snapshot_id),
            },
            allow_retries=False,  # the same orders stay too dear
        ) from error
    return dg.MaterializeResult(metadata={"batch": batch, **_of_snapshot(written)})


@dg.asset(
    key=["gold", "daily_totals"],
    group_name=GROUP,
    kinds={"iceberg", "duckdb"},
    deps=[silver_orders],
)
def gold_daily_totals(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Orders and revenue of each day, over all batches."""
    written, totals = pipeline.total(_lakehouse(context))
    return dg.MaterializeResult(
        metadata={
            "batch": _batch_of(context.run.run_config),
            "orders": totals.orders,
            "revenue_cents": totals.revenue_cents,
            "silver_snapshot_id": written.content.labels.get(pipeline.SILVER_SNAPSHOT, ""),
            **_of_snapshot(written),
        }
    )


@dg.asset(
    key=["serving", "daily_totals"],
    group_name=GROUP,
    kinds={"postgres"},
    deps=[gold_daily_totals],
)
def serving_daily_totals(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The daily totals in Postgres, for Cube."""
    lakehouse = _lakehouse(context)
    served = serving.load(
        read_settings(os.environ).serving,
        lambda: pipeline.read_gold(lakehouse),
        log=context.log,
    )
    totals = pipeline.add_up(served.days)
    return dg.MaterializeResult(
        metadata={
            "batch": _batch_of(context.run.run_config),
            "rows": len(served.days),
            "orders": totals.orders,
            "revenue_cents": totals.revenue_cents,
            "gold_snapshot_id": str(served.snapshot_id),
        }
    )


# Blocking: whoever reads totals that contradict the orders would rather have yesterday's.
@dg.asset_check(asset=serving_daily_totals, blocking=True)
def totals_match_lakehouse(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """The served totals are those of gold, and gold's are those of silver, day by day."""
    settings = read_settings(os.environ)
    lakehouse = connect(settings.catalog, log=context.log)
    found = agreement.settle(
        lambda: agreement.compare(lakehouse, serving.read(settings.serving, log=context.log)),
        grace_seconds=agreement.GRACE_SECONDS,
    )
    sums = (
        f"Served are {found.served.orders} orders and {found.served.revenue_cents} cents, "
        f"gold holds {found.gold.orders} and {found.gold.revenue_cents}, "
        f"silver {found.silver.orders} and {found.silver.revenue_cents}."
    )
    # Totals that are right and older than the newest commits are no reason to fail a run.
    only_behind = bool(found.behind) and not found.problems
    return dg.AssetCheckResult(
        passed=not found.problems and not found.behind,
        severity=dg.AssetCheckSeverity.WARN if only_behind else dg.AssetCheckSeverity.ERROR,
        description=" ".join([*(f"{each}." for each in (*found.problems, *found.behind)), sums]),
        metadata={
            "orders_served": found.served.orders,
            "orders_in_gold": found.gold.orders,
            "orders_in_silver": found.silver.orders,
            "revenue_cents_served": found.served.revenue_cents,
            "revenue_cents_in_gold": found.gold.revenue_cents,
            "revenue_cents_in_silver": found.silver.revenue_cents,
        },
    )


lakehouse_pipeline = dg.define_asset_job(
    "lakehouse_pipeline",
    selection=dg.AssetSelection.groups(GROUP),
    description="A batch of orders into bronze and silver, all of them into gold and serving.",
)


def _ingest_part(
    lakehouse: Lakehouse, batch: str, config: StreamConfig
) -> dg.MaterializeResult[Any]:
    stream = order_stream.OrderStream(config.scale, config.seed)
    try:
        written, seconds = pipeline.ingest_part(lakehouse, batch, stream=stream, part=config.part)
    except ValueError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    return dg.MaterializeResult(
        metadata={"batch": batch, "seconds_to_generate": seconds, **_of_snapshot(written)}
    )


def _lakehouse(context: dg.AssetExecutionContext) -> Lakehouse:
    settings = read_settings(os.environ)
    return connect(settings.catalog, log=context.log, labels={"floe.run-id": context.run.run_id})


def _batch_of(run_config: Mapping[str, Any]) -> str:
    configs = run_config.get("ops", {})
    ingested = configs.get(_BRONZE_OP, {}).get("config", {}).get("batch")
    cleaned = configs.get(_SILVER_OP, {}).get("config", {}).get("batch")
    if ingested and cleaned and ingested != cleaned:
        message = (
            f"the run ingests batch '{ingested}' and cleans batch '{cleaned}'. Leave out `batch` "
            f"of {_SILVER_OP}, or set both to the same."
        )
        raise dg.Failure(description=message, allow_retries=False)
    return ingested or cleaned or DEFAULT_BATCH


def _of_snapshot(written: Written) -> dict[str, Any]:
    return {
        "rows": written.content.rows.num_rows,
        "snapshot_id": str(written.snapshot_id),  # GraphQL and JSON lose digits of such numbers
        "attempts": written.attempts,
    }
