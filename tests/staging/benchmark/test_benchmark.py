"""The benchmark: every measurement was taken, and what was measured did what it was to do.

Whether something has become slower, the orchestrator judges from benchmark.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ..volume import batch_of, whole  # noqa: TID252 - suites are packages of their own
from .measured import NAMES

if TYPE_CHECKING:
    from platform_suite.cube_api import CubeApi
    from platform_suite.lakehouse import Lakehouse

    from .rounds import Rounds
    from .settings import BenchmarkSettings

pytestmark = pytest.mark.kubernetes


@pytest.mark.parametrize("name", NAMES)
def test_measurement_has_its_repetitions(
    rounds: Rounds, settings: BenchmarkSettings, name: str
) -> None:
    """As many values as there were rounds, each of them a time."""
    measurement = rounds.measurements[name]
    assert len(measurement.values) == settings.rounds
    assert len(measurement.warmup) == settings.warmup
    assert all(value > 0 for value in measurement.values), measurement.values


def test_totals_are_right_after_all_that(
    rounds: Rounds, settings: BenchmarkSettings, lakehouse: Lakehouse, cube: CubeApi
) -> None:
    """A pipeline that is quick because it does nothing would be no improvement."""
    assert rounds.measurements
    rules = settings.rules
    expected = {batch_of(part): rules.daily_totals(part) for part in range(rules.parts)}
    held = lakehouse.totals_by_batch()
    assert {batch: held.get(batch) for batch in expected} == expected
    assert lakehouse.daily_totals() == whole(held, expected)
    cube.wait_for_daily_totals(whole(held, expected))
