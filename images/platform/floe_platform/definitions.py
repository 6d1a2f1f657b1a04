"""Everything the code location `floe` serves."""

import os
from collections.abc import Mapping

import dagster as dg

from floe_platform.assets import daily_totals, orders, orders_cleaned, totals_match_orders
from floe_platform.jobs import (
    describe_tables,
    import_orders,
    orders_every_minute,
    orders_pipeline,
)
from floe_platform.lakehouse.settings import read_settings, switched_on


def definitions(environment: Mapping[str, str]) -> dg.Definitions:
    """Collect what is served.

    Args:
        environment: Environment variables; FLOE_CATALOG_URI switches the lakehouse on.

    Returns:
        The DuckDB pipelines, and the lakehouse where there is one.

    Raises:
        SettingsError: The lakehouse is switched on and its settings are incomplete.
    """
    warehouse = dg.Definitions(
        assets=[orders, orders_cleaned, daily_totals],
        asset_checks=[totals_match_orders],
        jobs=[orders_pipeline, import_orders, describe_tables],
        schedules=[orders_every_minute],
        # One process a run: the steps share one DuckDB file, and a process a step costs a second
        # each.
        executor=dg.in_process_executor,
    )
    if not switched_on(environment):
        return warehouse
    read_settings(environment)  # better now than in the middle of the first run
    from floe_platform.lakehouse import assets as lakehouse
    from floe_platform.lakehouse import jobs

    return dg.Definitions.merge(
        warehouse,
        dg.Definitions(
            assets=[
                lakehouse.bronze_orders,
                lakehouse.silver_orders,
                lakehouse.gold_daily_totals,
                lakehouse.serving_daily_totals,
            ],
            asset_checks=[lakehouse.totals_match_lakehouse],
            jobs=[lakehouse.lakehouse_pipeline, jobs.lakehouse_maintenance],
            schedules=[jobs.lakehouse_maintenance_nightly],
        ),
    )


defs = definitions(os.environ)
