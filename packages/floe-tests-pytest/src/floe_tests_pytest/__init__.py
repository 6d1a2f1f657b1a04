"""A pytest plugin for test images: the count of collected tests, shards, and an end in time.

It is loaded by its entry point, takes part only in sessions that leave results for an orchestrator,
and writes only where FLOE_RESULTS_DIR or /results says.
"""

from floe_tests_pytest.plugin import pytest_configure

__all__ = ["pytest_configure"]
