"""What must be the same before and after a pod is taken away: tables, dashboard, history."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_suite.dagster_answers import Refused
from platform_suite.deadline import NotYet, wait_for
from platform_suite.run_watch import FinishedRun

from .batches import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from platform_suite.cube_api import CubeApi
    from platform_suite.dagster_api import DagsterApi
    from platform_suite.lakehouse import Lakehouse
    from platform_suite.order_rules import DailyTotals


@dataclass(frozen=True)
class Seen:
    """The platform's state, as far as somebody who uses it can tell.

    Attributes:
        snapshots: The current snapshot of each table.
        gold: The daily totals in the lakehouse.
        served: The daily totals that Cube tells.
        history: A run that is over, with every event.
    """

    snapshots: Mapping[str, int]
    gold: DailyTotals
    served: DailyTotals
    history: FinishedRun


class Witness:
    """Looks at the whole platform.

    Args:
        dagster: The webserver.
        lakehouse: The catalog, and the tables behind it.
        cube: Cube.
        run_id: The run whose history is looked at.
    """

    def __init__(
        self, dagster: DagsterApi, lakehouse: Lakehouse, cube: CubeApi, *, run_id: str
    ) -> None:
        self._dagster = dagster
        self._lakehouse = lakehouse
        self._cube = cube
        self._run_id = run_id

    def look(self, *, deadline: float) -> Seen:
        """Look until everything answers.

        Args:
            deadline: Until when, on the monotonic clock.

        Raises:
            DeadlineExceeded: Something did not; the text says what.
        """
        return wait_for(
            self._seen,
            what="an answer of every part of the platform",
            deadline_seconds=deadline - time.monotonic(),
        )

    def _seen(self) -> Seen:
        try:
            # The webserver without its code location shows history, and launches nothing.
            self._dagster.location()
            history = FinishedRun(
                self._dagster.run(self._run_id), self._dagster.events(self._run_id)
            )
        except Refused as error:
            raise NotYet(f"Dagster: {error}") from error
        return Seen(
            snapshots={table: self._lakehouse.snapshot(table) for table in TABLES},
            gold=self._lakehouse.daily_totals(),
            served=self._cube.daily_totals(),
            history=history,
        )
