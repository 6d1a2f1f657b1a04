"""The five stages of a tier as Dagster assets: each reads settings and calls one function."""
