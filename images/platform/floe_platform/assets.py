"""The assets of the group `orders`: each opens the warehouse, calls one function, reports rows."""

import dagster as dg
from pydantic import Field

from floe_platform import orders as order_tables
from floe_platform.warehouse import database_path, reader, transaction

GROUP = "orders"


class OrdersConfig(dg.Config):
    """What the raw orders look like; the rules are in `floe_platform.orders`."""

    rows: int = Field(default=1000, ge=1, le=5_000_000, description="Number of orders.")
    seed: int = Field(default=7, ge=0, le=1_000_000, description="Shifts customers and amounts.")
    dirty_every: int = Field(
        default=10, ge=0, description="Every how many orders one is spoilt; 0 for none."
    )


@dg.asset(group_name=GROUP, kinds={"duckdb"})
def orders(config: OrdersConfig) -> dg.MaterializeResult:
    """Raw orders as a shop would send them: some without customer, negative, or sent twice."""
    with transaction(database_path()) as connection:
        rows = order_tables.generate(
            connection, rows=config.rows, seed=config.seed, dirty_every=config.dirty_every
        )
    return dg.MaterializeResult(metadata={"rows": rows})


@dg.asset(group_name=GROUP, kinds={"duckdb"}, deps=[orders])
def orders_cleaned() -> dg.MaterializeResult:
    """The orders that can be used, each once."""
    with transaction(database_path()) as connection:
        rows = order_tables.clean(connection)
    return dg.MaterializeResult(metadata={"rows": rows})


@dg.asset(group_name=GROUP, kinds={"duckdb"}, deps=[orders_cleaned])
def daily_totals() -> dg.MaterializeResult:
    """Orders and revenue of each day."""
    with transaction(database_path()) as connection:
        rows = order_tables.total(connection)
        totals = order_tables.totals_of_days(connection)
    return dg.MaterializeResult(
        metadata={
            "rows": rows,
            "orders": totals.orders,
            "revenue": totals.revenue_cents / 100,
            "revenue_cents": totals.revenue_cents,
        }
    )


# Blocking: whoever reads totals that do not match the orders would rather have yesterday's.
@dg.asset_check(asset=daily_totals, blocking=True)
def totals_match_orders() -> dg.AssetCheckResult:
    """The daily totals add up to the cleaned orders, in number and in revenue."""
    with reader(database_path()) as connection:
        of_days = order_tables.totals_of_days(connection)
        of_orders = order_tables.totals_of_orders(connection)
    return dg.AssetCheckResult(
        passed=of_days == of_orders,
        description=(
            f"daily_totals hold {of_days.orders} orders and {of_days.revenue_cents} cents, "
            f"orders_cleaned {of_orders.orders} orders and {of_orders.revenue_cents} cents."
        ),
        metadata={
            "orders_in_totals": of_days.orders,
            "orders_cleaned": of_orders.orders,
            "revenue_cents_in_totals": of_days.revenue_cents,
            "revenue_cents_cleaned": of_orders.revenue_cents,
        },
    )
