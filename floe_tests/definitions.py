"""What Dagster loads of this repository's own project: the tiers in defs/."""

import floe_tests

defs = floe_tests.project(__file__)
