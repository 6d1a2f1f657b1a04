"""The sidecar that sends a test pod's results out through its own log."""
