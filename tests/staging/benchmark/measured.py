"""What the benchmark measures."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from platform_suite.lakehouse import SILVER

from ..volume import PIPELINE, finish, run_config  # noqa: TID252 - a package of its own
from .rounds import Timed, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.cube_api import CubeApi
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.object_storage import ObjectStorage
    from platform_suite.order_stream import StreamRules

# What a run's steps are called here, by the keys that Dagster knows them by.
STEPS = {
    "bronze__orders": "ingest_batch",
    "silver__orders": "transform_batch",
    "gold__daily_totals": "aggregate",
    "serving__daily_totals": "serve",
}
TIMED = ("pipeline", "generate", "iceberg_scan", "duckdb_aggregate", "cube_query", "catalog_commit")
NAMES = (*TIMED, *STEPS.values())
SCRATCH = "benchmark.commits"
_GENERATED = 50_000
_PAUSE_SECONDS = 0.05


def measured(
    dagster: DagsterApi,
    lakehouse: Lakehouse,
    storage: ObjectStorage,
    cube: CubeApi,
    rules: StreamRules,
) -> list[Timed | Told]:
    """Return all that is measured."""
    numbers = itertools.count()

    def pipeline() -> Mapping[str, float]:
        run_id = dagster.launch(PIPELINE, run_config(rules, 0))
        finish(dagster, run_id, pause=_PAUSE_SECONDS)
        seconds = dagster.step_seconds(run_id)
        return {name: seconds[step] for step, name in STEPS.items()}

    def add_up() -> None:
        files = [file.path for file in lakehouse.data_files(SILVER)]
        storage.daily_totals(files, of_orders=True)

    def scan() -> None:
        lakehouse.scan(SILVER, ("day", "customer", "amount_cents"))

    def commit() -> None:
        lakehouse.commit(SCRATCH, {"number": str(next(numbers))})

    return [
        Told("pipeline", tuple(STEPS.values()), pipeline),
        Timed("generate", lambda: _generate(rules)),
        Timed("iceberg_scan", scan, is_served=True),
        Timed("duckdb_aggregate", add_up),
        Timed("cube_query", cube.current_daily_totals, is_served=True),
        Timed("catalog_commit", commit, is_served=True),
    ]


def _generate(rules: StreamRules) -> None:
    """Make orders as the platform does, in one chunk, and throw them away."""
    code = str(Path(__file__).parents[3] / "images" / "platform")
    if code not in sys.path:
        sys.path.append(code)
    from floe_platform.order_stream import OrderStream

    stream = OrderStream(max(rules.scale, _GENERATED), rules.seed)
    for _ in stream.chunks(range(1, _GENERATED + 1), chunk_rows=_GENERATED):
        pass
