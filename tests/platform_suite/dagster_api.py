"""A thin typed client of Dagster's GraphQL API: what the suite asks of a running Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
import yaml

from .dagster_answers import Daemon, Event, Location, Refused, Run, Tick, event_of, run_of, unwrap
from .deadline import NotYet, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOCATION = "floe"
# What Dagster calls the one repository that a code location's Definitions make.
REPOSITORY = "__repository__"
FINISHED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})

_SELECTOR = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY}
_RUN = "runId jobName status creationTime startTime endTime tags { key value }"
_METADATA = """metadataEntries {
  label
  ... on IntMetadataEntry { intRepr }
  ... on FloatMetadataEntry { floatValue }
  ... on BoolMetadataEntry { boolValue }
  ... on TextMetadataEntry { text }
  ... on JsonMetadataEntry { jsonString }
}"""
_ERROR = "error { message className causes { message className } }"
_EVENTS = f"""query Events($run: ID!, $cursor: String) {{
  runOrError(runId: $run) {{
    __typename
    ... on Error {{ message }}
    ... on Run {{
      eventConnection(afterCursor: $cursor) {{
        cursor
        hasMore
        events {{
          __typename
          ... on MessageEvent {{ message stepKey timestamp }}
          ... on MaterializationEvent {{ assetKey {{ path }} {_METADATA} }}
          ... on ObservationEvent {{ assetKey {{ path }} {_METADATA} }}
          ... on AssetCheckEvaluationEvent {{
            evaluation {{ checkName success severity assetKey {{ path }} {_METADATA} }}
          }}
          ... on ExecutionStepOutputEvent {{ {_METADATA} }}
          ... on ExecutionStepFailureEvent {{
            {_ERROR}
            failureMetadata {{ description {_METADATA} }}
          }}
          ... on RunFailureEvent {{ {_ERROR} }}
        }}
      }}
    }}
  }}
}}"""


class Unreachable(NotYet):
    """No usable answer over HTTP; inside a wait that is one more state to wait out."""


class DagsterApi:
    """The GraphQL API of one webserver, for its code location `floe`.

    Args:
        base_url: Where the webserver answers, `http://HOST:PORT`.
        timeout_seconds: The longest one HTTP exchange may take. A webserver whose code location
            was replaced finds the new one only after its old connection has timed out.
    """

    def __init__(self, base_url: str, *, timeout_seconds: float = 45) -> None:
        self.base_url = base_url
        self._timeout_seconds = timeout_seconds
        self._session = requests.Session()
        # A proxy of the machine has no business between two pods.
        self._session.trust_env = False

    def close(self) -> None:
        """Return the connections back."""
        self._session.close()

    def get(self, path: str) -> requests.Response:
        """Ask for a path of the webserver.

        Raises:
            Unreachable: Nothing answered in time.
        """
        try:
            return self._session.get(self.base_url + path, timeout=self._timeout_seconds)
        except requests.RequestException as error:
            raise Unreachable(str(error)) from error

    def query(self, document: str, **variables: object) -> dict[str, Any]:
        """Ask a GraphQL question.

        Returns:
            The `data` of the answer.

        Raises:
            Unreachable: Nothing answered in time, or a gateway answered in its place.
            Refused: The document or its variables are not what Dagster understands.
        """
        body = {"query": document, "variables": variables}
        try:
            response = self._session.post(
                f"{self.base_url}/graphql", json=body, timeout=self._timeout_seconds
            )
        except requests.RequestException as error:
            raise Unreachable(str(error)) from error
        try:
            answer: dict[str, Any] = response.json()
        except requests.JSONDecodeError as error:
            # Dagster answers in JSON. While the Service still names a pod that is gone, its address
            # is whosever the network takes it for.
            raise Unreachable(f"HTTP {response.status_code}, and no JSON") from error
        if answer.get("errors"):
            raise Refused("GraphQLError", str(answer["errors"]))
        return answer["data"]

    def location(self) -> Location:
        """Describe the code location.

        Raises:
            NotYet: It is not loaded; the text has Dagster's reason.
        """
        data = self.query("""{ workspaceOrError {
          __typename
          ... on Error { message }
          ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
            __typename
            ... on Error { message }
            ... on RepositoryLocation { repositories {
              jobs { name } schedules { name } assetNodes { assetKey { path } }
            } }
          } } }
        } }""")
        entries = unwrap(data["workspaceOrError"], "Workspace")["locationEntries"]
        entry = next((entry for entry in entries if entry["name"] == LOCATION), None)
        if entry is None:
            raise NotYet(f"no location {LOCATION!r} among {[entry['name'] for entry in entries]}")
        loaded = entry["locationOrLoadError"]
        if entry["loadStatus"] != "LOADED" or loaded is None:
            raise NotYet(f"location {LOCATION!r} is {entry['loadStatus']}")
        if loaded["__typename"] != "RepositoryLocation":
            raise NotYet(f"location {LOCATION!r} does not load: {loaded['message']}")
        (repository,) = loaded["repositories"]
        return Location(
            jobs=frozenset(job["name"] for job in repository["jobs"]),
            schedules=frozenset(schedule["name"] for schedule in repository["schedules"]),
            assets=frozenset("/".join(n["assetKey"]["path"]) for n in repository["assetNodes"]),
        )

    def reload_location(self) -> None:
        """Have the webserver ask the code location anew, over its own connection.

        Raises:
            NotYet: The webserver does not reach it, or it does not load.
        """
        data = self.query(
            """mutation Reload($location: String!) {
              reloadRepositoryLocation(repositoryLocationName: $location) {
                __typename
                ... on Error { message }
                ... on WorkspaceLocationEntry { locationOrLoadError {
                  __typename
                  ... on Error { message }
                } }
              }
            }""",
            location=LOCATION,
        )
        entry = unwrap(data["reloadRepositoryLocation"], "WorkspaceLocationEntry")
        loaded = entry["locationOrLoadError"]
        if loaded["__typename"] != "RepositoryLocation":
            raise NotYet(f"location {LOCATION!r} does not load: {loaded['message']}")

    def launch(
        self,
        job: str,
        config: Mapping[str, object] | None = None,
        *,
        assets: Sequence[str] | None = None,
        checks: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Launch a run of a job.

        Args:
            job: The job's name.
            config: Its run config; None for the defaults.
            assets: Which of its assets alone; None for the whole job.
            checks: Which asset checks go with these assets, as (asset, check).

        Returns:
            The id of the run, which waits in the queue.

        Raises:
            Refused: Dagster launches no such run; `kind` says why.
        """
        selector: dict[str, object] = {**_SELECTOR, "jobName": job}
        if assets is not None:
            selector["assetSelection"] = [{"path": [asset]} for asset in assets]
            selector["assetCheckSelection"] = [
                {"assetKey": {"path": [asset]}, "name": check} for asset, check in checks
            ]
        data = self.query(
            """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
              __typename
              ... on LaunchRunSuccess { run { runId } }
              ... on RunConfigValidationInvalid { errors { message } }
              ... on Error { message }
            } }""",
            params={"selector": selector, "runConfigData": dict(config or {})},
        )
        return unwrap(data["launchRun"], "LaunchRunSuccess")["run"]["runId"]

    def run(self, run_id: str) -> Run:
        """Read a run.

        Raises:
            Refused: There is no such run.
        """
        data = self.query(
            f"""query Run($run: ID!) {{ runOrError(runId: $run) {{
              __typename
              ... on Error {{ message }}
              ... on Run {{ {_RUN} }}
            }} }}""",
            run=run_id,
        )
        return run_of(unwrap(data["runOrError"], "Run"))

    def runs(self, job: str, *, created_after: float) -> tuple[Run, ...]:
        """List the runs of a job that were created after a time in seconds since the epoch."""
        data = self.query(
            f"""query Runs($filter: RunsFilter!) {{ runsOrError(filter: $filter) {{
              __typename
              ... on Error {{ message }}
              ... on Runs {{ results {{ {_RUN} }} }}
            }} }}""",
            filter={"pipelineName": job, "createdAfter": created_after},
        )
        return tuple(run_of(run) for run in unwrap(data["runsOrError"], "Runs")["results"])

    def wait_for_run(
        self,
        run_id: str,
        *,
        deadline_seconds: float,
        until: frozenset[str] = FINISHED,
        pause_seconds: float = 0.25,
    ) -> Run:
        """Wait until a run has one of the given states; any end of it ends the wait as well."""

        def probe() -> Run:
            run = self.run(run_id)
            if run.status not in until | FINISHED:
                raise NotYet(f"{run.job} is {run.status}")
            return run

        what = f"run {run_id} {'/'.join(sorted(until))}"
        return wait_for(
            probe, what=what, deadline_seconds=deadline_seconds, pause_seconds=pause_seconds
        )

    def events(self, run_id: str) -> tuple[Event, ...]:
        """Read all events of a run, in order."""
        events: list[Event] = []
        cursor: str | None = None
        while True:
            data = self.query(_EVENTS, run=run_id, cursor=cursor)
            page = unwrap(data["runOrError"], "Run")["eventConnection"]
            events += [event_of(event) for event in page["events"]]
            if not page["hasMore"]:
                return tuple(events)
            cursor = page["cursor"]

    def step_seconds(self, run_id: str) -> dict[str, float]:
        """Read how long each step of a run took that has ended, in seconds, by its key."""
        data = self.query(
            """query Steps($run: ID!) { runOrError(runId: $run) {
              __typename
              ... on Error { message }
              ... on Run { stepStats { stepKey startTime endTime } }
            } }""",
            run=run_id,
        )
        return {
            step["stepKey"]: step["endTime"] - step["startTime"]
            for step in unwrap(data["runOrError"], "Run")["stepStats"]
            if step["startTime"] and step["endTime"]
        }

    def terminate(self, run_id: str) -> None:
        """Ask for the end of a run.

        Raises:
            Refused: It cannot be ended; the text has Dagster's reason.
        """
        data = self.query(
            """mutation Terminate($run: String!) { terminateRun(runId: $run) {
              __typename
              ... on TerminateRunFailure { message }
              ... on Error { message }
            } }""",
            run=run_id,
        )
        unwrap(data["terminateRun"], "TerminateRunSuccess")

    def daemons(self) -> tuple[Daemon, ...]:
        """Read the health of every daemon this deployment knows."""
        data = self.query("""{ instance { daemonHealth { allDaemonStatuses {
          daemonType required healthy lastHeartbeatTime lastHeartbeatErrors { message }
        } } } }""")
        return tuple(
            Daemon(
                kind=status["daemonType"],
                is_required=status["required"],
                is_healthy=bool(status["healthy"]),
                heartbeat_at=status["lastHeartbeatTime"],
                errors=tuple(error["message"] for error in status["lastHeartbeatErrors"]),
            )
            for status in data["instance"]["daemonHealth"]["allDaemonStatuses"]
        )

    def max_concurrent_runs(self) -> int:
        """Read how many runs the queue lets execute at once."""
        data = self.query("{ instance { runQueueConfig { maxConcurrentRuns } } }")
        return data["instance"]["runQueueConfig"]["maxConcurrentRuns"]

    def settings(self) -> dict[str, Any]:
        """Read the instance's settings, as in its dagster.yaml with all defaults filled in."""
        data = self.query("{ instance { info } }")
        return yaml.safe_load(data["instance"]["info"])

    def schedule_is_running(self, schedule: str) -> bool:
        """Whether a schedule is turned on."""
        return self._schedule_state(schedule)["status"] == "RUNNING"

    def start_schedule(self, schedule: str) -> None:
        """Turn a schedule on.

        Raises:
            Refused: Dagster does not; the text has its reason.
        """
        data = self.query(
            """mutation Start($schedule: ScheduleSelector!) {
              startSchedule(scheduleSelector: $schedule) {
                __typename
                ... on Error { message }
              }
            }""",
            schedule={**_SELECTOR, "scheduleName": schedule},
        )
        unwrap(data["startSchedule"], "ScheduleStateResult")

    def stop_schedule(self, schedule: str) -> None:
        """Turn a schedule off.

        Raises:
            Refused: Dagster does not; the text has its reason.
        """
        data = self.query(
            """mutation Stop($id: String!) { stopRunningSchedule(id: $id) {
              __typename
              ... on Error { message }
            } }""",
            id=self._schedule_state(schedule)["id"],
        )
        unwrap(data["stopRunningSchedule"], "ScheduleStateResult")

    def ticks(self, schedule: str) -> tuple[Tick, ...]:
        """Read the latest ticks of a schedule, the newest first."""
        return tuple(
            Tick(
                status=tick["status"],
                due_at=tick["timestamp"],
                run_ids=tuple(tick["runIds"]),
                error=tick["error"]["message"] if tick["error"] else None,
            )
            for tick in self._schedule_state(schedule)["ticks"]
        )

    def _schedule_state(self, schedule: str) -> dict[str, Any]:
        data = self.query(
            """query Schedule($schedule: ScheduleSelector!) {
              scheduleOrError(scheduleSelector: $schedule) {
                __typename
                ... on Error { message }
                ... on Schedule { scheduleState {
                  id status ticks(limit: 10) { status timestamp runIds error { message } }
                } }
              }
            }""",
            schedule={**_SELECTOR, "scheduleName": schedule},
        )
        return unwrap(data["scheduleOrError"], "Schedule")["scheduleState"]
