"""One attempt at a suite in the cluster, whether in one pod or in many: the steps of both.

Everything is driven by a watch on the pods and by their exporters' logs; a watcher reads, the
caller's thread decides. Every wait has a deadline, and whatever ends the attempt, what arrived is
kept.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from floe_tests.config.test_job import JobTemplate
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.log import Log
from floe_tests.core.signals import held_signals, no_reason, reason_of
from floe_tests.execution.arrival import Arrival
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.node_look import NodeLook
from floe_tests.execution.observation import Observation
from floe_tests.execution.own_jobs import Made, OwnJobs, error_facts
from floe_tests.execution.pod_end import finish
from floe_tests.execution.pod_run import PodRun
from floe_tests.execution.pod_watcher import Heard
from floe_tests.execution.resume import Resume
from floe_tests.execution.start import Start
from floe_tests.execution.timeouts import STOP_GRACE_SECONDS, WAKE_SECONDS
from floe_tests.execution.verdict.facts import ErrorFacts
from floe_tests.execution.watcher import Unreachable, Watcher
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, job_has_ended


class SuiteRun(ABC):
    """One attempt to run a suite in the cluster."""

    _watcher: Watcher[Any]

    def __init__(  # noqa: PLR0913 - what an attempt is made of
        self,
        kube: Kube,
        template: JobTemplate,
        spec: AttemptSpec,
        *,
        directory: Path,
        log: Log,
        why_cancelled: Callable[[], str | None] = no_reason,
        resume: Resume | None = None,
    ) -> None:
        """Prepare; nothing is created yet.

        Args:
            kube: The cluster; a patient one, so that a restart of its API ends nothing.
            template: The suite's test-job.yaml.
            spec: What this attempt adds to it.
            directory: Where its results go.
            log: Receives progress.
            why_cancelled: Returns the reason that was left for a cancellation.
            resume: What there is to know of a process before this one, or after it.
        """
        self._kube = kube
        # For looks that may fail: the deadlines must not wait for them.
        self._glance = Kube(kube.access)
        self._template = template
        self._spec = spec
        self._directory = directory
        self._log = log
        self._why_cancelled = why_cancelled
        self._resume = resume or Resume()
        self._jobs = OwnJobs(kube, spec, path=template.path, directory=directory)
        self._nodes = NodeLook(self._glance, spec)
        self._seen = Observation(spec, f"job/{spec.job_name}", template.container)
        self._is_resumed = False
        self._started_at = datetime.now(UTC)
        self._begun = spec.deadline(float("inf"))

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        """Create the Job, follow it to its end, and return the judged attempt.

        Args:
            record: Receives the attempt, also when the run is interrupted.

        Raises:
            BaseException: Whatever interrupted the run, after its results so far were recorded.
        """
        try:
            self._begin()
            if self._seen.error is None:
                self._follow()
        except FloeTestsError as error:
            self._seen.error = error_facts(error)
        except BaseException as interrupt:
            if self._resume.is_due():
                self._leave()
                raise
            with held_signals(self._log):
                self._cancel(reason_of(interrupt, self._why_cancelled, doing=self._seen.subject))
                record(self._finish())
            raise
        attempt = self._finish()
        record(attempt)
        return attempt

    def remove(self) -> None:
        """Delete the Jobs and wait until their pods are gone, so that fresh ones find capacity.

        On a node that is lost nobody can end a pod: there it is deleted without a grace.

        Raises:
            CleanupError: Some are still there.
        """
        self._jobs.remove(lost=self._lost_pods())

    # --- What differs between one pod and many

    @abstractmethod
    def _job(self) -> JsonObject:
        """Return the Job to create."""

    @abstractmethod
    def _remember(self) -> None:
        """Know again what a process before this one has judged."""

    @abstractmethod
    def _go_on_from(self, job: JsonObject) -> None:
        """Begin to watch a Job that was made just now, or by a process before this one."""

    @abstractmethod
    def _follow(self) -> None:
        """Follow the attempt to its end."""

    @abstractmethod
    def _followed(self) -> Iterable[PodRun]:
        """Return the pods that are followed now."""

    @abstractmethod
    def _hear(self, heard: Heard) -> None:
        """Take what was heard of a pod."""

    @abstractmethod
    def _take_other(self, message: object) -> None:
        """Take any other message."""

    @abstractmethod
    def _begin_to_read(self, pod: PodRun) -> None:
        """Have the log of a pod's exporter read."""

    @abstractmethod
    def _do(self, work: Callable[[], None]) -> None:
        """Have a request made that may take its time."""

    @abstractmethod
    def _lost_pods(self) -> set[str]:
        """Return the names of pods on nodes that are lost."""

    @abstractmethod
    def _finish(self) -> Attempt:
        """Gather the last facts, judge, and let go of the threads."""

    # --- From the Job to its pods

    def _say(self, line: str) -> None:
        self._log(f"{self._seen.subject}: {line}")

    def _begin(self) -> None:
        if self._resume.is_begun:
            made = Made(self._jobs.find(self._spec.job_name), is_found=True)
        else:
            made = self._jobs.make(self._job())
        if made.error is not None:
            self._seen.error = made.error
            return
        if not self._resume.is_begun:
            self._resume.begin()
        if made.is_found:
            self._remember()
        if made.is_found and not self._resume_with(made.job):
            return
        if made.job is not None:
            self._seen.job = made.job
            self._go_on_from(made.job)

    def _resume_with(self, job: JsonObject | None) -> bool:
        """Note that a process before has created the Job; tell whether it can be gone on with."""
        is_over = job is not None and job_has_ended(job) and not self._jobs.pods()
        if job is None or (is_over and self._lacks_pods()):
            gone = (
                f"{self._seen.subject} was created by the process before this one, and its pod is "
                "gone"
            )
            self._seen.error = ErrorFacts("infrastructure", gone)
            return False
        self._is_resumed = True
        self._started_at = datetime.fromisoformat(str(job["metadata"]["creationTimestamp"]))
        return True

    def _lacks_pods(self) -> bool:
        """Return whether there is anything left that needs a pod."""
        return True

    def _arrival(self, start: Start) -> Arrival:
        return Arrival(self._glance, self._seen, start, log=self._log)

    @property
    def _elapsed_seconds(self) -> float:
        """Seconds since the attempt began, in whichever process."""
        if not self._is_resumed:
            return self._begun.elapsed_seconds
        return (datetime.now(UTC) - self._started_at).total_seconds()

    # --- What is heard, and what is done about it

    def _take_all(self, *, wait_seconds: float) -> None:
        message = self._watcher.next(timeout_seconds=wait_seconds)
        while message is not None:
            match message:
                case Heard():
                    self._hear(message)
                case Unreachable(error=error):
                    self._seen.error = error_facts(error)
                case _:
                    self._take_other(message)
            message = self._watcher.next(timeout_seconds=0)

    def _attend(self, pod: PodRun) -> bool:
        """Do what a pod wants; tell whether there is nothing more to wait for."""
        if pod.wants_reader:
            self._begin_to_read(pod)
        node = self._nodes.lost(pod.silent_on) if pod.silent_on else None
        if node is not None:
            pod.lose_node(node)
        if pod.is_over():
            return True
        if pod.is_to_be_stopped:
            pod.expect_last()
            self._do(lambda: self._jobs.stop_pod(pod.name))
        elif pod.is_to_be_finished:
            pod.dismiss()
            self._do(lambda: finish(self._glance, self._jobs, pod))
        return False

    # --- The end

    def _leave(self) -> None:
        """Let the Job run, for the process that resumes it."""
        self._watcher.stop()
        for pod in self._followed():
            pod.leave()
        self._say("goes on: the process that resumes it follows it")

    def _cancel(self, reason: str) -> None:
        """Say on the Job why it ends, end it, and take what its exporters still send."""
        self._seen.cancelled = reason
        self._say(f"cancelled, {reason}")
        pods = list(self._followed())
        for pod in pods:
            pod.cancel(reason)
        try:
            self._jobs.cancel(reason, [pod.name for pod in pods if pod.is_there])
        except FloeTestsError as error:
            self._say(f"could not be deleted ({error}); its namespace goes next")
        last = self._spec.deadline(STOP_GRACE_SECONDS)
        while not last.passed and any(pod.is_heard for pod in pods):
            # Nothing that is heard now changes how it ends.
            with contextlib.suppress(FloeTestsError):
                self._take_all(wait_seconds=WAKE_SECONDS)
