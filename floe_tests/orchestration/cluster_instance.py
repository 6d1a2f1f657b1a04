"""Dagster where its runs are pods: a run is ended by what the database says of it.

Dagster's own way is that whoever is asked to terminate a run deletes its Kubernetes Job. That would
be the webserver, which asks nobody who they are, with a right to delete Jobs. Here a cancellation
is written down, and each run has a thread that reads it and interrupts its own process.

Both classes are named in the dagster.yaml of charts/floe-tests.
"""

from __future__ import annotations

import threading
import time
from functools import partial

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError

from floe_tests.core.deadline import Deadline

__all__ = ["ClusterInstance", "ClusterRunCoordinator"]

# Name of the thread, in dagster._core.execution.run_cancellation_thread.
_WATCHER = "kill-on-cancel"
# A Postgres that restarts is away for seconds, one that moves to another node for a minute.
_AWAY_SECONDS = 300.0
_AGAIN_SECONDS = 2.0


class ClusterInstance(dg.DagsterInstance):
    """An instance whose runs watch for their own cancellation."""

    @classmethod
    def config_schema(cls) -> dict[str, dg.Field]:
        """Return the settings that it has beyond those of every instance: none."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> dict[str, ConfigurableClassData | None]:
        """Return what holds where dagster.yaml is silent: what holds for every instance.

        Args:
            base_dir: DAGSTER_HOME.
        """
        return dict(InstanceRef.config_defaults(base_dir))

    @property
    def should_start_background_run_thread(self) -> bool:
        """Yes: each run has the thread."""
        return True

    def optimize_for_webserver(
        self, statement_timeout: int, pool_recycle: int, max_overflow: int
    ) -> None:
        """Keep connections for the webserver, and try each before a request gets it.

        Without that the first launch after a restart of Postgres fails on a connection to the
        server that is gone.

        Args:
            statement_timeout: Milliseconds that a statement may take.
            pool_recycle: Seconds that a connection is kept.
            max_overflow: How many connections there may be beside the one that is kept.
        """
        super().optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)
        for storage in (self._run_storage, self._event_storage, self._schedule_storage):
            # Postgres' storages have one, and take no argument for this.
            engine: object = getattr(storage, "_engine", None)
            if isinstance(engine, Engine):
                event.listen(engine, "checkout", partial(_try_connection, engine.dialect))

    def get_run_by_id(self, run_id: str) -> dg.DagsterRun | None:
        """Return a run; the thread that watches a run waits for a database that is away.

        It would die of the first failure, and the run then never hear of its cancellation.

        Args:
            run_id: The run.
        """
        if threading.current_thread().name != _WATCHER:
            return super().get_run_by_id(run_id)
        away = Deadline(_AWAY_SECONDS)
        while True:
            try:
                return super().get_run_by_id(run_id)
            except Exception:
                if away.passed:
                    raise
                time.sleep(_AGAIN_SECONDS)


def _try_connection(
    dialect: Dialect, connection: DBAPIConnection, record: object, proxy: object
) -> None:
    """Have the pool make another connection where this one is dead.

    Source: https://docs.sqlalchemy.org/en/20/core/pooling.html#custom-legacy-pessimistic-ping
    """
    del record, proxy
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError from error


class ClusterRunCoordinator(QueuedRunCoordinator):
    """Queues runs, and cancels one by writing it down."""

    def cancel_run(self, run_id: str) -> bool:
        """Take a run out of the queue, or ask it to end.

        Args:
            run_id: The run.

        Returns:
            False when there is no such run, or it is over.
        """
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if run.status is dg.DagsterRunStatus.QUEUED:
            return super().cancel_run(run_id)
        if run.status is not dg.DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        return True
