"""The lakehouse: orders in Iceberg tables, bronze to silver to gold, then served by Postgres.

    bronze.orders        raw orders, by the rules of `floe_platform.orders`, batch after batch
    silver.orders        each batch cleaned apart
    gold.daily_totals    orders and revenue of each day, over all batches
    gold.daily_totals    the same in the Postgres database `serving`, where Cube reads it

A batch is what one run ingests; ingesting it again replaces it in bronze and silver. Runs work at
the same time: `commits` says why none of them can lose or undo what another one wrote.
`maintenance` keeps the tables as large as their rows. Nothing here but `assets` and `jobs` knows
Dagster.
"""
