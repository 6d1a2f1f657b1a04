"""Runs one attempt of a suite as a Job with one pod, and follows it to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Never

from floe_tests.config.test_job import JobTemplate
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.log import Log
from floe_tests.core.signals import no_reason
from floe_tests.execution.attempt import Attempt, timings_of
from floe_tests.execution.exporter_log import Keeping
from floe_tests.execution.manifest import AttemptSpec, build_job
from floe_tests.execution.pod_end import LastLook
from floe_tests.execution.pod_run import PodRun
from floe_tests.execution.pod_watcher import Heard, PodSeen
from floe_tests.execution.resume import Resume
from floe_tests.execution.suite_run import SuiteRun
from floe_tests.execution.timeouts import EXPORT_SECONDS, WAKE_SECONDS
from floe_tests.execution.watcher import Watcher
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject


class JobRun(SuiteRun):
    """One attempt to run a suite as a Job with one pod."""

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
        """Prepare; nothing is created yet. The arguments are those of every attempt."""
        super().__init__(
            kube,
            template,
            spec,
            directory=directory,
            log=log,
            why_cancelled=why_cancelled,
            resume=resume,
        )
        deadlines = spec.deadlines
        self._most_seconds = deadlines.start_seconds + deadlines.job_seconds + EXPORT_SECONDS
        self._clock = spec.deadline(self._most_seconds)
        self._watcher = Watcher[Never](
            kube,
            namespace=spec.namespace,
            selector=self._jobs.selector,
            deadline=spec.deadline(2 * deadlines.queue_seconds + self._most_seconds),
        )
        self._pod = PodRun(
            self._seen,
            directory=directory,
            watcher=self._watcher.pod(spec.job_name),
            log=log,
            keeping=Keeping(keeps_frames=self._resume.is_possible),
        )
        self._arriving = self._arrival(self._pod.start)
        self._others: set[str] = set()

    def _job(self) -> JsonObject:
        return build_job(self._template, self._spec)

    def _remember(self) -> None:
        """Do nothing: what has come is in the frames, and one pod is judged at its end."""

    def _go_on_from(self, job: JsonObject) -> None:  # noqa: ARG002 - one pod needs no more of it
        self._pod.is_resumed = self._is_resumed
        if self._is_resumed:
            self._say(
                f"is resumed, {self._elapsed_seconds:.0f} s after its creation; its results are "
                "read from their beginning"
            )
        else:
            self._say(f"created in {self._spec.namespace}")
        self._watcher.watch()

    def _follow(self) -> None:
        while not self._clock.passed:
            self._take_all(wait_seconds=WAKE_SECONDS)
            if self._seen.error is not None:
                return
            is_over = self._attend(self._pod) if self._pod.name else self._arriving.is_over()
            if is_over:
                return
            if self._pod.start.is_held_back:
                self._clock = self._spec.deadline(self._most_seconds)
        self._seen.pass_deadline("job")

    def _followed(self) -> Iterable[PodRun]:
        return (self._pod,)

    def _hear(self, heard: Heard) -> None:
        """Take what was heard of the pod; one that the Job makes in its place is not this one."""
        if not isinstance(heard.said, PodSeen):
            self._pod.hear(heard.said)
        elif not self._pod.name and heard.said.pod is not None:
            self._pod.hear(heard.said)
            self._log(f"pod/{heard.who} created")
        elif heard.who == self._pod.name:
            self._pod.hear(heard.said)
        elif heard.said.pod is not None and heard.who not in self._others:
            self._others.add(heard.who)
            self._say(f"pod/{heard.who} is there too, in place of pod/{self._pod.name}")

    def _take_other(self, message: object) -> None:
        raise TypeError(message)  # there is no other

    def _begin_to_read(self, pod: PodRun) -> None:
        pod.read()

    def _do(self, work: Callable[[], None]) -> None:
        work()

    def _lost_pods(self) -> set[str]:
        return {self._pod.name} if self._pod.node_is_lost else set()

    def _finish(self) -> Attempt:
        self._watcher.stop()
        # After an error there is nothing to see, or nobody who answers.
        if self._seen.error is None:
            LastLook(self._kube, self._pod, log=self._say).take()
        if self._pod.has_company and self._seen.cancelled is None:
            self._stop_company()
        facts, verdict = self._pod.judged(elapsed_seconds=self._elapsed_seconds)
        return Attempt(
            suite=self._spec.suite,
            number=self._spec.attempt,
            directory=self._directory,
            started_at=self._started_at,
            facts=facts,
            verdict=verdict,
            timings=timings_of(
                facts, verdict, total=self._elapsed_seconds, passed_at=self._seen.passed_at
            ),
        )

    def _stop_company(self) -> None:
        self._pod.dismiss()
        try:
            self._jobs.stop_pod(self._pod.name)
        except FloeTestsError as error:
            self._say(f"pod/{self._pod.name} could not be stopped ({error}); it goes with the Job")
