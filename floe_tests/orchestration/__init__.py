"""All that imports Dagster: component, assets, session, sensors."""
