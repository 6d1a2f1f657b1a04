"""The runs that most tests look at: launched once, in one row, while other tests go on.

The platform runs one at a time, in the order of launching. Launched back to back, nothing comes
between a pipeline and the `describe_tables` that reads what it wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .dagster_api import FINISHED
from .deadline import DeadlineExceeded
from .order_rules import OrderRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .dagster_answers import Event, Run
    from .dagster_api import DagsterApi

PIPELINE = "orders_pipeline"
CHECK = ("daily_totals", "totals_match_orders")
# Not the defaults: that configuration arrives is part of what is tested.
MAIN_RULES = OrderRules(rows=480, seed=11, dirty_every=7)
FIRST_RULES = OrderRules(rows=90, seed=3, dirty_every=4)

GOOD_CSV = """order_id,customer,day,amount
1,ada,2026-03-01,12.50
2,grace,2026-03-01,0.99
3,edsger,2026-03-02,7
"""
GOOD_ROWS = 3
GOOD_CENTS = 1250 + 99 + 700
BAD_CSV = """order_id,customer,day,amount
1,ada,2026-03-01,12.50
2,grace,2026-03-01,abc
3,,2026-02-30,7
"""


@dataclass(frozen=True)
class FinishedRun:
    """A run that is over, with everything it reported."""

    run: Run
    events: tuple[Event, ...]

    def about(self, kind: str) -> dict[str, Event]:
        """Return the events of one kind by what they are about."""
        return {
            event.subject: event for event in self.events if event.kind == kind and event.subject
        }

    def tables(self) -> dict[str, Mapping[str, int]]:
        """Return what a run of `describe_tables` saw: each table's rows and sums."""
        observed = self.about("ObservationEvent")
        return {name: event.metadata for name, event in observed.items()}

    def reasons(self) -> tuple[str, ...]:
        """Return why its steps failed, the outermost reason of each."""
        failures = (event for event in self.events if event.kind == "ExecutionStepFailureEvent")
        return tuple(event.reasons[0] for event in failures if event.reasons)


@dataclass(frozen=True)
class LaunchedRuns:
    """The ids of the runs, in the order in which they were launched.

    Attributes:
        good_import: A CSV text that is right.
        bad_import: A CSV text with three mistakes.
        first_pipeline: The pipeline with FIRST_RULES.
        orders_alone: New orders by MAIN_RULES, with the daily totals left as they were.
        stale_check: The check alone, on totals that no longer match.
        pipeline: The pipeline with MAIN_RULES.
        tables: What lies in DuckDB after all of these.
    """

    good_import: str
    bad_import: str
    first_pipeline: str
    orders_alone: str
    stale_check: str
    pipeline: str
    tables: str


def launch_runs(dagster: DagsterApi) -> LaunchedRuns:
    """Launch them all; the queue holds them."""
    first, main = FIRST_RULES.run_config(), MAIN_RULES.run_config()
    return LaunchedRuns(
        good_import=dagster.launch("import_orders", import_config(GOOD_CSV)),
        bad_import=dagster.launch("import_orders", import_config(BAD_CSV)),
        first_pipeline=dagster.launch(PIPELINE, first),
        orders_alone=dagster.launch(PIPELINE, main, assets=["orders", "orders_cleaned"]),
        stale_check=dagster.launch(PIPELINE, assets=[], checks=[CHECK]),
        pipeline=dagster.launch(PIPELINE, main),
        tables=dagster.launch("describe_tables"),
    )


class RunWatch:
    """Waits for runs, and stops being patient when the queue has stood still once.

    Args:
        dagster: Where the runs are.
        deadline_seconds: How long one run may take, those before it in the queue included.
    """

    def __init__(self, dagster: DagsterApi, *, deadline_seconds: float) -> None:
        self._dagster = dagster
        self._deadline_seconds = deadline_seconds
        self._finished: dict[str, FinishedRun] = {}

    def finish(self, run_id: str) -> FinishedRun:
        """Wait for a run's end, whatever it is, and read what it reported; once for each run.

        Raises:
            DeadlineExceeded: It did not end in time.
        """
        if run_id not in self._finished:
            run = self._wait(run_id, FINISHED)
            self._finished[run_id] = FinishedRun(run, self._dagster.events(run_id))
        return self._finished[run_id]

    def start(self, run_id: str) -> Run:
        """Wait until a run executes, or is over already.

        Raises:
            DeadlineExceeded: It did not start in time.
        """
        return self._wait(run_id, frozenset({"STARTED"}))

    def _wait(self, run_id: str, until: frozenset[str]) -> Run:
        try:
            return self._dagster.wait_for_run(
                run_id, deadline_seconds=self._deadline_seconds, until=until
            )
        except DeadlineExceeded as error:
            # The others stand behind it in the queue: they may tell their state, and not more.
            if self._deadline_seconds == 0:
                error.add_note("Asked once only: an earlier run stood still past its deadline.")
            self._deadline_seconds = 0.0
            raise


def import_config(csv: str) -> dict[str, object]:
    """Return the run config of an import of CSV text."""
    return {"ops": {"import_orders": {"config": {"csv": csv}}}}
