"""The soak: the load ran, the samples are there, and in the end the data is right.

Whether the platform bore it, soak.jsonl says, and the orchestrator judges that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from platform_suite.lakehouse import SILVER

from ..volume import whole  # noqa: TID252 - suites are packages of their own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.cluster import Cluster
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.order_rules import DailyTotals

    from .conftest import Ended
    from .settings import SoakSettings

pytestmark = pytest.mark.kubernetes

OPERATIONS = (
    "pipeline",
    "maintenance",
    "dagster_runs",
    "iceberg_daily_totals",
    "cube_daily_totals",
    "duckdb_daily_totals",
)
# The tests' own pod may be held up; a soak with less load than this says nothing.
LEAST_SHARE = 0.9


@pytest.mark.parametrize("operation", OPERATIONS)
def test_load_ran_at_its_rate(ended: Ended, settings: SoakSettings, operation: str) -> None:
    """Each operation began as often as it was to begin, and came to an end, good or bad."""
    tally = ended.soaked.tallies[operation]
    per_minute = {
        "pipeline": settings.pipelines_per_minute,
        "maintenance": 1 / settings.maintenance_minutes,
    }.get(operation, settings.queries_per_minute / 4)
    wanted = int(settings.seconds / 60 * per_minute)
    assert tally.begun >= LEAST_SHARE * wanted, f"{tally.begun} of {wanted} began"
    assert tally.ended == tally.begun
    assert tally.errors < max(tally.begun, 1), f"none succeeded: {tally.first_error}"


def test_every_component_was_sampled_all_the_time(ended: Ended, cluster: Cluster) -> None:
    """A component without samples could do anything."""
    soaked = ended.soaked
    # Not those of Jobs that are over, such as `helm test`.
    components = {pod.component for pod in cluster.release_pods() if pod.is_ready}
    too_few = {
        component: soaked.sampled.get(component, 0)
        for component in components
        if soaked.sampled.get(component, 0) < LEAST_SHARE * soaked.intervals
    }
    assert not too_few, f"of {soaked.intervals} intervals: {too_few}; gaps: {soaked.gaps[:3]}"


def test_iceberg_holds_what_the_generator_says(
    settled: Mapping[str, DailyTotals], lakehouse: Lakehouse
) -> None:
    """Each batch by itself, then all of them together in gold."""
    held = lakehouse.totals_by_batch()
    assert {batch: held.get(batch) for batch in settled} == settled
    assert lakehouse.daily_totals() == whole(held, settled)


def test_duckdb_adds_up_to_what_the_generator_says(
    settled: Mapping[str, DailyTotals], lakehouse: Lakehouse, ended: Ended
) -> None:
    """Past the catalog: from the files themselves."""
    files = [file.path for file in lakehouse.data_files(SILVER)]
    found = ended.platform.storage.daily_totals(files, of_orders=True)
    assert found == whole(lakehouse.totals_by_batch(), settled)


def test_cube_tells_what_the_generator_says(
    settled: Mapping[str, DailyTotals], lakehouse: Lakehouse, ended: Ended
) -> None:
    """What a dashboard shows is what was ingested."""
    ended.platform.cube.wait_for_daily_totals(whole(lakehouse.totals_by_batch(), settled))
