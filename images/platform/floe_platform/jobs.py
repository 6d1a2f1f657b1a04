"""The jobs, and the schedule that runs the pipeline every minute when it is switched on."""

import dagster as dg
from pydantic import Field

from floe_platform import order_import
from floe_platform.assets import GROUP
from floe_platform.tables import describe
from floe_platform.warehouse import RUN_TAGS, database_path, reader, transaction


class ImportConfig(dg.Config):
    """What to import."""

    csv: str = Field(description="CSV text with the header order_id,customer,day,amount.")


@dg.op
def write_imported_orders(context: dg.OpExecutionContext, config: ImportConfig) -> None:
    """Check the CSV text whole, then replace the table `imported_orders`."""
    try:
        parsed = order_import.parse(config.csv)
    except order_import.BadOrdersError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"problems": len(error.problems)},
            allow_retries=False,  # the same text stays wrong
        ) from error
    with transaction(database_path()) as connection:
        rows = order_import.write(connection, parsed)
    context.log_event(dg.AssetMaterialization(asset_key="imported_orders", metadata={"rows": rows}))


@dg.op
def observe_tables(context: dg.OpExecutionContext) -> None:
    """Observe every table: `rows`, and `sum_<column>` for each quantity."""
    with reader(database_path()) as connection:
        descriptions = describe(connection)
    for table in descriptions:
        sums = {f"sum_{column}": value for column, value in table.sums.items()}
        context.log_event(
            dg.AssetObservation(asset_key=table.name, metadata={"rows": table.rows, **sums})
        )


@dg.job(
    description="Imports orders from CSV text; wrong text fails and changes nothing.",
    tags=RUN_TAGS,
)
def import_orders() -> None:
    """Import orders from CSV text."""
    # Dagster wants definitions of different names; run config still says `import_orders`.
    write_imported_orders.alias("import_orders")()


@dg.job(description="Reports rows and sums of every table in the warehouse.", tags=RUN_TAGS)
def describe_tables() -> None:
    """Report rows and sums of every table."""
    observe_tables.alias("describe_tables")()


orders_pipeline = dg.define_asset_job(
    "orders_pipeline",
    selection=dg.AssetSelection.groups(GROUP),
    description="Raw orders, cleaned orders, daily totals, and the check on them.",
    tags=RUN_TAGS,
)

orders_every_minute = dg.ScheduleDefinition(
    name="orders_every_minute",
    job=orders_pipeline,
    cron_schedule="* * * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
