"""Runs a suite in shards as one Indexed Job, and follows all of its pods to their ends.

One thread decides; it is told by two watches, by a bounded number of readers of logs, and by a few
threads that do what takes its time. A shard that the infrastructure ended is tried again in a fresh
pod by the rule of its verdict, as a suite of one pod is. See docs/shards.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from floe_tests.core import labels
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.log import Log
from floe_tests.core.signals import no_reason
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.pod_run import PodRun
from floe_tests.execution.pod_watcher import Heard
from floe_tests.execution.resume import Resume
from floe_tests.execution.sharding import record as records
from floe_tests.execution.sharding.job_parallelism import JobParallelism
from floe_tests.execution.sharding.merge import SuiteEnd, merged
from floe_tests.execution.sharding.parallelism import Parallelism
from floe_tests.execution.sharding.pod import ShardPod
from floe_tests.execution.sharding.pods import ShardPods
from floe_tests.execution.sharding.progress import Progress, timings_of_shards
from floe_tests.execution.sharding.shard_ends import ShardEnds
from floe_tests.execution.sharding.suite_job import ShardedSuite, SuiteJob
from floe_tests.execution.sharding.watcher import CONNECTIONS, Done, JobsSeen, ShardWatcher
from floe_tests.execution.start import Start
from floe_tests.execution.suite_run import SuiteRun
from floe_tests.execution.timeouts import WAKE_SECONDS
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, timestamp

_API_SECONDS = 90.0
_PROGRESS_SECONDS = 5.0
# Between the suite's own deadline and the Job's, which deletes pods with what they know.
_LAST_SECONDS = 75.0
_SETTLE_SECONDS = 45.0


class ShardedRun(SuiteRun):
    """One attempt to run a suite in shards."""

    def __init__(
        self,
        access: ClusterAccess,
        suite: ShardedSuite,
        *,
        directory: Path,
        log: Log,
        why_cancelled: Callable[[], str | None] = no_reason,
        resume: Resume | None = None,
    ) -> None:
        """Prepare; nothing is created yet.

        Args:
            access: The cluster.
            suite: What is run.
            directory: Where its results go.
            log: Receives progress.
            why_cancelled: Returns the reason that was left for a cancellation.
            resume: What there is to know of a process before this one, or after it.
        """
        spec, shards = suite.spec, suite.settings
        super().__init__(
            Kube(access, patience_seconds=_API_SECONDS, connections=CONNECTIONS),
            suite.template,
            spec,
            directory=directory,
            log=log,
            why_cancelled=why_cancelled,
            resume=resume,
        )
        self._settings = shards
        self._progress = Progress(shards.count, directory=directory, job=spec.job_name)
        self._shards = self._progress.shards
        self._pods = ShardPods(self._progress, make=self._make_pod, stop=self._stop_pod)
        self._next_progress = spec.deadline(_PROGRESS_SECONDS)
        self._said = ""
        self._clock = spec.deadline(spec.deadlines.job_seconds)
        self._shard_watcher = ShardWatcher(
            self._kube,
            namespace=spec.namespace,
            selector=self._jobs.selector,
            deadline=spec.deadline(
                spec.deadlines.queue_seconds + spec.deadlines.job_seconds + 4 * _LAST_SECONDS
            ),
        )
        self._watcher = self._shard_watcher
        self._ends = ShardEnds(
            self._kube,
            suite,
            self._pods,
            jobs=self._jobs,
            watcher=self._shard_watcher,
            seen=self._seen,
            elapsed=lambda: self._elapsed_seconds,
            directory=directory,
            log=log,
        )
        wanted = Parallelism(
            run=spec.owner.labels()[labels.RUN],
            wish=shards.parallelism or shards.count,
            log=self._say,
            clock=spec.clock,
        )
        self._parallelism = JobParallelism(
            self._kube, suite.template, spec, wanted=wanted, say=self._say
        )
        self._suite_job = SuiteJob(self._kube, suite, self._parallelism, say=self._say)
        self._start = Start(self._seen)
        self._arriving = self._arrival(self._start)
        self._never_came = False

    # --- From the Job to the last shard

    def _job(self) -> JsonObject:
        # This run's own deadline comes first: it lets the pods say what they know.
        limit = self._spec.deadlines.job_seconds + _LAST_SECONDS
        return self._suite_job.manifest(active_seconds=int(limit))

    def _go_on_from(self, job: JsonObject) -> None:
        self._seen.error = self._suite_job.misfit(job)
        if self._seen.error is not None:
            self._jobs.delete()
            return
        if self._is_resumed:
            self._recall(job)
        if part(job, "spec").get("suspend"):
            self._seen.error = self._suite_job.make_plan(job)
            if self._seen.error is not None:
                return
            self._seen.job = self._suite_job.let_go(job) or self._seen.job
            self._clock = self._spec.deadline(self._spec.deadlines.job_seconds)
        self._watcher.watch()

    def _recall(self, job: JsonObject) -> None:
        """Go on where the process before this one was."""
        began = timestamp(part(job, "status").get("startTime"))
        if began is not None:
            gone = (datetime.now(UTC) - began).total_seconds()
            self._clock = self._spec.deadline(max(0.0, self._spec.deadlines.job_seconds - gone))
        self._parallelism.resume(job)
        for index, shard in enumerate(self._shards):
            if shard.attempts:
                self._ends.decide(index)
        self._say(
            f"already there: {self._progress.done} of {self._settings.count} shards have ended"
        )

    def _remember(self) -> None:
        self._progress.recall()

    def _lacks_pods(self) -> bool:
        return not all(shard.attempts for shard in self._shards)

    def _follow(self) -> None:
        while not self._is_done:
            self._take_all(wait_seconds=WAKE_SECONDS)
            if self._seen.error is not None:
                return
            if not self._pods and not self._progress.attempts:
                self._never_came = self._arriving.is_over()
                if self._never_came:
                    return
            if self._is_held_back:
                self._clock = self._spec.deadline(self._spec.deadlines.job_seconds)
            if self._clock.passed and not self._ends.is_closed:
                self._pass_job_deadline()
            if self._clock.elapsed_seconds > self._clock.seconds + _LAST_SECONDS:
                return
            self._tick()

    @property
    def _is_held_back(self) -> bool:
        """Whether a queue lets nothing of the suite begin."""
        if self._progress.attempts or not self._pods:
            return not self._progress.attempts and self._start.is_held_back
        return all(pod.start.is_held_back for pod in self._pods)

    @property
    def _is_done(self) -> bool:
        if self._ends.hopeless is not None or self._ends.is_closed:
            return not self._pods
        return all(shard.is_done for shard in self._shards)

    # --- What is heard

    def _followed(self) -> Iterable[PodRun]:
        return self._pods.followed

    def _take_other(self, message: object) -> None:
        match message:
            case JobsSeen(jobs=jobs):
                self._ends.see_jobs(jobs)
            case Done(then=then):
                then()
            case _:
                raise TypeError(message)

    def _hear(self, heard: Heard) -> None:
        self._pods.hear(heard)

    def _make_pod(self, name: str, shard: int, number: int) -> ShardPod:
        return ShardPod(
            self._spec,
            place=(shard, number),
            container=self._template.container,
            directory=records.directory_of(self._directory, shard, number),
            watcher=self._watcher.pod(name),
            log=self._log,
            keeps_frames=self._resume.is_possible,
            is_resumed=self._is_resumed,
        )

    def _stop_pod(self, name: str) -> None:
        self._do(partial(self._jobs.stop_pod, name))

    # --- What is done about it, twice a second

    def _do(self, work: Callable[[], None]) -> None:
        self._ends.do(work)

    def _tick(self) -> None:
        self._parallelism.update(list(self._pods), chore=self._shard_watcher.chore)
        for pod in self._pods.followed:
            # One that the Job takes back is no attempt.
            is_lost = pod.is_gone and not pod.has_ended_by_itself
            if (not is_lost or self._ends.is_for_good(pod)) and self._attend(pod):
                self._ends.judge(pod)
        self._ends.miss_late()
        self._pods.grant_readers()
        self._tell()

    def _begin_to_read(self, pod: PodRun) -> None:
        self._pods.ask_for_reader(pod.name)

    def _tell(self) -> None:
        """Say how far the suite is, now and then."""
        line = str(self._progress)
        if line != self._said and self._next_progress.passed:
            self._said, self._next_progress = line, self._spec.deadline(_PROGRESS_SECONDS)
            self._say(line)

    def _pass_job_deadline(self) -> None:
        """End what has not ended by the suite's deadline; what it has to say is still heard."""
        self._say("the shards did not all end by the Job's deadline: stopping the rest")
        self._ends.is_closed = True
        self._do(self._jobs.delete)
        for pod in self._pods.followed:
            if pod.has_started:
                pod.pass_deadline("job")
            else:
                pod.pass_deadline("start")
                self._ends.judge(pod)

    # --- The end of the suite

    def _lost_pods(self) -> set[str]:
        attempts = self._progress.attempts
        return {each.pod for each in attempts if each.pod and each.facts.node is not None}

    def _finish(self) -> Attempt:
        """Gather what is still on its way, prove the whole, and let go of the threads."""
        settling = self._spec.deadline(_SETTLE_SECONDS)
        while any(pod.is_judging for pod in self._pods) and not settling.passed:
            with contextlib.suppress(FloeTestsError):
                self._take_all(wait_seconds=WAKE_SECONDS)
        self._watcher.stop()
        for pod in self._pods:
            self._end_early(pod)
        self._account_for_the_rest()
        self._say(str(self._progress))
        end = SuiteEnd(
            subject=self._seen.subject,
            count=self._settings.count,
            attempts=self._progress.attempts,
            cancelled=self._seen.cancelled,
            error=self._seen.error,
            not_run=None if self._ends.hopeless is None else self._ends.hopeless.subject,
            elapsed_seconds=self._elapsed_seconds,
            deadlines=self._spec.deadlines,
        )
        facts, verdict = merged(self._directory, end)
        if self._never_came:
            # Nothing has begun, so nothing would run twice.
            again = max(attempt.verdict.retries for attempt in end.attempts)
            verdict = replace(verdict, retries=again)
        return Attempt(
            suite=self._spec.suite,
            number=self._spec.attempt,
            directory=self._directory,
            started_at=self._started_at,
            facts=facts,
            verdict=verdict,
            timings=timings_of_shards(end.attempts, total=self._elapsed_seconds),
            shards=tuple(records.summary_of(attempt) for attempt in end.attempts),
        )

    def _end_early(self, pod: ShardPod) -> None:
        pod.seen.cancelled = self._seen.cancelled
        pod.seen.error = self._seen.error if self._seen.cancelled is None else None
        self._pods.forget(pod)
        self._progress.keep(pod.attempt(), is_written=False)

    def _account_for_the_rest(self) -> None:
        """Add the attempt of a shard that no pod was made for: none is left out."""
        if self._ends.hopeless is not None:
            return
        began = bool(self._progress.attempts)
        for index, shard in enumerate(self._shards):
            if not shard.attempts:
                deadline = None if self._never_came else "job" if began else "start"
                shard.attempts.append(self._ends.never_ran(index, deadline))
