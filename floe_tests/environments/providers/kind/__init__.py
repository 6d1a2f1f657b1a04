"""A kind cluster, created when it is absent."""
