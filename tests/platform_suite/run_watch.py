"""Runs that are over, with what they reported, and the waiting for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .dagster_api import FINISHED
from .deadline import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .dagster_answers import Event, Run
    from .dagster_api import DagsterApi


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
