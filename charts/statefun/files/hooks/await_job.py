"""Ends when the job of a FlinkDeployment runs: state RUNNING, and every task of it at work.

A JobManager that is READY may still be far from that, and Flink says RUNNING before its tasks run.
What is seen on the way is printed, so that an install that fails says where it stood.
"""

import argparse
import json
import sys
import time
import urllib.request
from http.client import HTTPException
from typing import Any

from kube_api import DEPLOYMENTS, KubeApi, Object, namespace_of_this_pod

# From these no job comes back.
_ENDED = frozenset({"FAILED", "FINISHED", "CANCELED"})
_PAUSE_SECONDS = 1.0


class EndedError(Exception):
    """The job has ended, and waiting is in vain; the message says how."""


def describe(deployment: Object) -> tuple[bool, str]:
    """Say whether a FlinkDeployment's job runs as it is wanted now, and how it stands in words.

    Raises:
        EndedError: The job has ended for good.
    """
    status = deployment.get("status") or {}
    job = status.get("jobStatus") or {}
    manager = status.get("jobManagerDeploymentStatus") or "not there yet"
    state = job.get("state") or "not there yet"
    seen = f"JobManager {manager}, job {state}"
    if status.get("error"):
        seen += f": {_first_line(status['error'])}"
    if not _is_current(deployment, status):
        return False, f"{seen}; the operator has not taken the deployment up"
    reconciled, lifecycle = _reconciliation(status).get("state"), status.get("lifecycleState")
    if reconciled == "ROLLED_BACK":
        raise EndedError(f"{seen}; the operator went back to the last stable deployment")
    if lifecycle == "SUSPENDED":
        raise EndedError(f"{seen}; the job is suspended")
    if reconciled != "DEPLOYED":
        return False, f"{seen}; the operator is at work on it: {reconciled}"
    if state in _ENDED or lifecycle == "FAILED":
        raise EndedError(seen)
    return manager == "READY" and state == "RUNNING", seen


def count_tasks(overview: Object) -> tuple[bool, str]:
    """Say whether all tasks of all jobs run, and how many do."""
    jobs = overview.get("jobs", [])
    running = sum(job["tasks"]["running"] for job in jobs)
    total = sum(job["tasks"]["total"] for job in jobs)
    return 0 < total == running, f"{running} of {total} tasks running"


def _is_current(deployment: Object, status: Object) -> bool:
    """Whether what the operator acted on last is what is wanted now.

    Operators up to 1.9 keep the generation that they acted on in the metadata of
    lastReconciledSpec; those from 1.10 on keep it in observedGeneration alone. 1.8 and 1.9 write
    both, but leave observedGeneration out of a status that 1.7 began. The metadata comes first:
    whoever writes it writes it at each step, and 1.10 and later remove it at their first one.

    Source: ReconciliationMetadata and ReconciliationUtils of the operator.
    """
    wanted = deployment["metadata"]["generation"]
    acted_on = _generation_of(_reconciliation(status).get("lastReconciledSpec"))
    return wanted == (status.get("observedGeneration") if acted_on is None else acted_on)


def _reconciliation(status: Object) -> Object:
    return status.get("reconciliationStatus") or {}


def _generation_of(reconciled: str | None) -> int | None:
    """Read the generation in a lastReconciledSpec, a string of JSON; None where it has none."""
    try:
        metadata = json.loads(reconciled or "{}")["resource_metadata"]["metadata"]
        return metadata.get("generation")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _first_line(error: str) -> str:
    try:
        words = str(json.loads(error).get("message") or error)
    except (ValueError, AttributeError):
        words = error
    return words.strip().partition("\n")[0][:500]


class Waiting:
    """One wait, with its deadline and what it saw last."""

    def __init__(self, seconds: float) -> None:
        self._began = time.monotonic()
        self._seconds = seconds
        self.last_seen = "nothing of it"

    @property
    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self._began + self._seconds - time.monotonic()

    def see(self, words: str) -> None:
        """Print what is seen when it is new; end the program when it is too late."""
        if words != self.last_seen:
            self.last_seen = words
            print(f"{time.monotonic() - self._began:6.1f} s  {words}", flush=True)
        if self.remaining <= 0:
            sys.exit(f"await_job.py: not within {self._seconds:g} s; last seen: {words}")


def await_deployment(api: KubeApi, namespace: str, name: str, waiting: Waiting) -> None:
    """Return when the operator says that the job runs."""
    while True:
        try:
            for kind, deployment in api.watch(
                DEPLOYMENTS.format(namespace), name, seconds=waiting.remaining
            ):
                if kind == "DELETED":
                    raise EndedError(f"FlinkDeployment {name} was deleted")
                runs, words = describe(deployment)
                waiting.see(words)
                if runs:
                    return
        except (OSError, HTTPException, ValueError) as error:
            waiting.see(f"the Kubernetes API does not answer: {error}")
            time.sleep(_PAUSE_SECONDS)
        waiting.see(waiting.last_seen)


def await_tasks(rest: str, waiting: Waiting) -> None:
    """Return when Flink says that every task runs."""
    while True:
        try:
            run, words = count_tasks(_read(f"{rest}/jobs/overview"))
        except (OSError, HTTPException, ValueError) as error:
            run, words = False, f"Flink does not answer: {error}"
        waiting.see(words)
        if run:
            return
        time.sleep(_PAUSE_SECONDS)


def _read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("deployment")
    parser.add_argument("--deadline-seconds", type=float, required=True)
    arguments = parser.parse_args()
    waiting = Waiting(arguments.deadline_seconds)
    try:
        await_deployment(
            KubeApi.of_this_pod(), namespace_of_this_pod(), arguments.deployment, waiting
        )
    except EndedError as error:
        sys.exit(f"await_job.py: the job will not run: {error}")
    await_tasks(f"http://{arguments.deployment}-rest:8081", waiting)


if __name__ == "__main__":
    main()
