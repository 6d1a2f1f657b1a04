"""What Flink's REST API says of the job: tasks, checkpoints, restarts, options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from platform_suite.deadline import NotYet, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASK_SECONDS = 10.0


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint.

    Attributes:
        number: Counted from 1 over the life of the job, restarts included.
        path: `s3://...` of the folder with its metadata.
    """

    number: int
    path: str


class Flink:
    """The JobManager, which runs one job.

    Args:
        url: Its address, `http://HOST:PORT`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    @classmethod
    def of_this_pod(cls) -> Flink:
        """Ask the JobManager that the Job names."""
        return cls(os.environ["FLINK_REST_URL"])

    def version(self) -> str:
        """Read Flink's version."""
        return self._get("/config")["flink-version"]

    def options(self) -> Mapping[str, str]:
        """Read the options that the JobManager runs with."""
        return {entry["key"]: entry["value"] for entry in self._get("/jobmanager/config")}

    def task_states(self) -> Mapping[str, str]:
        """Read the state of each of the job's operators, by its name."""
        job = self._get(f"/jobs/{self.job_id()}")
        return {vertex["name"]: vertex["status"] for vertex in job["vertices"]}

    def job_id(self) -> str:
        """Read the job's id; it stays when the JobManager changes."""
        jobs = self._get("/jobs/overview")["jobs"]
        if len(jobs) != 1:
            raise NotYet(f"{len(jobs)} jobs")
        return jobs[0]["jid"]

    def restarts(self) -> int:
        """Read how often the job has begun again under this JobManager."""
        metrics = self._get(f"/jobs/{self.job_id()}/metrics?get=numRestarts")
        if not metrics:
            raise NotYet("no metric numRestarts")
        return int(metrics[0]["value"])

    def checkpoint_settings(self) -> Mapping[str, Any]:
        """Read how the job is saved."""
        return self._get(f"/jobs/{self.job_id()}/checkpoints/config")

    def completed_checkpoint(self) -> Checkpoint | None:
        """Read the newest complete checkpoint; None before the first under this JobManager."""
        return self._latest_checkpoint("completed")

    def restored_checkpoint(self) -> Checkpoint | None:
        """Read the checkpoint that the job last began from; None when it began from nothing."""
        return self._latest_checkpoint("restored")

    def wait_until_running(self, *, deadline_seconds: float) -> None:
        """Wait until all tasks run, restarts of the JobManager included."""

        def running() -> None:
            states = self.task_states()
            if not states or set(states.values()) != {"RUNNING"}:
                raise NotYet(f"tasks: {states}")

        wait_for(running, what="the job's tasks", deadline_seconds=deadline_seconds)

    def wait_for_checkpoint(self, *, after: int = 0, deadline_seconds: float = 60) -> Checkpoint:
        """Wait for a complete checkpoint with a number above another's."""

        def newer() -> Checkpoint:
            found = self.completed_checkpoint()
            if found is None or found.number <= after:
                raise NotYet(f"newest complete checkpoint: {found}")
            return found

        return wait_for(newer, what="a checkpoint", deadline_seconds=deadline_seconds)

    def _latest_checkpoint(self, kind: str) -> Checkpoint | None:
        found = self._get(f"/jobs/{self.job_id()}/checkpoints")["latest"][kind]
        return found and Checkpoint(number=found["id"], path=found["external_path"])

    def _get(self, path: str) -> Any:
        try:
            # A connection of its own each time: the JobManager may be another one.
            answer = requests.get(self._url + path, timeout=_ASK_SECONDS)
        except requests.RequestException as error:
            raise NotYet(f"no answer: {error}") from error
        if answer.status_code != requests.codes.ok:
            raise NotYet(f"{path}: HTTP {answer.status_code}: {answer.text[:300]}")
        return answer.json()
