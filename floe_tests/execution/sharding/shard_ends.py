"""What follows the end of a shard's pod: it is judged, and the shard tried again or done with.

A shard that the infrastructure ended is tried again in a fresh pod by the rule of its verdict, as a
suite of one pod is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from floe_tests.core.log import Log
from floe_tests.core.verdict import HOPELESS
from floe_tests.execution.observation import Observation
from floe_tests.execution.own_jobs import OwnJobs
from floe_tests.execution.pod_end import LastLook
from floe_tests.execution.sharding import record as records
from floe_tests.execution.sharding.job import single_job, single_name
from floe_tests.execution.sharding.pod import ShardPod
from floe_tests.execution.sharding.pods import ShardPods
from floe_tests.execution.sharding.progress import Shard, indexes
from floe_tests.execution.sharding.record import ShardAttempt
from floe_tests.execution.sharding.suite_job import ShardedSuite
from floe_tests.execution.sharding.watcher import ShardWatcher
from floe_tests.execution.suspension import suspended_by
from floe_tests.execution.timeouts import STOP_GRACE_SECONDS
from floe_tests.execution.verdict.facts import DeadlineName
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part


class ShardEnds:
    """Decides about shards whose pods have ended, or do not come.

    Attributes:
        hopeless: The attempt that has shown that no other shard would run either.
        is_closed: Whether no shard is tried again: the suite's time is over.
    """

    def __init__(  # noqa: PLR0913 - what there is to decide by
        self,
        kube: Kube,
        suite: ShardedSuite,
        pods: ShardPods,
        *,
        jobs: OwnJobs,
        watcher: ShardWatcher,
        seen: Observation,
        elapsed: Callable[[], float],
        directory: Path,
        log: Log,
    ) -> None:
        """Begin with none ended.

        Args:
            kube: The cluster; a patient one.
            suite: What is run.
            pods: The pods that are followed, and how far the shards are.
            jobs: Makes and ends Jobs and pods.
            watcher: Has done what takes its time.
            seen: What is seen of the suite's Job.
            elapsed: Returns the seconds since the attempt began.
            directory: Folder of the suite's attempt.
            log: Receives what is decided.
        """
        self._kube = kube
        self._suite = suite
        self._spec = suite.spec
        self._pods = pods
        self._progress = pods.progress
        self._jobs = jobs
        self._watcher = watcher
        self._seen = seen
        self._elapsed = elapsed
        self._directory = directory
        self._log = log
        self._jobs_now: Mapping[str, JsonObject] = {}
        self._failed_indexes: frozenset[int] = frozenset()
        self.hopeless: ShardAttempt | None = None
        self.is_closed = False

    def see_jobs(self, jobs: Mapping[str, JsonObject]) -> None:
        """Take the suite's Jobs as they are now, by name."""
        self._jobs_now = jobs
        status = part(jobs.get(self._spec.job_name, {}), "status")
        self._failed_indexes = indexes(str(status.get("failedIndexes") or ""))

    def do(self, work: Callable[[], None]) -> None:
        """Have a request made that may take its time."""

        def chore() -> Callable[[], None]:
            work()
            return _nothing

        self._watcher.chore(chore)

    def miss_late(self) -> None:
        """Be done with attempts that no pod came for in time."""
        for index, shard in enumerate(self._progress.shards):
            if shard.retry is not None and shard.retry.passed:
                self._miss(index, shard)

    def is_for_good(self, pod: ShardPod) -> bool:
        """Return whether the Job makes no other pod for a shard whose pod has gone.

        When its parallelism falls, or a queue suspends it, the Job takes pods back, and makes them
        again in their turn.
        """
        shard, job = self._progress.shards[pod.shard], self._jobs_now.get(self._spec.job_name)
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
        self._keep(self.never_ran(index, "queue" if held else "start"))

    def judge(self, pod: ShardPod) -> None:
        """Judge a pod that is over."""
        pod.is_judging = True
        self._watcher.chore(partial(self._look_last, pod))

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
            self.do(partial(self._jobs.stop_pod, pod.name, grace_seconds=grace_seconds))
        self._keep(attempt)

    def _keep(self, attempt: ShardAttempt) -> None:
        self._progress.keep(attempt)
        self.decide(attempt.shard)

    def decide(self, index: int) -> None:
        """Try a shard again where the rule of its verdict says so, or be done with it."""
        shard = self._progress.shards[index]
        last = shard.attempts[-1]
        retries = last.verdict.retries
        if not last.verdict.passed:
            self._log(f"shard {index}, attempt {last.number}: {last.verdict}")
        goes_on = self.hopeless is None and not self.is_closed and not self._seen.cancelled
        if last.number <= retries and goes_on:
            self._log(f"shard {index}: once more in a fresh pod; {retries} such attempts allowed.")
            shard.retry = self._spec.deadline(self._spec.deadlines.start_seconds)
            shard.is_asked_for = True
            self._watcher.chore(partial(self._retry, index, last.number + 1))
            return
        shard.is_done = True
        if last.verdict.cause in HOPELESS and not self._progress.has_begun:
            self._give_up(last)

    def _retry(self, index: int, number: int) -> Callable[[], None]:
        job = single_job(
            self._suite.template, self._spec, self._suite.settings, index=index, number=number
        )
        made = self._jobs.make(job)

        def take() -> None:
            self._seen.error = self._seen.error or made.error

        return take

    def _give_up(self, why: ShardAttempt) -> None:
        """Spare the other shards what has befallen one and will befall all."""
        self._log(
            f"{self._seen.subject}: shard {why.shard} is {why.verdict.cause}, as all would be: the "
            "rest is not run"
        )
        self.hopeless = why
        for pod in self._pods:
            self._pods.forget(pod)
        self._jobs.delete()

    def never_ran(self, index: int, deadline: DeadlineName | None) -> ShardAttempt:
        """Return the attempt at a shard that no pod was made for in time."""
        facts = self._seen.facts(elapsed_seconds=self._elapsed())
        return self._progress.never_ran(index, facts=facts, deadline=deadline)


def _nothing() -> None:
    """Do nothing more."""
