"""Runs one attempt of a suite as a Job, and follows it to its end.

Everything is driven by a watch on the pod and by the exporter's log; two threads listen, the
caller's thread decides. Every wait has a deadline, and whatever ends the attempt, what arrived is
kept.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from floe_tests import labels
from floe_tests.clusters.signals import held_signals, no_reason, reason_of
from floe_tests.deadline import Deadline
from floe_tests.errors import DeadlineError, FloeTestsError, InfrastructureError
from floe_tests.jobs.attempt import Attempt, Timings, judge
from floe_tests.jobs.facts import (
    ContainerFacts,
    DeadlineName,
    ErrorFacts,
    Facts,
    PodFacts,
    condition_facts,
    event_facts,
    pod_facts,
)
from floe_tests.jobs.manifest import EXPORTER, JobRequest, JobTemplate, build_job
from floe_tests.jobs.receiver import Receiver
from floe_tests.jobs.verdict import CONTAINER_CONFIG_REASONS, IMAGE_PULL_REASONS
from floe_tests.kube import JsonObject, Kube, RefusedError, part, parts

Log = Callable[[str], None]

_WAKE_SECONDS = 0.5
_EVENT_SECONDS = 2.0
# After a container's end: the exporter's own 20 s, and some for the API.
_EXPORT_SECONDS = 35.0
# The suite's own timeout fires first and says which line hung; this much later the pod is stopped.
_TESTS_SLACK_SECONDS = 5.0
# How long a pod may be refused, or a container's configuration be wrong, before it counts: a quota
# or ConfigMap created a moment later is not a mistake.
_REFUSED_SECONDS = 5.0
_STOP_GRACE_SECONDS = 15
_POD_LOG_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class _PodSeen:
    pod: JsonObject | None


@dataclass(frozen=True)
class _LogPiece:
    data: bytes
    first: bool = False


@dataclass(frozen=True)
class _LogEnded:
    error: FloeTestsError | None


@dataclass(frozen=True)
class _Unreachable:
    error: FloeTestsError


_Message = _PodSeen | _LogPiece | _LogEnded | _Unreachable


class JobRun:
    """One attempt to run a suite as a Job."""

    def __init__(
        self,
        kube: Kube,
        template: JobTemplate,
        request: JobRequest,
        *,
        directory: Path,
        log: Log,
        why_cancelled: Callable[[], str | None] = no_reason,
    ) -> None:
        """Prepare; nothing is created yet.

        Args:
            kube: The cluster.
            template: The suite's test-job.yaml.
            request: What this attempt adds to it.
            directory: Where its results go.
            log: Receives progress.
            why_cancelled: Gives the reason that was left for a cancellation.
        """
        self._why_cancelled = why_cancelled
        self._kube = kube
        self._template = template
        self._request = request
        self._directory = directory
        self._log = log
        self._receiver = Receiver(directory / "results", log=log)
        self._messages: queue.Queue[_Message] = queue.Queue(maxsize=256)
        self._stopped = threading.Event()
        self._pod: JsonObject | None = None
        self._vanished = False
        self._events: list[JsonObject] = []
        self._events_read_at = 0.0
        self._log_thread: threading.Thread | None = None
        self._log_done = False
        self._image_failing: Deadline | None = None
        self._refused: Deadline | None = None
        self._export: Deadline | None = None
        self._tests: Deadline | None = None
        self._passed: DeadlineName | None = None
        self._error: ErrorFacts | None = None
        self._cancelled: str | None = None
        self._started_at = datetime.now(UTC)
        self._clock = Deadline(
            request.deadlines.start_seconds + request.deadlines.job_seconds + _EXPORT_SECONDS
        )

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        """Create the Job, follow it to its end, and give the judged attempt.

        Args:
            record: Receives the attempt, also when the run is interrupted.

        Raises:
            BaseException: Whatever interrupted the run, after its results so far were recorded.
        """
        try:
            self._create()
            if self._error is None:
                self._follow()
        except FloeTestsError as error:
            self._error = ErrorFacts("infrastructure", str(error), error.evidence)
        except BaseException as interrupt:
            with held_signals(self._log):
                self._cancel(reason_of(interrupt, self._why_cancelled, doing=self._subject))
                record(self._finish())
            raise
        attempt = self._finish()
        record(attempt)
        return attempt

    @property
    def _subject(self) -> str:
        return f"job/{self._request.job_name}"

    def _create(self) -> None:
        job = build_job(self._template, self._request)
        try:
            self._kube.create(job, namespace=self._request.namespace)
        except RefusedError as error:
            self._error = ErrorFacts("configuration", f"{self._template.path}: {error}")
            return
        self._log(f"{self._subject} created in {self._request.namespace}")
        threading.Thread(target=self._watch_pod, daemon=True, name=f"watch {self._subject}").start()

    def _follow(self) -> None:
        while not self._clock.passed:
            try:
                self._take(self._messages.get(timeout=_WAKE_SECONDS))
                while True:
                    self._take(self._messages.get_nowait())
            except queue.Empty:
                pass
            if self._error is not None or self._is_over():
                return
        self._passed = self._passed or "job"

    def _take(self, message: _Message) -> None:
        match message:
            case _PodSeen(pod=pod):
                self._see(pod)
            case _LogPiece(data=data, first=first):
                if first:
                    self._receiver.begin()
                self._receiver.feed(data)
            case _LogEnded():
                self._log_done = True
            case _Unreachable(error=error):
                self._error = ErrorFacts("infrastructure", str(error), error.evidence)

    def _see(self, pod: JsonObject | None) -> None:
        if pod is None:
            self._vanished = self._pod is not None and self._passed is None
            return
        first = self._pod is None
        self._pod = pod
        facts = self._pod_facts()
        if first:
            self._log(f"pod/{facts.name} created")
        exporter = facts.exporter
        if exporter is not None and exporter.state != "waiting" and self._log_thread is None:
            self._log_thread = threading.Thread(
                target=self._read_log, args=(facts.name,), daemon=True, name=f"log {facts.name}"
            )
            self._log_thread.start()
        if facts.test is not None and facts.test.state == "running" and self._tests is None:
            self._log(f"tests started on {facts.node}")
            self._tests = Deadline(self._request.deadlines.tests_seconds + _TESTS_SLACK_SECONDS)

    def _is_over(self) -> bool:
        """Decide whether there is nothing more to wait for."""
        pod = self._pod_facts() if self._pod is not None else None
        if self._export is not None:
            return self._export.passed or self._receiver.has_manifest or self._log_done
        if pod is None:
            return self._no_pod_is_over()
        if self._vanished or _has_ended(pod):
            self._export = Deadline(_EXPORT_SECONDS if self._log_thread else 0)
            return self._log_thread is None
        if self._tests is not None:
            if self._tests.passed:
                self._log("the tests did not end by their deadline: stopping the pod")
                self._stop("tests", pod.name)
            return False
        return self._not_started_is_over(pod)

    def _no_pod_is_over(self) -> bool:
        if self._clock.elapsed_seconds - self._events_read_at > _EVENT_SECONDS:
            self._read_events()
        if any(item.get("reason") == "FailedCreate" for item in self._events):
            self._refused = self._refused or Deadline(_REFUSED_SECONDS)
            if self._refused.passed:
                return True
        if self._clock.elapsed_seconds > self._request.deadlines.start_seconds:
            self._passed = "start"
            return True
        return False

    def _not_started_is_over(self, pod: PodFacts) -> bool:
        waiting = {
            container.reason
            for container in (pod.test, pod.exporter)
            if container is not None and container.state == "waiting"
        }
        if waiting & CONTAINER_CONFIG_REASONS:
            self._refused = self._refused or Deadline(_REFUSED_SECONDS)
            return self._refused.passed
        self._refused = None
        if waiting & IMAGE_PULL_REASONS:
            self._image_failing = self._image_failing or Deadline(
                self._request.deadlines.image_seconds
            )
            if self._image_failing.passed:
                self._passed = "image"
                return True
        if self._clock.elapsed_seconds > self._request.deadlines.start_seconds:
            self._passed = "start"
            return True
        return False

    def _stop(self, deadline: DeadlineName, pod: str) -> None:
        self._passed = deadline
        self._kube.delete(
            "Pod", pod, namespace=self._request.namespace, grace_seconds=_STOP_GRACE_SECONDS
        )
        self._export = Deadline(_EXPORT_SECONDS)

    def _cancel(self, reason: str) -> None:
        """Say on the Job why it ends, end it, and take what its exporter still sends."""
        self._cancelled = reason
        self._log(f"{self._subject}: cancelled, {reason}")
        name, namespace = self._request.job_name, self._request.namespace
        try:
            stamp = {"metadata": {"annotations": {labels.CANCELLED_ANNOTATION: reason}}}
            self._kube.patch("Job", name, stamp, namespace=namespace)
            if self._pod is not None:
                self._kube.delete(
                    "Pod",
                    str(self._pod["metadata"]["name"]),
                    namespace=namespace,
                    grace_seconds=_STOP_GRACE_SECONDS,
                )
            self._kube.delete("Job", name, namespace=namespace)
        except FloeTestsError as error:
            self._log(f"{self._subject} could not be deleted ({error}); its namespace goes next")
        last = Deadline(_STOP_GRACE_SECONDS if self._log_thread else 0)
        while not (last.passed or self._log_done or self._receiver.has_manifest):
            try:
                self._take(self._messages.get(timeout=_WAKE_SECONDS))
            except queue.Empty:
                continue

    def _finish(self) -> Attempt:
        """Gather the last facts, judge, and let go of the threads."""
        self._stopped.set()
        if self._error is None or self._error.party != "configuration":
            self._last_look()
        facts = self._facts()
        facts, verdict = judge(
            facts, directory=self._receiver.directory, completeness=self._receiver.finish(facts)
        )
        return Attempt(
            suite=self._request.suite,
            number=self._request.attempt,
            directory=self._directory,
            started_at=self._started_at,
            facts=facts,
            verdict=verdict,
            timings=self._timings(facts),
        )

    def _last_look(self) -> None:
        """Read what may have changed since the last message: pod, events, gaps of the log."""
        namespace = self._request.namespace
        try:
            if self._pod is not None:
                name = str(self._pod["metadata"]["name"])
                now = self._kube.get("Pod", name, namespace=namespace)
                if now is not None and now["metadata"]["uid"] == self._pod["metadata"]["uid"]:
                    self._pod = now
                if self._log_thread is not None and not self._receiver.has_manifest:
                    self._read_log_again(name)
                self._save_pod_log(name)
            self._read_events()
        except FloeTestsError as error:
            self._log(f"{self._subject}: the last look failed: {error}")

    def _read_log_again(self, pod: str) -> None:
        text = self._kube.log(
            pod, namespace=self._request.namespace, container=EXPORTER, limit_bytes=64 * 1024 * 1024
        )
        if text:
            self._receiver.begin()
            self._receiver.feed(text.encode())

    def _save_pod_log(self, pod: str) -> None:
        text = self._kube.log(
            pod,
            namespace=self._request.namespace,
            container=self._template.container,
            limit_bytes=_POD_LOG_BYTES,
        )
        if text is not None:
            (self._directory / "pod.log").write_text(text)

    def _read_events(self) -> None:
        self._events_read_at = self._clock.elapsed_seconds
        names = {self._request.job_name}
        if self._pod is not None:
            names.add(str(self._pod["metadata"]["name"]))
        self._events = [
            event
            for event in self._kube.list("Event", namespace=self._request.namespace)
            if part(event, "involvedObject").get("name") in names
        ]

    def _facts(self) -> Facts:
        job: JsonObject | None = None
        try:
            job = self._kube.get("Job", self._request.job_name, namespace=self._request.namespace)
        except FloeTestsError as error:
            self._log(f"{self._subject} could not be read: {error}")
        pod = self._pod_facts() if self._pod is not None else None
        deadlines = self._request.deadlines
        return Facts(
            subject=self._subject,
            cancelled=self._cancelled,
            error=self._error,
            passed_deadline=self._passed,
            pod=pod,
            job_conditions=condition_facts(parts(job or {}, "status", "conditions")),
            events=event_facts(self._events),
            elapsed_seconds=self._clock.elapsed_seconds,
            tests_seconds=_seconds(pod.test) if pod else None,
            deadlines=(
                ("start", deadlines.start_seconds),
                ("image", deadlines.image_seconds),
                ("tests", deadlines.tests_seconds),
                ("pod", deadlines.pod_seconds),
                ("job", deadlines.job_seconds),
            ),
        )

    def _timings(self, facts: Facts) -> Timings:
        test = facts.pod.test if facts.pod else None
        created = facts.pod.created_at if facts.pod else None
        started = test.started_at if test else None
        finished = test.finished_at if test else None
        return Timings(
            total=self._clock.elapsed_seconds,
            pod_start=(started - created).total_seconds() if started and created else None,
            tests=_seconds(test) if test else None,
            to_verdict=(datetime.now(UTC) - finished).total_seconds() if finished else None,
        )

    def _pod_facts(self) -> PodFacts:
        if self._pod is None:
            raise RuntimeError(self._subject)
        facts = pod_facts(
            self._pod, test_container=self._template.container, exporter_container=EXPORTER
        )
        return replace(facts, vanished=self._vanished and not _has_ended(facts))

    def _watch_pod(self) -> None:
        try:
            for pods in self._kube.follow(
                "Pod",
                namespace=self._request.namespace,
                label_selector=f"job-name={self._request.job_name}",
                deadline=self._clock,
                tick_seconds=10,
            ):
                if self._stopped.is_set():
                    return
                self._messages.put(_PodSeen(next(iter(pods.values()), None)))
        except DeadlineError:
            return
        except FloeTestsError as error:
            self._messages.put(_Unreachable(error))

    def _read_log(self, pod: str) -> None:
        """Follow the exporter's log; a broken or silent connection is opened and read anew."""
        error: FloeTestsError | None = None
        while not (self._stopped.is_set() or self._clock.passed):
            first = True
            try:
                for piece in self._kube.follow_log(
                    pod, namespace=self._request.namespace, container=EXPORTER
                ):
                    if self._stopped.is_set():
                        return
                    self._messages.put(_LogPiece(piece, first=first))
                    first = False
            except RefusedError as refused:
                if refused.status == 404:  # noqa: PLR2004 - HTTP: the pod is gone
                    error = refused
                    break
            except InfrastructureError as broken:
                error = broken
            else:
                # The API ended the stream: the container has ended, or the kubelet was restarted.
                exporter = self._pod_facts().exporter
                if exporter is None or exporter.state == "terminated" or self._vanished:
                    break
            self._stopped.wait(_WAKE_SECONDS)
        self._messages.put(_LogEnded(error))


def _has_ended(pod: PodFacts) -> bool:
    if pod.phase in {"Succeeded", "Failed"}:
        return True
    return pod.test is not None and pod.test.state == "terminated"


def _seconds(container: ContainerFacts | None) -> float | None:
    if container is None or container.started_at is None:
        return None
    end = container.finished_at or datetime.now(UTC)
    return (end - container.started_at).total_seconds()
