"""Runs one attempt of a suite as a Job, and follows it to its end.

Everything is driven by a watch on the pod and by the exporter's log; a listener hears, the caller's
thread decides. Every wait has a deadline, and whatever ends the attempt, what arrived is kept.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from floe_tests import labels
from floe_tests.clusters.ownership import create_owned
from floe_tests.clusters.signals import held_signals, no_reason, reason_of
from floe_tests.deadline import Deadline
from floe_tests.errors import CleanupError, DeadlineError, FloeTestsError, InfrastructureError
from floe_tests.jobs.attempt import Attempt, judge, timings_of
from floe_tests.jobs.facts import DeadlineName, ErrorFacts, PodFacts, node_facts, run_seconds
from floe_tests.jobs.handover import FrameJournal, Handover
from floe_tests.jobs.listener import (
    FramesAgain,
    Listener,
    LogEnded,
    LogPiece,
    Message,
    PodSeen,
    Unreachable,
    lines_of,
)
from floe_tests.jobs.lost_frames import LostFrames
from floe_tests.jobs.manifest import EXPORTER, JobRequest, JobTemplate, build_job
from floe_tests.jobs.observation import Observation, has_ended
from floe_tests.jobs.pod_end import dismiss_exporter, exporter_lingers, save_pod_log
from floe_tests.jobs.receiver import Receiver
from floe_tests.jobs.start import Start
from floe_tests.jobs.waits import (
    EVENT_SECONDS,
    EXPORT_SECONDS,
    LAST_SILENCE_SECONDS,
    NODE_LOOK_SECONDS,
    REMOVE_SECONDS,
    SILENT_SECONDS,
    STOP_GRACE_SECONDS,
    TESTS_SLACK_SECONDS,
    WAKE_SECONDS,
)
from floe_tests.kube import JsonObject, Kube, RefusedError, job_has_ended, part, pod_is_over

Log = Callable[[str], None]

_POD_LOG_BYTES = 5 * 1024 * 1024
_NOT_FOUND = 404
_CONFLICT = 409


class JobRun:
    """One attempt to run a suite as a Job."""

    def __init__(  # noqa: PLR0913 - what an attempt is made of
        self,
        kube: Kube,
        template: JobTemplate,
        request: JobRequest,
        *,
        directory: Path,
        log: Log,
        why_cancelled: Callable[[], str | None] = no_reason,
        handover: Handover | None = None,
    ) -> None:
        """Prepare; nothing is created yet.

        Args:
            kube: The cluster; a patient one, so that a restart of its API ends nothing.
            template: The suite's test-job.yaml.
            request: What this attempt adds to it.
            directory: Where its results go.
            log: Receives progress.
            why_cancelled: Gives the reason that was left for a cancellation.
            handover: What there is to know of a process before this one, or after it.
        """
        self._kube = kube
        # For looks that may fail: the deadlines must not wait for them.
        self._glance = Kube(kube.access)
        self._template = template
        self._request = request
        self._directory = directory
        self._log = log
        self._why_cancelled = why_cancelled
        self._handover = handover or Handover()
        if self._handover.is_begun:
            # Received anew, from the frames: half a file is no beginning.
            shutil.rmtree(directory / "results", ignore_errors=True)
        self._journal = FrameJournal(directory, log=log) if self._handover.is_possible else None
        self._receiver = Receiver(directory / "results", log=log, journal=self._journal)
        self._seen = Observation(request, template.container)
        self._events_read_at = 0.0
        self._node_read_at = 0.0
        self._read_again_at = 0.0
        self._follows_log = False
        self._log_done = False
        self._is_taken_up = False
        self._start = Start(request.deadlines, self._seen)
        self._export: Deadline | None = None
        self._tests: Deadline | None = None
        self._started_at = datetime.now(UTC)
        self._clock = Deadline(
            request.deadlines.start_seconds + request.deadlines.job_seconds + EXPORT_SECONDS
        )
        self._listener = Listener(
            kube, namespace=request.namespace, job=request.job_name, deadline=self._clock
        )
        self._lost = LostFrames(self._receiver, self._listener, log=log)

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        """Create the Job, follow it to its end, and give the judged attempt.

        Args:
            record: Receives the attempt, also when the run is interrupted.

        Raises:
            BaseException: Whatever interrupted the run, after its results so far were recorded.
        """
        try:
            self._create()
            if self._seen.error is None:
                self._follow()
        except FloeTestsError as error:
            self._seen.error = ErrorFacts("infrastructure", str(error), error.evidence)
        except BaseException as interrupt:
            if self._handover.is_due():
                self._leave()
                raise
            with held_signals(self._log):
                self._cancel(reason_of(interrupt, self._why_cancelled, doing=self._subject))
                record(self._finish())
            raise
        attempt = self._finish()
        record(attempt)
        return attempt

    def remove(self) -> None:
        """Delete the Job and wait until its pod is gone, so that a fresh one finds its room.

        On a node that is lost nobody can end the pod: there it is struck from the cluster's books.

        Raises:
            CleanupError: It is still there.
        """
        name, namespace = self._request.job_name, self._request.namespace
        try:
            self._delete(grace_seconds=0 if self._seen.node else STOP_GRACE_SECONDS)
            # From here: the API may have taken its time to hear of it.
            deadline = Deadline(REMOVE_SECONDS)
            for pods in self._kube.follow(
                "Pod", namespace=namespace, label_selector=f"job-name={name}", deadline=deadline
            ):
                # One that has ended takes no room: the Job controller, which may be away as long as
                # the API was, still has to strike it from its books.
                if all(map(pod_is_over, pods.values())):
                    return
        except DeadlineError as error:
            message = (
                f"the pod of {self._subject} is still there {REMOVE_SECONDS:g} s after its "
                f"deletion. See `{self._kube.access.kubectl('get pods --namespace', namespace)}`."
            )
            raise CleanupError(message) from error
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise

    @property
    def _subject(self) -> str:
        return self._seen.subject

    def _leave(self) -> None:
        """Let the Job run, for the process that takes it up."""
        self._listener.stop()
        if self._journal is not None:
            self._journal.close()
        self._log(f"{self._subject} goes on: the process that takes this run up follows it")

    def _create(self) -> None:
        if self._handover.is_begun:
            self._take_up(self._found())
            return
        job = build_job(self._template, self._request)
        try:
            create_owned(self._kube, job, namespace=self._request.namespace)
        except RefusedError as error:
            # A process before was killed between the creation and its note of it.
            found = self._found() if error.status == _CONFLICT else None
            if found is not None:
                self._handover.begin()
                self._take_up(found)
                return
            party = "configuration" if _is_for_good(error) else "infrastructure"
            self._seen.error = ErrorFacts(party, f"{self._template.path}: {error}")
            return
        self._handover.begin()
        self._log(f"{self._subject} created in {self._request.namespace}")
        self._listener.watch()

    def _found(self) -> JsonObject | None:
        """Give this attempt's Job as a process before has created it; None when there is none."""
        found = self._kube.get("Job", self._request.job_name, namespace=self._request.namespace)
        run_id = part(found or {}, "metadata", "labels").get(labels.RUN)
        return found if run_id == labels.label_value(self._request.owner.run_id) else None

    def _take_up(self, job: JsonObject | None) -> None:
        """Go on with a Job that a process before has created."""
        if job is None or (job_has_ended(job) and not self._pods()):
            gone = (
                f"{self._subject} was created by the process before this one, and its pod is gone"
            )
            self._seen.error = ErrorFacts("infrastructure", gone)
            return
        self._is_taken_up = True
        self._started_at = datetime.fromisoformat(str(job["metadata"]["creationTimestamp"]))
        self._log(
            f"{self._subject} is taken up, {self._elapsed_seconds:.0f} s after its creation; its "
            "results are read from their beginning"
        )
        self._listener.watch()

    def _pods(self) -> list[JsonObject]:
        namespace, selector = self._request.namespace, f"job-name={self._request.job_name}"
        return self._kube.list("Pod", namespace=namespace, label_selector=selector)

    @property
    def _elapsed_seconds(self) -> float:
        """Seconds since the attempt began, in whichever process."""
        if not self._is_taken_up:
            return self._clock.elapsed_seconds
        return (datetime.now(UTC) - self._started_at).total_seconds()

    def _follow(self) -> None:
        while not self._clock.passed:
            self._take_all(wait_seconds=WAKE_SECONDS)
            if self._seen.error is not None or self._is_over():
                return
        self._seen.pass_deadline("job")

    def _take_all(self, *, wait_seconds: float) -> None:
        message = self._listener.next(timeout_seconds=wait_seconds)
        while message is not None:
            self._take(message)
            message = self._listener.next(timeout_seconds=0)

    def _take(self, message: Message) -> None:
        match message:
            case PodSeen(pod=pod):
                self._see(pod)
            case LogPiece(data=data, first=first):
                if first:
                    self._receiver.begin()
                self._receiver.feed(data)
            case LogEnded():
                self._log_done = True
            case FramesAgain():
                self._lost.take(message)
            case Unreachable(error=error):
                self._seen.error = ErrorFacts("infrastructure", str(error), error.evidence)

    def _see(self, pod: JsonObject | None) -> None:
        first = self._seen.pod is None
        self._seen.see(pod)
        facts = self._seen.pod_facts()
        if pod is None or facts is None:
            return
        if first:
            self._log(f"pod/{facts.name} created")
        exporter = facts.exporter
        if exporter is not None and exporter.state != "waiting" and not self._follows_log:
            self._follows_log = True
            self._listener.follow_log(facts.name, is_over=self._exporter_is_over)
        if facts.test is not None and facts.test.state == "running" and self._tests is None:
            self._log(f"tests started on {facts.node}")
            ran = run_seconds(facts.test) if self._is_taken_up else None
            left = self._request.deadlines.tests_seconds + TESTS_SLACK_SECONDS - (ran or 0)
            self._tests = Deadline(max(0.0, left))

    def _exporter_is_over(self) -> bool:
        """Tell whether the exporter writes no more: a sidecar that fails is started again."""
        facts = self._seen.pod_facts()
        if facts is None or self._seen.vanished:
            return True
        return has_ended(facts) and not facts.exporter_runs

    def _is_over(self) -> bool:
        """Decide whether there is nothing more to wait for."""
        pod = self._seen.pod_facts()
        if pod is None:
            return self._no_pod_is_over()
        self._lost.ask(pod)
        if self._export is not None:
            self._read_what_is_not_followed(pod)
            return self._export.passed or self._receiver.has_manifest or self._nothing_comes()
        if self._seen.vanished or has_ended(pod):
            self._export = Deadline(EXPORT_SECONDS if self._follows_log else 0)
            return not self._follows_log
        if self._node_is_lost(pod):
            return True
        if self._tests is not None:
            if self._tests.passed:
                self._log("the tests did not end by their deadline: stopping the pod")
                self._stop("tests", pod.name)
            return False
        return self._start.is_over(pod)

    def _read_what_is_not_followed(self, pod: PodFacts) -> None:
        """Read the log of an exporter that should be sending its last, and is not heard.

        After a rotation the API may go on following the file that was put aside.
        """
        silent = self._receiver.silent_seconds
        again = self._clock.elapsed_seconds - self._read_again_at
        if silent is None or min(silent, again) < LAST_SILENCE_SECONDS or self._seen.vanished:
            return
        try:
            self._read_log_again(pod.name)
        except InfrastructureError:
            # The one that is followed, and the last look, have their own tries.
            return

    def _nothing_comes(self) -> bool:
        return self._log_done and not self._lost.is_asking

    def _node_is_lost(self, pod: PodFacts) -> bool:
        """Look at the node of a pod that says nothing any more."""
        silent = self._receiver.silent_seconds
        now = self._clock.elapsed_seconds
        is_quiet = silent is None or silent > SILENT_SECONDS
        if not pod.node or not is_quiet or now - self._node_read_at < NODE_LOOK_SECONDS:
            return False
        self._node_read_at = now
        try:
            node = node_facts(pod.node, self._glance.get("Node", pod.node))
        except InfrastructureError:
            # Reading nodes is a right of its own: without it, the cluster removes the pod in time.
            # And an API that is away says nothing of the node.
            return False
        if node.is_heard_of:
            return False
        self._log(f"node {pod.node} is lost, and pod/{pod.name} with it")
        self._seen.node = node
        return True

    def _no_pod_is_over(self) -> bool:
        if self._clock.elapsed_seconds - self._events_read_at > EVENT_SECONDS:
            with contextlib.suppress(InfrastructureError):
                self._read_events(self._glance)
        refused = any(item.get("reason") == "FailedCreate" for item in self._seen.events)
        if refused and self._start.is_refused():
            return True
        return self._start.is_late()

    def _stop(self, deadline: DeadlineName, pod: str) -> None:
        self._seen.pass_deadline(deadline)
        self._kube.delete(
            "Pod", pod, namespace=self._request.namespace, grace_seconds=STOP_GRACE_SECONDS
        )
        self._export = Deadline(EXPORT_SECONDS)

    def _cancel(self, reason: str) -> None:
        """Say on the Job why it ends, end it, and take what its exporter still sends."""
        self._seen.cancelled = reason
        self._log(f"{self._subject}: cancelled, {reason}")
        name, namespace = self._request.job_name, self._request.namespace
        try:
            stamp = {"metadata": {"annotations": {labels.CANCELLED_ANNOTATION: reason}}}
            self._kube.patch("Job", name, stamp, namespace=namespace)
            self._delete(grace_seconds=STOP_GRACE_SECONDS)
        except FloeTestsError as error:
            self._log(f"{self._subject} could not be deleted ({error}); its namespace goes next")
        last = Deadline(STOP_GRACE_SECONDS if self._follows_log else 0)
        while not (last.passed or self._log_done or self._receiver.has_manifest):
            self._take_all(wait_seconds=WAKE_SECONDS)

    def _delete(self, *, grace_seconds: int) -> None:
        """Ask for the end of the pod, in its own time, and of the Job."""
        namespace = self._request.namespace
        if self._seen.pod_name is not None:
            self._kube.delete(
                "Pod", self._seen.pod_name, namespace=namespace, grace_seconds=grace_seconds
            )
        self._kube.delete("Job", self._request.job_name, namespace=namespace)

    def _finish(self) -> Attempt:
        """Gather the last facts, judge, and let go of the threads."""
        self._listener.stop()
        # After an error there is nothing to see, or nobody who answers.
        job = self._last_look() if self._seen.error is None else None
        if self._journal is not None:
            self._journal.remove()
        facts = self._seen.facts(job, elapsed_seconds=self._elapsed_seconds)
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
            timings=timings_of(
                facts,
                verdict,
                total=self._elapsed_seconds,
                passed_at=self._seen.passed_at,
            ),
        )

    def _last_look(self) -> JsonObject | None:
        """Read what may have changed since the last message, and give the Job as it is now."""
        job: JsonObject | None = None
        try:
            job = self._kube.get("Job", self._request.job_name, namespace=self._request.namespace)
            self._read_events(self._kube)
            # On a lost node nobody answers for the log.
            if self._seen.node is None:
                self._look_at_pod()
        except FloeTestsError as error:
            self._log(f"{self._subject}: the last look failed: {error}")
        return job

    def _look_at_pod(self) -> None:
        name = self._seen.pod_name
        if name is None:
            return
        now = self._kube.get("Pod", name, namespace=self._request.namespace)
        if now is None or not self._seen.is_same(now):
            return
        self._seen.see(now)
        if self._follows_log and not self._receiver.has_manifest:
            self._read_log_again(name)
        save_pod_log(
            self._kube,
            name,
            namespace=self._request.namespace,
            container=self._template.container,
            directory=self._directory,
            limit_bytes=_POD_LOG_BYTES,
        )
        if exporter_lingers(self._seen.pod_facts(), self._receiver):
            dismiss_exporter(self._kube, name, namespace=self._request.namespace)

    def _read_log_again(self, pod: str) -> None:
        """Read the log as it stands, beside the one that is followed."""
        self._read_again_at = self._clock.elapsed_seconds
        pieces = self._kube.log_pieces(pod, namespace=self._request.namespace, container=EXPORTER)
        self._receiver.feed_lines(lines_of(pieces))

    def _read_events(self, kube: Kube) -> None:
        self._events_read_at = self._clock.elapsed_seconds
        self._seen.see_events(kube.list("Event", namespace=self._request.namespace))


def _is_for_good(refusal: RefusedError) -> bool:
    """Tell a Job that is wrong from a namespace or a server that is going away."""
    namespace_goes = refusal.status == _NOT_FOUND or "being terminated" in str(refusal)
    return not (refusal.is_passing or namespace_goes)
