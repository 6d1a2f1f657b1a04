"""`dagster dev` as a team has it: webserver, daemon and code location, spoken to as the UI does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from floe_tests.core.deadline import Deadline
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord

from .dagster_job import Place

LAUNCH = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
# What the UI's own button sends.
_TERMINATE = """
mutation($runIds: [String!]!, $policy: TerminateRunPolicy) {
  terminateRuns(runIds: $runIds, terminatePolicy: $policy) {
    __typename
    ... on TerminateRunsResult {
      terminateRunResults {
        __typename
        ... on TerminateRunFailure { message }
        ... on PythonError { message }
      }
    }
  }
}
"""
LOG = """
query($runId: ID!) {
  logsForRun(runId: $runId, limit: 1000) {
    ... on EventConnection { events { ... on MessageEvent { message } } }
  }
}
"""
_STATUS = "query($runId: ID!) { runOrError(runId: $runId) { ... on Run { status } } }"
_READY = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
START_SENSOR = """
mutation($selector: SensorSelector!) {
  startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
}
"""
TICKS = """
query($selector: SensorSelector!) {
  sensorOrError(sensorSelector: $selector) {
    ... on Sensor { sensorState { ticks(limit: 20) { status skipReason error { message } } } }
  }
}
"""


class DagsterUi:
    """A running `dagster dev`; as a context manager it does not outlive its test."""

    def __init__(
        self, module: str, *, directory: Path, place: Place, environment: Mapping[str, str]
    ) -> None:
        """Start it.

        Args:
            module: The module with the definitions.
            directory: The project's folder.
            place: Where its state goes.
            environment: Further variables.
        """
        self.place = place
        self._module = module
        self._log = (place.home / "dagster-dev.log").open("w+")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}/graphql"
        command = [sys.executable, "-m", "dagster", "dev", "-m", module, "-h", "127.0.0.1"]
        # A shell starts its background jobs with SIGINT ignored, and Dagster stops `dev` with it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._process = subprocess.Popen(
                [*command, "-p", str(port)],
                cwd=directory,
                env={
                    **os.environ,
                    "DAGSTER_HOME": str(place.home),
                    "FLOE_TESTS_OUTPUT": str(place.output),
                    "PYTHONPATH": str(directory),
                    **environment,
                },
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            signal.signal(signal.SIGINT, before)

    def __enter__(self) -> Self:
        try:
            self._wait("the code location is loaded", self._is_loaded, timeout_seconds=90)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.seek(0)
        print(self._log.read())  # noqa: T201 - pytest shows it when the test fails
        self._log.close()

    def launch(self, job: str, *, tags: Mapping[str, str] | None = None) -> str:
        """Launch a job as the launchpad does, and give the run's id."""
        params = {
            "selector": {**self._repository, "jobName": job},
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {
                "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]
            },
        }
        answer = self._ask(LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def terminate(self, run_id: str, *, policy: str) -> None:
        """Terminate a run as the UI's button does."""
        answer = self._ask(_TERMINATE, runIds=[run_id], policy=policy)["terminateRuns"]
        kinds = [result["__typename"] for result in answer["terminateRunResults"]]
        assert kinds == ["TerminateRunSuccess"], answer

    def start_sensor(self, name: str) -> None:
        """Turn a sensor on as its switch does."""
        answer = self._ask(START_SENSOR, selector={**self._repository, "sensorName": name})
        assert answer["startSensor"]["__typename"] == "Sensor", answer

    def skip_reasons(self, sensor: str) -> list[str]:
        """Why a sensor's ticks launched nothing, newest first."""
        answer = self._ask(TICKS, selector={**self._repository, "sensorName": sensor})
        ticks = answer["sensorOrError"]["sensorState"]["ticks"]
        assert [tick["error"] for tick in ticks if tick["error"]] == []
        return [str(tick["skipReason"]) for tick in ticks if tick["skipReason"]]

    def wait_for_status(self, run_id: str, *statuses: str, timeout_seconds: float) -> str:
        """Wait until a run has one of these statuses."""
        self._wait(
            f"run {run_id} is {' or '.join(statuses)}",
            lambda: self._status(run_id) in statuses,
            timeout_seconds=timeout_seconds,
        )
        return self._status(run_id)

    def wait_for_log(self, run_id: str, text: str, *, timeout_seconds: float) -> None:
        """Wait until a run's log says something."""
        self._wait(
            f"run {run_id} says {text!r}",
            lambda: any(text in line for line in self.said(run_id)),
            timeout_seconds=timeout_seconds,
        )

    def remembered(self, run_id: str) -> RunRecord:
        """What the history has of a run."""
        with History.open(f"sqlite:///{self.place.home / 'floe_tests.db'}") as history:
            record = history.run(run_id=run_id)
        assert record is not None, "the history does not know the run"
        return record

    @property
    def _repository(self) -> dict[str, str]:
        return {"repositoryLocationName": self._module, "repositoryName": "__repository__"}

    def _status(self, run_id: str) -> str:
        return str(self._ask(_STATUS, runId=run_id)["runOrError"]["status"])

    def said(self, run_id: str) -> list[str]:
        """The newest lines of a run's log."""
        events = self._ask(LOG, runId=run_id)["logsForRun"]["events"]
        return [str(event.get("message", "")) for event in events]

    def _is_loaded(self) -> bool:
        try:
            found = self._ask(_READY)["repositoriesOrError"].get("nodes")
        except (urllib.error.URLError, ConnectionError):
            return False
        return bool(found)

    def _wait(self, what: str, happened: Callable[[], bool], *, timeout_seconds: float) -> None:
        deadline = Deadline(timeout_seconds)
        while not happened():
            assert self._process.poll() is None, "dagster dev has ended"
            assert not deadline.passed, f"waited {timeout_seconds:g} s: {what}"
            time.sleep(0.2)

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310 - an address of this test
            self._address, data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            found = json.load(answer)
        assert "errors" not in found, found
        return found["data"]
