"""Everything the code location `floe` serves."""

import dagster as dg

from floe_platform.assets import daily_totals, orders, orders_cleaned, totals_match_orders
from floe_platform.jobs import (
    describe_tables,
    import_orders,
    orders_every_minute,
    orders_pipeline,
)

defs = dg.Definitions(
    assets=[orders, orders_cleaned, daily_totals],
    asset_checks=[totals_match_orders],
    jobs=[orders_pipeline, import_orders, describe_tables],
    schedules=[orders_every_minute],
    # One process a run: the steps share one DuckDB file, and a process a step costs a second each.
    executor=dg.in_process_executor,
)
