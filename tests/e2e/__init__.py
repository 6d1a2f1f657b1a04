"""The e2e suite: pipelines through the whole of floe-platform, seen from inside the cluster."""
