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
from floe_tests.core.signals import no_reason
from floe_tests.core.verdict import Cause
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.pod_end import LastLook
from floe_tests.execution.pod_run import PodRun
from floe_tests.execution.pod_watcher import Heard
from floe_tests.execution.resume import Resume
from floe_tests.execution.sharding import record as records
from floe_tests.execution.sharding.job import single_job, single_name
from floe_tests.execution.sharding.job_parallelism import JobParallelism
from floe_tests.execution.sharding.merge import SuiteEnd, merged
from floe_tests.execution.sharding.parallelism import Parallelism
from floe_tests.execution.sharding.pod import ShardPod
from floe_tests.execution.sharding.pods import ShardPods
from floe_tests.execution.sharding.progress import Progress, Shard, indexes, timings_of_shards
from floe_tests.execution.sharding.record import ShardAttempt
from floe_tests.execution.sharding.suite_job import ShardedSuite, SuiteJob
from floe_tests.execution.sharding.watcher import CONNECTIONS, Done, JobsSeen, ShardWatcher
from floe_tests.execution.start import Start
from floe_tests.execution.suite_run import Log, SuiteRun
from floe_tests.execution.suspension import suspended_by
from floe_tests.execution.timeouts import STOP_GRACE_SECONDS, WAKE_SECONDS
from floe_tests.execution.verdict.facts import DeadlineName
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, timestamp

_API_SECONDS = 90.0
_PROGRESS_SECONDS = 5.0
# Between the suite's own deadline and the Job's, which deletes pods with what they know.
_LAST_SECONDS = 75.0
_SETTLE_SECONDS = 45.0
# What would befall every other shard too.
_HOPELESS = frozenset({Cause.CONFIG, Cause.INFRA_IMAGE})


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
        self._jobs_now: dict[str, JsonObject] = {}
        self._failed_indexes: frozenset[int] = frozenset()
        self._job_passed = False
        self._hopeless: ShardAttempt | None = None
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
                self._decide(index)
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
            if self._clock.passed and not self._job_passed:
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
        if self._hopeless is not None or self._job_passed:
            return not self._pods
        return all(shard.is_done for shard in self._shards)

    # --- What is heard

    def _followed(self) -> Iterable[PodRun]:
        return self._pods.followed

    def _take_other(self, message: object) -> None:
        match message:
            case JobsSeen(jobs=jobs):
                self._jobs_now = jobs
                status = part(jobs.get(self._spec.job_name, {}), "status")
                self._failed_indexes = indexes(str(status.get("failedIndexes") or ""))
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
        def chore() -> Callable[[], None]:
            work()
            return _nothing

        self._shard_watcher.chore(chore)

    def _tick(self) -> None:
        self._parallelism.update(list(self._pods), chore=self._shard_watcher.chore)
        for pod in self._pods.followed:
            # One that the Job takes back is no attempt.
            is_lost = pod.is_gone and not pod.has_ended_by_itself
            if (not is_lost or self._is_for_good(pod)) and self._attend(pod):
                self._judge(pod)
        for index, shard in enumerate(self._shards):
            if shard.retry is not None and shard.retry.passed:
                self._miss(index, shard)
        self._pods.grant_readers()
        self._tell()

    def _is_for_good(self, pod: ShardPod) -> bool:
        """Return whether the Job makes no other pod for a shard whose pod has gone.

        When its parallelism falls, or a queue suspends it, the Job takes pods back, and makes them
        again in their turn.
        """
        shard, job = self._shards[pod.shard], self._jobs_now.get(self._spec.job_name)
        if pod.shard in self._failed_indexes or pod.job != self._spec.job_name or job is None:
            return True
        if suspended_by(job) is not None:
            return False
        # One that never ran may have to wait for its turn; of one that ran somebody must know soon.
        return pod.has_started and shard.gone is not None and shard.gone.passed

    def _miss(self, index: int, shard: Shard) -> None:
        """Note that no pod came for another attempt, unless a queue still holds its Job."""
        name = single_name(self._spec, index, len(shard.attempts) + 1)
        held = suspended_by(self._jobs_now.get(name))
        deadlines = self._spec.deadlines
        if held is not None and shard.retry is not None:
            if shard.retry.elapsed_seconds < deadlines.start_seconds + deadlines.queue_seconds:
                return
            self._log(f"shard {index}: job/{name} is still suspended: {held}")
        shard.retry = None
        self._keep(self._never_ran(index, "queue" if held else "start"))

    def _begin_to_read(self, pod: PodRun) -> None:
        self._pods.ask_for_reader(pod.name)

    def _tell(self) -> None:
        """Say how far the suite is, now and then."""
        line = str(self._progress)
        if line != self._said and self._next_progress.passed:
            self._said, self._next_progress = line, self._spec.deadline(_PROGRESS_SECONDS)
            self._say(line)

    # --- The end of a shard

    def _judge(self, pod: ShardPod) -> None:
        pod.is_judging = True
        self._shard_watcher.chore(partial(self._look_last, pod))

    def _look_last(self, pod: ShardPod) -> Callable[[], None]:
        """Read what may have changed since the last message, and judge. Off the deciding thread."""
        LastLook(self._kube, pod, log=partial(self._say_of, pod)).take()
        attempt = pod.attempt()
        records.write(self._directory, attempt)
        return partial(self._settle, pod, attempt)

    def _say_of(self, pod: ShardPod, line: str) -> None:
        self._log(f"shard {pod.shard}: {line}")

    def _settle(self, pod: ShardPod, attempt: ShardAttempt) -> None:
        """Take a judged pod off the books, and give its capacity back."""
        self._pods.forget(pod)
        if pod.is_there and (not pod.has_ended or pod.has_company):
            grace_seconds = 0 if pod.node_is_lost else STOP_GRACE_SECONDS
            self._do(partial(self._jobs.stop_pod, pod.name, grace_seconds=grace_seconds))
        self._keep(attempt)

    def _keep(self, attempt: ShardAttempt) -> None:
        self._progress.keep(attempt)
        self._decide(attempt.shard)

    def _decide(self, index: int) -> None:
        """Try a shard again where the rule of its verdict says so, or be done with it."""
        shard = self._shards[index]
        last = shard.attempts[-1]
        retries = last.verdict.retries
        if not last.verdict.passed:
            self._log(f"shard {index}, attempt {last.number}: {last.verdict}")
        goes_on = self._hopeless is None and not self._job_passed and not self._seen.cancelled
        if last.number <= retries and goes_on:
            self._log(f"shard {index}: once more in a fresh pod; {retries} such attempts allowed.")
            shard.retry = self._spec.deadline(self._spec.deadlines.start_seconds)
            shard.is_asked_for = True
            self._shard_watcher.chore(partial(self._retry, index, last.number + 1))
            return
        shard.is_done = True
        if last.verdict.cause in _HOPELESS and not self._progress.has_begun:
            self._give_up(last)

    def _retry(self, index: int, number: int) -> Callable[[], None]:
        job = single_job(self._template, self._spec, self._settings, index=index, number=number)
        made = self._jobs.make(job)

        def take() -> None:
            self._seen.error = self._seen.error or made.error

        return take

    def _give_up(self, why: ShardAttempt) -> None:
        """Spare the other shards what has befallen one and will befall all."""
        self._say(f"shard {why.shard} is {why.verdict.cause}, as all would be: the rest is not run")
        self._hopeless = why
        for pod in self._pods:
            self._pods.forget(pod)
        self._jobs.delete()

    def _pass_job_deadline(self) -> None:
        """End what has not ended by the suite's deadline; what it has to say is still heard."""
        self._say("the shards did not all end by the Job's deadline: stopping the rest")
        self._job_passed = True
        self._do(self._jobs.delete)
        for pod in self._pods.followed:
            if pod.has_started:
                pod.pass_deadline("job")
            else:
                pod.pass_deadline("start")
                self._judge(pod)

    def _never_ran(self, index: int, deadline: DeadlineName | None) -> ShardAttempt:
        facts = self._seen.facts(elapsed_seconds=self._elapsed_seconds)
        return self._progress.never_ran(index, facts=facts, deadline=deadline)

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
            not_run=None if self._hopeless is None else self._hopeless.subject,
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
        if self._hopeless is not None:
            return
        began = bool(self._progress.attempts)
        for index, shard in enumerate(self._shards):
            if not shard.attempts:
                deadline = None if self._never_came else "job" if began else "start"
                shard.attempts.append(self._never_ran(index, deadline))


def _nothing() -> None:
    """Do nothing more."""
