"""The command `floe-tests`."""
