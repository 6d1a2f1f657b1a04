"""The orchestrator on a real cluster, spoken to as its users and as the cluster's owner do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from floe_tests.core.deadline import Deadline
from floe_tests.core.labels import RUN
from floe_tests.kube.client import Kube

from ..dagster_ui import LAUNCH, LOG, START_SENSOR, TICKS  # noqa: TID252 - suites are folders, not packages

NAMESPACE = "floe-tests"
PLATFORM = "floe-staging"
LOCATION = {"repositoryLocationName": "floe-tests", "repositoryName": "__repository__"}

_RUN = """
query($runId: ID!) { runOrError(runId: $runId) { ... on Run { status tags { key value } } } }
"""
_JOBS = """
query($location: RepositorySelector!) {
  repositoryOrError(repositorySelector: $location) { ... on Repository { jobs { name } } }
}
"""
_START_SCHEDULE = """
mutation($selector: ScheduleSelector!) {
  startSchedule(scheduleSelector: $selector) {
    __typename
    ... on ScheduleStateResult { scheduleState { id } }
    ... on PythonError { message }
  }
}
"""
_STOP_SCHEDULE = "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
_TERMINATE = """
mutation($runIds: [String!]!) {
  terminateRuns(runIds: $runIds, terminatePolicy: SAFE_TERMINATE) {
    ... on TerminateRunsResult { terminateRunResults { __typename } }
  }
}
"""
_WRITERS = ("dagster-daemon", "dagster-webserver", "dagster-code")
_OVER = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass(frozen=True)
class Orchestrator:
    """An installed charts/floe-tests.

    Attributes:
        kubeconfig: Path of the cluster's kubeconfig.
        kube: The cluster, as its owner.
        namespace: The release's namespace.
        platform: The namespace of the platform that its tiers run against.
        postgres: Where the Postgres with its databases is; its pod is postgres-0.
    """

    kubeconfig: Path
    kube: Kube
    namespace: str = NAMESPACE
    platform: str = PLATFORM
    postgres: str = NAMESPACE

    # Programs

    def kubectl(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in the release's namespace, unless the words name another."""
        done = self.kubectl_done(*words, stdin=stdin)
        assert not check or done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def kubectl_done(
        self, *words: str, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl and give all that it said."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig)]
        if "--namespace" not in words:
            command += ["--namespace", self.namespace]
        return subprocess.run(
            [*command, *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def apply(self, *manifests: Mapping[str, Any], namespace: str | None = None) -> None:
        """Apply manifests, in the release's namespace or in another."""
        where = ("--namespace", namespace or self.namespace)
        self.kubectl("apply", *where, "-f", "-", stdin=yaml.safe_dump_all(manifests))

    def sql(self, query: str, *, database: str = "history") -> str:
        """Ask the database, as its superuser."""
        psql = ("psql", "--no-psqlrc", "-At", "-U", "postgres", "-d", database, "-c", query)
        return self.kubectl("exec", "postgres-0", "--namespace", self.postgres, "--", *psql)

    # The UI

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """Ask the webserver, through the API server's proxy."""
        service = f"/api/v1/namespaces/{self.namespace}/services/dagster-webserver:http/proxy"
        asked = {"query": query, "variables": variables}
        # The one client here that says that what it sends is JSON; kubectl does not.
        answer: dict[str, Any] = self.kube.request("POST", f"{service}/graphql", body=asked)
        assert "errors" not in answer, answer
        return answer["data"]

    def result(self, path: str) -> str:
        """Read a file of the website of the results."""
        service = f"/api/v1/namespaces/{self.namespace}/services/floe-tests-reports:http/proxy"
        return self.kubectl("get", "--raw", f"{service}/reports/{path}")

    def launch(self, job: str) -> str:
        """Launch a job as the UI's launchpad does, and give the run's id."""
        params = {
            "selector": {**LOCATION, "jobName": job},
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": []},
        }
        answer = self.ask(LAUNCH, params=params)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def wait_for_location(self) -> None:
        """Wait until the webserver knows its jobs: it may have come up before the code location.

        Dagster looks again each minute after it was not there.
        """

        def is_loaded() -> bool:
            return bool(self.ask(_JOBS, location=LOCATION)["repositoryOrError"].get("jobs"))

        self.wait("the code location is loaded", is_loaded, timeout_seconds=90)

    def start_sensor(self, name: str) -> None:
        """Turn a sensor on as its switch does."""
        answer = self.ask(START_SENSOR, selector={**LOCATION, "sensorName": name})
        assert answer["startSensor"]["__typename"] == "Sensor", answer

    def skip_reasons(self, sensor: str) -> list[str]:
        """Why a sensor's ticks launched nothing, newest first."""
        answer = self.ask(TICKS, selector={**LOCATION, "sensorName": sensor})
        ticks = answer["sensorOrError"]["sensorState"]["ticks"]
        assert [tick["error"] for tick in ticks if tick["error"]] == []
        return [str(tick["skipReason"]) for tick in ticks if tick["skipReason"]]

    def start_schedule(self, name: str) -> str:
        """Turn a schedule on as its switch does, and give what it is turned off by."""
        selector = {**LOCATION, "scheduleName": name}
        answer = self.ask(_START_SCHEDULE, selector=selector)["startSchedule"]
        assert answer["__typename"] == "ScheduleStateResult", answer
        return str(answer["scheduleState"]["id"])

    def stop_schedule(self, state: str) -> None:
        """Turn a schedule off as its switch does."""
        answer = self.ask(_STOP_SCHEDULE, id=state)["stopRunningSchedule"]
        assert answer["__typename"] == "ScheduleStateResult", answer

    def tag(self, run_id: str, name: str) -> str | None:
        """Return a tag of a run."""
        run = self.ask(_RUN, runId=run_id)["runOrError"]
        return {tag["key"]: tag["value"] for tag in run["tags"]}.get(name)

    def terminate(self, run_id: str) -> None:
        """Terminate a run as the UI's button does."""
        answer = self.ask(_TERMINATE, runIds=[run_id])["terminateRuns"]
        kinds = [result["__typename"] for result in answer["terminateRunResults"]]
        assert kinds == ["TerminateRunSuccess"], answer

    def status(self, run_id: str) -> str:
        """What Dagster's database says of a run; it answers when the webserver does not."""
        query = f"SELECT status FROM runs WHERE run_id = '{run_id}'"  # noqa: S608 - Dagster's id
        return self.sql(query, database="dagster")

    def log(self, run_id: str) -> list[str]:
        """What a run's log says."""
        events = self.ask(LOG, runId=run_id)["logsForRun"]["events"]
        return [str(event.get("message", "")) for event in events]

    def wait_until_over(self, run_id: str, *, timeout_seconds: float) -> str:
        """Wait until Dagster has a run as ended, and give its status."""
        self.wait(
            f"run {run_id} is over",
            lambda: self.status(run_id) in _OVER,
            timeout_seconds=timeout_seconds,
        )
        return self.status(run_id)

    # The cluster

    def pods(self, selector: str, *, namespace: str | None = None) -> dict[str, dict[str, Any]]:
        """Return pods by name, those that are on their way out left out."""
        found = self.kube.list(
            "Pod", namespace=namespace or self.namespace, label_selector=selector
        )
        return {
            str(pod["metadata"]["name"]): pod
            for pod in found
            if "deletionTimestamp" not in pod["metadata"]
        }

    def run_pod(self, run_id: str) -> str | None:
        """Return the pod of a run that is running; None when there is none."""
        for name, pod in self.pods(f"dagster/run-id={run_id}").items():
            if pod["status"].get("phase") == "Running":
                return name
        return None

    def test_pod(self, run_id: str, *, namespace: str | None = None) -> str | None:
        """Return a run's test pod whose test has begun; None when there is none."""
        namespace = namespace or self.platform
        for name in self.pods(f"{RUN}={run_id}", namespace=namespace):
            began = self.kubectl_done(
                *("exec", name, "--namespace", namespace, "-c", "test-runner"),
                *("--", "test", "-e", "/tmp/began"),  # noqa: S108 - the container's own
            )
            if began.returncode == 0:
                return name
        return None

    def wait_for_test(
        self, run_id: str, *, namespace: str | None = None, timeout_seconds: float = 120
    ) -> str:
        """Wait until a run's test has begun, and give its pod."""
        found: list[str] = []

        def began() -> bool:
            assert self.status(run_id) not in _OVER, self.log(run_id)[-5:]
            pod = self.test_pod(run_id, namespace=namespace)
            found.extend([pod] if pod else [])
            return pod is not None

        self.wait(f"the test of run {run_id} has begun", began, timeout_seconds=timeout_seconds)
        return found[0]

    def let_it_pass(self, pod: str, *, namespace: str | None = None) -> None:
        """Let the waiting test of a pod end."""
        self.kubectl(
            *("exec", pod, "--namespace", namespace or self.platform, "-c", "test-runner"),
            *("--", "touch", "/tmp/go"),  # noqa: S108 - the container's own
        )

    def delete_pods(self, *components: str) -> None:
        """Delete the pods of roles at once, and wait until others are ready in their place."""
        selector = f"app.kubernetes.io/component in ({','.join(components)})"
        before = {str(pod["metadata"]["uid"]) for pod in self.pods(selector).values()}
        self.kubectl("delete", "pods", "--selector", selector, "--wait=false")

        def replaced() -> bool:
            now = self.pods(selector).values()
            fresh = [pod for pod in now if str(pod["metadata"]["uid"]) not in before]
            return len(fresh) >= len(before) and all(is_ready(pod) for pod in fresh)

        self.wait(f"{', '.join(components)} are back", replaced, timeout_seconds=120)

    def stop_writers(self) -> None:
        """Take away all that writes to the databases, runs apart, and wait until it is gone."""
        self.kubectl("scale", "deployment", *_WRITERS, "--replicas", "0")
        self.wait(
            "all who write are gone",
            lambda: not self.pods("app.kubernetes.io/component in (daemon,webserver,code)"),
            timeout_seconds=90,
        )

    def start_writers(self) -> None:
        """Bring it back, and wait until it is ready."""
        self.kubectl("scale", "deployment", *_WRITERS, "--replicas", "1")
        for name in _WRITERS:
            self.kubectl("rollout", "status", f"deployment/{name}", "--timeout", "110s")

    def run_cron_job(self, cron_job: str, name: str) -> str:
        """Run a CronJob of the chart now, and give its Job's `Complete` or `Failed`."""
        self.kubectl("create", "job", f"--from=cronjob/{cron_job}", name)
        return self.job_result(name, timeout_seconds=120)

    def job_result(self, name: str, *, timeout_seconds: float) -> str:
        """Wait for a Job's end, and give `Complete` or `Failed`."""
        ended: list[str] = []

        def over() -> bool:
            job = self.kube.get("Job", name, namespace=self.namespace) or {}
            conditions = job.get("status", {}).get("conditions", [])
            ended.extend(
                str(each["type"])
                for each in conditions
                if each["status"] == "True" and each["type"] in {"Complete", "Failed"}
            )
            return bool(ended)

        self.wait(f"job {name} has ended", over, timeout_seconds=timeout_seconds)
        return ended[0]

    @staticmethod
    def wait(
        what: str, happened: Callable[[], bool], *, timeout_seconds: float, pause: float = 0.5
    ) -> None:
        """Wait until something is so."""
        deadline = Deadline(timeout_seconds)
        while not happened():
            assert not deadline.passed, f"waited {timeout_seconds:g} s: {what}"
            time.sleep(pause)

    # The history

    def remembered(self, run_id: str) -> str | None:
        """Return the cause of a run's verdict, as the history in Postgres has it."""
        query = f"SELECT cause FROM history_runs WHERE run_id = '{run_id}'"  # noqa: S608 - Dagster's id
        return self.sql(query) or None

    def runs_of(self, tier: str) -> list[tuple[str, str]]:
        """Return the ids and causes of a tier's runs, oldest first, as the history has them."""
        query = f"SELECT run_id, cause FROM history_runs WHERE tier = '{tier}' ORDER BY started_at"  # noqa: S608 - a name of these tests
        rows = (line.split("|") for line in self.sql(query).splitlines())
        return [(run_id, cause) for run_id, cause in rows]

    def attempts(self, run_id: str) -> int:
        """Return how many attempts the history has of a run's suites."""
        joined = "history_attempts JOIN history_suites USING (suite_id)"
        query = f"SELECT count(*) FROM {joined} WHERE run_id = '{run_id}'"  # noqa: S608 - Dagster's id
        return int(self.sql(query))


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod takes requests."""
    return any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in pod["status"].get("conditions", [])
    )
