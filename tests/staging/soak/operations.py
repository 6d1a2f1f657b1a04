"""What a soak does to the platform: pipelines that replace batches, and readers' questions."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from platform_suite.cube_api import CubeApi
from platform_suite.dagster_api import DagsterApi
from platform_suite.lakehouse import SILVER, Lakehouse
from platform_suite.object_storage import ObjectStorage

from ..volume import (  # noqa: TID252 - suites are packages of their own
    MAINTENANCE,
    PIPELINE,
    batch_of,
    finish,
    run_config,
)
from .load import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from platform_suite.order_rules import DailyTotals
    from platform_suite.order_stream import StreamRules

    from .settings import SoakSettings

    T = TypeVar("T")

# The shortest that the platform takes; a soak's own readers are done within seconds.
_KEEP_MINUTES = 5
_QUERY_OPERATIONS = 4


class AllBusy(Exception):  # noqa: N818 - a state of the batches
    """Every batch is being replaced already, so this pipeline cannot begin."""


class Batches:
    """Which batch comes next, and what each holds.

    A batch is replaced by one run at a time: of two, nobody could say which was the last.

    Args:
        rules: The stream; each further run of a batch takes the next seed, so that a result that
            was not replaced is seen.
    """

    def __init__(self, rules: StreamRules) -> None:
        self._rules = rules
        self._lock = threading.Lock()
        self._next = 0
        self._busy: set[int] = set()
        self._unsure: set[int] = set()
        self._held = dict.fromkeys(range(rules.parts), rules)
        self._generation = 0

    def take(self) -> tuple[int, StreamRules]:
        """Take the batch that was replaced longest ago, and say with what it is replaced.

        Raises:
            AllBusy: All of them are taken.
        """
        with self._lock:
            parts = self._rules.parts
            order = [(self._next + step) % parts for step in range(parts)]
            part = next((each for each in order if each not in self._busy), None)
            if part is None:
                raise AllBusy(f"all {parts} batches are being replaced")
            self._next = (part + 1) % parts
            self._busy.add(part)
            self._unsure.add(part)
            self._generation += 1
            return part, replace(self._rules, seed=self._rules.seed + self._generation)

    def give_back(self, part: int, *, now_holds: StreamRules | None) -> None:
        """Say what a batch holds now; None when nobody knows."""
        with self._lock:
            self._busy.discard(part)
            if now_holds is not None:
                self._held[part] = now_holds
                self._unsure.discard(part)

    def unsure(self) -> list[int]:
        """List the batches whose last run did not say that it succeeded."""
        with self._lock:
            return sorted(self._unsure)

    def expected(self) -> dict[str, DailyTotals]:
        """Work out the daily totals of each batch, by its name."""
        with self._lock:
            held = dict(self._held)
        return {batch_of(part): rules.daily_totals(part) for part, rules in held.items()}


class Platform:
    """The clients of the platform, one of each a thread."""

    def __init__(self, dagster_url: str) -> None:
        self._dagster_url = dagster_url
        self._own = threading.local()

    @property
    def dagster(self) -> DagsterApi:
        """Dagster."""
        return self._client("dagster", lambda: DagsterApi(self._dagster_url))

    @property
    def lakehouse(self) -> Lakehouse:
        """The catalog."""
        return self._client("lakehouse", Lakehouse.of_this_pod)

    @property
    def storage(self) -> ObjectStorage:
        """The files of the tables."""
        return self._client("storage", ObjectStorage.of_this_pod)

    @property
    def cube(self) -> CubeApi:
        """Cube."""
        return self._client("cube", CubeApi.of_this_pod)

    def _client(self, name: str, make: Callable[[], T]) -> T:
        found = getattr(self._own, name, None)
        if found is None:
            found = make()
            setattr(self._own, name, found)
        return found

    def replace_a_batch(self, batches: Batches) -> None:
        """Launch the pipeline for the next batch, and wait for its success."""
        part, rules = batches.take()
        held: StreamRules | None = None
        try:
            finish(self.dagster, self.dagster.launch(PIPELINE, run_config(rules, part)))
            held = rules
        finally:
            batches.give_back(part, now_holds=held)

    def keep_up(self) -> None:
        """Launch the tables' maintenance, and wait for its success."""
        config = {"ops": {"expire_and_delete": {"config": {"keep_minutes": _KEEP_MINUTES}}}}
        finish(self.dagster, self.dagster.launch(MAINTENANCE, config))

    def ask_iceberg(self) -> DailyTotals:
        """Read the daily totals through the catalog."""
        return self.lakehouse.daily_totals()

    def ask_cube(self) -> DailyTotals:
        """Read the daily totals as a dashboard does."""
        return self.cube.current_daily_totals()

    def ask_dagster(self) -> None:
        """List the pipeline's runs of the last minutes, as the UI does."""
        self.dagster.runs(PIPELINE, created_after=time.time() - 600)

    def ask_duckdb(self) -> DailyTotals:
        """Add up silver's files in DuckDB, past the catalog but for their names."""
        files = [file.path for file in self.lakehouse.data_files(SILVER)]
        return self.storage.daily_totals(files, of_orders=True)


def operations(platform: Platform, batches: Batches, settings: SoakSettings) -> list[Operation]:
    """Return all that a soak does, at its rates."""
    each = settings.queries_per_minute / _QUERY_OPERATIONS
    apart = 60 / settings.queries_per_minute

    def query(number: int, name: str, do: Callable[[], object]) -> Operation:
        return Operation(name, each, do, first_after_seconds=number * apart)

    return [
        Operation(
            "pipeline",
            settings.pipelines_per_minute,
            lambda: platform.replace_a_batch(batches),
            side_by_side=settings.rules.parts,
        ),
        Operation(
            "maintenance",
            1 / settings.maintenance_minutes,
            platform.keep_up,
            side_by_side=1,
            first_after_seconds=30,
        ),
        query(0, "dagster_runs", platform.ask_dagster),
        query(1, "iceberg_daily_totals", platform.ask_iceberg),
        query(2, "cube_daily_totals", platform.ask_cube),
        query(3, "duckdb_daily_totals", platform.ask_duckdb),
    ]
