"""Runs as processes of the code location's pod, where one that vanished is noticed.

Dagster's DefaultRunLauncher starts a run in the code server and never asks about it again. When
that pod is deleted, its runs stay STARTED for good, and with one run at a time nothing leaves the
queue any more. The code server knows its runs, so run monitoring can ask it.
"""

import json

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._serdes import deserialize_value

_REQUEST_TIMEOUT_SECONDS = 5


class SupervisedRunLauncher(DefaultRunLauncher):
    """Launches runs in the code server, and tells run monitoring when the server lost one."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: the code server is asked."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Ask the code server whether it still executes a run.

        Args:
            run: A run that the history says is started.

        Returns:
            FAILED when the server answers and does not know the run, RUNNING otherwise. A server
            that does not answer may be busy; runs.maxRuntimeSeconds bounds that.
        """
        address = run.tags.get(GRPC_INFO_TAG)
        if address is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "launched a moment ago")
        try:
            known = _knows(json.loads(address), run.run_id)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server does not answer")
        if known:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            "the code server does not execute this run: its process ended, or its pod was replaced",
        )


def _knows(address: dict[str, object], run_id: str) -> bool:
    # The client and its types bring gRPC along, which the launcher's other users do not need.
    from dagster._grpc.client import DagsterGrpcClient
    from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult

    client = DagsterGrpcClient(
        host=str(address["host"]), port=int(str(address["port"])), use_ssl=False
    )
    answer = client.can_cancel_execution(
        CanCancelExecutionRequest(run_id=run_id), timeout=_REQUEST_TIMEOUT_SECONDS
    )
    # A run can be cancelled exactly while it is executed.
    return deserialize_value(answer, CanCancelExecutionResult).can_cancel
