// What the pipeline lakehouse_pipeline serves: one row a day, over all batches.
cube(`DailyTotals`, {
  sql: `SELECT day, orders, revenue_cents, loaded_at FROM gold.daily_totals`,

  // Cube answers from its cache, and looks afterwards whether the pipeline has loaded the table again.
  // A query with `renewQuery: true` looks first.
  refreshKey: {
    sql: `SELECT max(loaded_at) FROM gold.daily_totals`,
    every: `1 second`,
  },

  measures: {
    orders: {
      sql: `orders`,
      type: `sum`,
      description: `Orders that were accepted.`,
    },
    revenueCents: {
      sql: `revenue_cents`,
      type: `sum`,
      description: `Revenue of these orders, in cents.`,
    },
    days: {
      type: `count`,
      description: `Days with at least one order.`,
    },
  },

  dimensions: {
    day: {
      sql: `day`,
      type: `time`,
      primaryKey: true,
      shown: true,
      description: `Day of the orders, in UTC.`,
    },
  },
});
