"""What Dagster loads: the tiers in defs/."""

import floe_tests

defs = floe_tests.project(__file__)
