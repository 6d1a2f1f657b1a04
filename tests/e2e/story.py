"""The runs that most tests look at, one chapter after the other, while other tests go on.

Each chapter needs the tables as the one before left them, so they cannot be launched in one row as
runs that only queue can. They are told in a thread of their own; a test waits for its chapter.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from platform_suite.lakehouse import SILVER
from platform_suite.order_rules import totals_by_day

from .batches import (
    BESIDE,
    DUCKDB_RULES,
    EVOLVED,
    FIRST,
    MAIN,
    ON_DUCKDB,
    PIPELINE,
    TABLES,
    TOO_DEAR,
    highest_amount_cents,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from platform_suite.cube_api import CubeApi
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.object_storage import ObjectStorage
    from platform_suite.order_rules import DailyTotals, Order
    from platform_suite.run_watch import FinishedRun, RunWatch

    T = TypeVar("T")

NEW_COLUMN = "channel"
_ORDERS = ("bronze.orders", SILVER)


@dataclass(frozen=True)
class TwoAtOnce:
    """Two pipelines side by side, FIRST and BESIDE.

    Attributes:
        first: The run with FIRST.
        beside: The run with BESIDE.
        silver: The cleaned orders of each batch when both were over, by the batch's name.
        gold: The daily totals then.
        gold_of_silver: What all cleaned orders added up to then.
    """

    first: FinishedRun
    beside: FinishedRun
    silver: Mapping[str, list[Order]]
    gold: DailyTotals
    gold_of_silver: DailyTotals


@dataclass(frozen=True)
class Replacement:
    """MAIN on top of FIRST: the same batch with other orders.

    Attributes:
        run: The run with MAIN.
        snapshots_before: The current snapshot of each table before it.
    """

    run: FinishedRun
    snapshots_before: Mapping[str, int]


@dataclass(frozen=True)
class Failure:
    """TOO_DEAR with a limit below its dearest order.

    Attributes:
        run: The run, which fails in the middle.
        limit_cents: The limit.
        snapshots_before: The current snapshot of each table before it.
        snapshots_after: The same after it.
        gold_before: The daily totals before it.
        served_after: The daily totals that Cube tells after it; before, it told those of gold.
        new_files: Data files of the silver table that are in object storage since.
    """

    run: FinishedRun
    limit_cents: int
    snapshots_before: Mapping[str, int]
    snapshots_after: Mapping[str, int]
    gold_before: DailyTotals
    served_after: DailyTotals
    new_files: frozenset[str]


@dataclass(frozen=True)
class Evolution:
    """A new column in the orders' tables, and EVOLVED after it; beside it, two runs on DuckDB.

    Attributes:
        snapshot_before: The silver table's snapshot before it had the column.
        run: The run with EVOLVED.
        on_duckdb: The two runs of the pipeline on DuckDB, launched back to back.
    """

    snapshot_before: int
    run: FinishedRun
    on_duckdb: tuple[FinishedRun, FinishedRun]


class Story:
    """Tells the chapters, in order, from the moment that it starts.

    Args:
        dagster: Where runs are launched, over a connection of the story's own.
        runs: The watch on them.
        lakehouse: The tables, likewise.
        storage: The files of the tables.
        cube: Cube.
    """

    def __init__(
        self,
        dagster: DagsterApi,
        *,
        runs: RunWatch,
        lakehouse: Lakehouse,
        storage: ObjectStorage,
        cube: CubeApi,
    ) -> None:
        self._dagster = dagster
        self._runs = runs
        self._cube = cube
        self._lakehouse = lakehouse
        self._storage = storage
        self._stopped = threading.Event()
        self.two_at_once = Future[TwoAtOnce]()
        self.replacement = Future[Replacement]()
        self.failure = Future[Failure]()
        self.evolution = Future[Evolution]()

    def start(self) -> None:
        """Begin; the thread ends with the process, whatever it waits for then."""
        threading.Thread(target=self._tell, name="story", daemon=True).start()

    def stop(self) -> None:
        """Begin no further chapter."""
        self._stopped.set()

    def _tell(self) -> None:
        # A chapter that breaks is an error of the tests that look at it. The next is told all the
        # same: what it finds says more than that there was something wrong before.
        self._chapter(self.two_at_once, self._send_two_at_once)
        self._chapter(self.replacement, self._send_main_again)
        self._chapter(self.failure, self._send_too_dear)
        self._chapter(self.evolution, self._send_after_a_new_column)

    def _chapter(self, told: Future[T], tell: Callable[[], T]) -> None:
        if self._stopped.is_set():
            told.cancel()
            return
        try:
            told.set_result(tell())
        except BaseException as error:  # noqa: BLE001 - raised again by every test that asks for it
            told.set_exception(error)

    def _send_two_at_once(self) -> TwoAtOnce:
        for table in _ORDERS:
            # Left by an earlier session in the same namespace; otherwise there is no table yet.
            self._lakehouse.drop_column(table, NEW_COLUMN)
        run_ids = [self._dagster.launch(PIPELINE, batch.run_config()) for batch in (FIRST, BESIDE)]
        first, beside = (self._runs.finish(run_id) for run_id in run_ids)
        return TwoAtOnce(
            first=first,
            beside=beside,
            silver={
                batch.name: self._lakehouse.orders(SILVER, batch=batch.name)
                for batch in (FIRST, BESIDE)
            },
            gold=self._lakehouse.daily_totals(),
            gold_of_silver=totals_by_day(self._lakehouse.orders(SILVER)),
        )

    def _send_main_again(self) -> Replacement:
        before = self._snapshots()
        run = self._runs.finish(self._dagster.launch(PIPELINE, MAIN.run_config()))
        return Replacement(run, before)

    def _send_too_dear(self) -> Failure:
        limit_cents = highest_amount_cents(TOO_DEAR.rules.cleaned_orders()) - 1
        before, gold, files = self._snapshots(), self._lakehouse.daily_totals(), self._files()
        self._cube.wait_for_daily_totals(gold)
        config = TOO_DEAR.run_config(highest_amount_cents=limit_cents)
        run = self._runs.finish(self._dagster.launch(PIPELINE, config))
        return Failure(
            run=run,
            limit_cents=limit_cents,
            snapshots_before=before,
            snapshots_after=self._snapshots(),
            gold_before=gold,
            served_after=self._cube.current_daily_totals(),
            new_files=self._files() - files,
        )

    def _send_after_a_new_column(self) -> Evolution:
        before = self._lakehouse.snapshot(SILVER)
        for table in _ORDERS:
            self._lakehouse.add_column(table, NEW_COLUMN)
        evolved = self._dagster.launch(PIPELINE, EVOLVED.run_config())
        earlier, later = (self._dagster.launch(ON_DUCKDB, DUCKDB_RULES.run_config()) for _ in "12")
        run = self._runs.finish(evolved)
        return Evolution(before, run, (self._runs.finish(earlier), self._runs.finish(later)))

    def _snapshots(self) -> dict[str, int]:
        return {table: self._lakehouse.snapshot(table) for table in TABLES}

    def _files(self) -> frozenset[str]:
        """List the Parquet files below the silver table, read by anybody or not."""
        found = self._storage.sizes(self._lakehouse.location(SILVER))
        return frozenset(path for path in found if path.endswith(".parquet"))
