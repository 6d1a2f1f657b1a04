"""The five stages of a tier as Dagster assets. Each reads its settings and calls one plain function."""
