"""Runs a suite in shards as one Indexed Job, and follows all of its pods to their ends.

One thread decides; it is told by two watches, by a bounded number of readers of logs, and by a few
threads that do what takes its time. A shard that the infrastructure ended is tried again in a fresh
pod by the rule of its verdict, as a suite of one pod is. See docs/shards.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

from floe_tests import labels
from floe_tests.clusters.ownership import create_owned
from floe_tests.clusters.signals import held_signals, no_reason, reason_of
from floe_tests.deadline import Deadline
from floe_tests.errors import (
    CleanupError,
    DeadlineError,
    FloeTestsError,
    InfrastructureError,
)
from floe_tests.jobs.attempt import Attempt, Timings
from floe_tests.jobs.facts import (
    DeadlineName,
    ErrorFacts,
    Facts,
    NodeFacts,
    node_facts,
    timestamp,
)
from floe_tests.jobs.handover import Handover
from floe_tests.jobs.listener import FramesAgain, LogEnded, LogPiece, Message, PodSeen, Unreachable
from floe_tests.jobs.manifest import (
    JobRequest,
    JobTemplate,
    build_job,
)
from floe_tests.jobs.pod_end import dismiss_exporter, save_pod_log
from floe_tests.jobs.shards import record as records
from floe_tests.jobs.shards.job import indexed_job, place_of, plan_config_map, single_job
from floe_tests.jobs.shards.listener import (
    CHORES,
    CONNECTIONS,
    Done,
    Heard,
    JobsSeen,
    Readers,
    ShardListener,
    ShardMessage,
)
from floe_tests.jobs.shards.merge import SuiteEnd, merged, read_account
from floe_tests.jobs.shards.plan import Plan
from floe_tests.jobs.shards.pod import ShardPod
from floe_tests.jobs.shards.record import ShardAttempt
from floe_tests.jobs.shards.room import Room, look
from floe_tests.jobs.shards.window import LOOK_SECONDS, UNPLACED_SECONDS, Window
from floe_tests.jobs.verdict import Cause, classify
from floe_tests.jobs.waits import (
    EVENT_SECONDS,
    NODE_LOOK_SECONDS,
    REFUSED_SECONDS,
    REMOVE_SECONDS,
    STOP_GRACE_SECONDS,
    WAKE_SECONDS,
)
from floe_tests.kube import ClusterAccess, JsonObject, Kube, RefusedError, part, pod_is_over
from floe_tests.settings import ShardSettings

Log = Callable[[str], None]

_API_SECONDS = 90.0
_PROGRESS_SECONDS = 5.0
# What is left of a shard after its pod has gone, until the Job's own account of it is awaited no
# longer: the Job controller counts within seconds, and may be away as long as the API server.
_GONE_SECONDS = 60.0
# Between the suite's own deadline and the Job's, which deletes pods with what they know.
_LAST_SECONDS = 75.0
# Of each shard: 250 of them are as much as one suite's 5 MiB and some.
_POD_LOG_BYTES = 256 * 1024
_CONFLICT = 409
_SETTLE_SECONDS = 45.0
# What would befall every other shard too.
_HOPELESS = frozenset({Cause.CONFIG, Cause.INFRA_IMAGE})


@dataclass
class _Shard:
    """One shard: its pod now, and what came before.

    Attributes:
        attempts: Its judged attempts.
        pod: Its pod; None while there is none.
        gone: Runs since its pod has gone, until somebody says whether another one comes.
        retry: Runs since a Job for another attempt was asked for, until its pod is there.
        is_done: Whether its last attempt is judged.
    """

    attempts: list[ShardAttempt] = field(default_factory=list[ShardAttempt])
    pod: ShardPod | None = None
    gone: Deadline | None = None
    retry: Deadline | None = None
    is_done: bool = False


@dataclass(frozen=True)
class ShardedSuite:
    """What is run in shards.

    Attributes:
        template: The suite's test-job.yaml.
        request: What this attempt adds to it.
        settings: How many shards, and how many at once.
        plan: Gives which test belongs to which shard.
    """

    template: JobTemplate
    request: JobRequest
    settings: ShardSettings
    plan: Callable[[], Plan]


class ShardedRun:
    """One attempt to run a suite in shards."""

    def __init__(
        self,
        access: ClusterAccess,
        suite: ShardedSuite,
        *,
        directory: Path,
        log: Log,
        why_cancelled: Callable[[], str | None] = no_reason,
        handover: Handover | None = None,
    ) -> None:
        """Prepare; nothing is created yet.

        Args:
            access: The cluster.
            suite: What is run.
            directory: Where its results go.
            log: Receives progress.
            why_cancelled: Gives the reason that was left for a cancellation.
            handover: What there is to know of a process before this one, or after it.
        """
        self._handover = handover or Handover()
        # Patient, so that a restart of its API ends nothing; the other is for looks that may fail.
        self._kube = Kube(access, patience_seconds=_API_SECONDS, connections=CONNECTIONS)
        self._glance = Kube(access)
        self._template = suite.template
        self._request = request = suite.request
        self._settings = shards = suite.settings
        self._plan = suite.plan
        self._directory = directory
        self._log = log
        self._why_cancelled = why_cancelled
        self._shards = [_Shard() for _ in range(shards.count)]
        self._pods: dict[str, ShardPod] = {}
        self._retired: set[str] = set()
        self._readers = Readers()
        self._nodes: dict[str, tuple[float, NodeFacts | None]] = {}
        self._jobs: dict[str, JsonObject] = {}
        self._failed_indexes: frozenset[int] = frozenset()
        self._error: ErrorFacts | None = None
        self._cancelled: str | None = None
        self._job_passed = False
        self._hopeless: ShardAttempt | None = None
        self._refused: Deadline | None = None
        self._events: list[JsonObject] = []
        self._events_read_at = 0.0
        self._looked_at = -LOOK_SECONDS
        self._is_looking = False
        self._total: int | None = None
        self._said_at = 0.0
        self._said = ""
        self._started_at = datetime.now(UTC)
        self._clock = Deadline(request.deadlines.job_seconds)
        owned = request.owner.labels()
        self._selector = ",".join(
            f"{name}={value}"
            for name, value in {
                labels.RUN: owned[labels.RUN],
                labels.SUITE: labels.label_value(request.suite),
                labels.ATTEMPT: str(request.attempt),
            }.items()
        )
        self._listener = ShardListener(
            self._kube,
            namespace=request.namespace,
            selector=self._selector,
            deadline=Deadline(request.deadlines.job_seconds + 4 * _LAST_SECONDS),
        )
        self._window = Window(
            run=owned[labels.RUN], wish=shards.parallelism or shards.count, log=self._say
        )

    def run(self, *, record: Callable[[Attempt], None]) -> Attempt:
        """Create the Job, follow its shards to their ends, and give the judged attempt.

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
        """Delete the suite's Jobs and wait until their pods are gone.

        Raises:
            CleanupError: Some are still there.
        """
        namespace = self._request.namespace
        self._delete_jobs()
        pods = (pod for pod in self._kube_pods() if not pod_is_over(pod))
        self._delete_pods(str(pod["metadata"]["name"]) for pod in pods)
        deadline = Deadline(REMOVE_SECONDS)
        try:
            for pods in self._kube.follow(
                "Pod", namespace=namespace, label_selector=self._selector, deadline=deadline
            ):
                if all(map(pod_is_over, pods.values())):
                    return
        except DeadlineError as error:
            message = (
                f"pods of {self._subject} are still there {REMOVE_SECONDS:g} s after their "
                f"deletion. See `{self._kube.access.kubectl('get pods --namespace', namespace)}`."
            )
            raise CleanupError(message) from error

    def _leave(self) -> None:
        """Let the Job run, for the process that takes it up."""
        self._listener.stop()
        for pod in self._pods.values():
            pod.leave()
        self._say("goes on: the process that takes this run up follows its shards")

    # --- From the Job to the last shard

    @property
    def _subject(self) -> str:
        return f"job/{self._request.job_name}"

    def _say(self, line: str) -> None:
        self._log(f"{self._subject}: {line}")

    def _create(self) -> None:
        namespace = self._request.namespace
        job = indexed_job(
            self._template, self._request, self._settings, parallelism=self._window.now
        )
        # This run's own deadline comes first: it lets the pods say what they know.
        limit = self._request.deadlines.job_seconds + _LAST_SECONDS
        job["spec"]["activeDeadlineSeconds"] = int(limit)
        plan = self._plan()
        try:
            made = create_owned(self._kube, job, namespace=namespace)
        except RefusedError as error:
            if error.status == _CONFLICT:
                self._adopt()
                return
            party = "infrastructure" if error.is_passing else "configuration"
            self._error = ErrorFacts(party, f"{self._template.path}: {error}")
            return
        if "backoffLimitPerIndex" not in part(made, "spec"):
            self._kube.delete("Job", self._request.job_name, namespace=namespace)
            message = (
                f"the cluster ({self._kube.server_version()}) does not know "
                "Job.spec.backoffLimitPerIndex. Shards need Kubernetes 1.29 or newer; take "
                "`shards` out of the suite, or upgrade."
            )
            self._error = ErrorFacts("configuration", message)
            return
        self._make_plan(plan, made)
        self._resume()

    def _make_plan(self, plan: Plan, job: JsonObject) -> None:
        with contextlib.suppress(RefusedError):
            # One that is there already is this very plan, from before a restart.
            self._kube.create(
                plan_config_map(self._request, plan, job=job), namespace=self._request.namespace
            )
        longest = max(plan.seconds, default=0.0)
        self._say(
            f"{self._settings.count} shards, {len(plan.shards)} tests known from the history; the "
            f"longest shard should take {longest:.1f} s"
        )

    def _resume(self) -> None:
        """Let the Job make its pods, no more of them than it may have now."""
        try:
            self._window.see(self._look())
        except FloeTestsError as error:
            self._say(f"the room on the cluster stays unknown: {error}")
        parallelism = self._window.next(placed=0) or self._window.now
        self._kube.patch(
            "Job",
            self._request.job_name,
            {"spec": {"suspend": False, "parallelism": parallelism}},
            namespace=self._request.namespace,
        )
        self._say(f"created in {self._request.namespace}, up to {parallelism} shards at once")
        self._listener.watch()

    def _adopt(self) -> None:
        """Go on with the Job of this attempt that an orchestrator before this one has made."""
        name, namespace = self._request.job_name, self._request.namespace
        job = self._kube.get("Job", name, namespace=namespace)
        if job is None:
            self._error = ErrorFacts("infrastructure", f"{self._subject} was there, and is gone.")
            return
        for attempt in records.read_all(self._directory):
            self._shards[attempt.shard].attempts.append(attempt)
        for index, shard in enumerate(self._shards):
            if shard.attempts:
                self._decide(index)
        began = timestamp(part(job, "status").get("startTime"))
        if began is not None:
            self._started_at = began
            gone = (datetime.now(UTC) - began).total_seconds()
            self._clock = Deadline(max(0.0, self._request.deadlines.job_seconds - gone))
        self._window.now = int(part(job, "spec").get("parallelism") or self._window.now)
        self._say(f"already there: {self._done} of {self._settings.count} shards have ended")
        if part(job, "spec").get("suspend"):
            self._make_plan(self._plan(), job)
            self._resume()
        else:
            self._listener.watch()

    def _follow(self) -> None:
        while not self._is_done:
            self._take_all(wait_seconds=WAKE_SECONDS)
            if self._error is not None:
                return
            if self._clock.passed and not self._job_passed:
                self._pass_job_deadline()
            if self._clock.elapsed_seconds > self._clock.seconds + _LAST_SECONDS:
                return
            self._tick()

    @property
    def _is_done(self) -> bool:
        if self._hopeless is not None or self._job_passed:
            return not self._pods
        return all(shard.is_done for shard in self._shards)

    @property
    def _done(self) -> int:
        return sum(shard.is_done for shard in self._shards)

    # --- What is heard

    def _take_all(self, *, wait_seconds: float) -> None:
        message = self._listener.next(timeout_seconds=wait_seconds)
        while message is not None:
            self._take(message)
            message = self._listener.next(timeout_seconds=0)

    def _take(self, message: ShardMessage) -> None:
        match message:
            case Heard(pod=name, message=PodSeen(pod=pod)):
                self._see(name, pod)
            case Heard(pod=name, message=said):
                self._hear(name, said)
            case JobsSeen(jobs=jobs):
                self._jobs = jobs
                status = part(jobs.get(self._request.job_name, {}), "status")
                self._failed_indexes = indexes(str(status.get("failedIndexes") or ""))
            case Done(then=then):
                then()
            case Unreachable(error=error):
                self._error = ErrorFacts("infrastructure", str(error), error.evidence)

    def _hear(self, name: str, said: Message) -> None:
        if isinstance(said, LogEnded):
            self._readers.release(name)
        pod = self._pods.get(name)
        if pod is None or pod.is_judging:
            return
        match said:
            case LogPiece(data=data, first=first):
                pod.feed(data, first=first)
            case LogEnded():
                pod.end_log()
            case FramesAgain():
                pod.take_again(said)
            case _:
                pass

    def _see(self, name: str, pod: JsonObject | None) -> None:
        known = self._pods.get(name)
        if known is None:
            if pod is not None and name not in self._retired:
                self._meet(name, pod)
            return
        if known.is_judging:
            return
        known.see(pod)
        if pod is None and known.is_gone and not known.has_node:
            self._shards[known.shard].gone = Deadline(_GONE_SECONDS)

    def _meet(self, name: str, pod: JsonObject) -> None:
        """Take a pod that was not there before."""
        place = place_of(pod)
        if place is None or place[0] >= self._settings.count:
            return
        index = place[0]
        shard = self._shards[index]
        if shard.is_done or any(attempt.pod == name for attempt in shard.attempts):
            self._retired.add(name)
            return
        if shard.pod is not None:
            self._replace(shard.pod)
        number = len(shard.attempts) + 1
        shard.gone = shard.retry = None
        shard.pod = self._pods[name] = ShardPod(
            self._request,
            place=(index, number),
            container=self._template.container,
            directory=records.directory_of(self._directory, index, number),
            listener=self._listener.pod(name),
            log=self._log,
            keeps_frames=self._handover.is_possible,
        )
        shard.pod.see(pod)

    def _replace(self, pod: ShardPod) -> None:
        """Let go of a pod that the Job made another one for: it took it back, or lost it."""
        self._forget(pod)
        if pod.has_started:
            self._shards[pod.shard].attempts.append(pod.judged())

    # --- What is done about it, twice a second

    def _tick(self) -> None:
        if not self._pods and not any(shard.attempts for shard in self._shards):
            self._look_for_refusal()
        self._set_window()
        for pod in [pod for pod in self._pods.values() if not pod.is_judging]:
            self._attend(pod)
        for index, shard in enumerate(self._shards):
            if shard.retry is not None and shard.retry.passed:
                shard.retry = None
                self._keep(self._never_ran(index, "start"))
        self._grant_readers()
        self._tell()

    def _attend(self, pod: ShardPod) -> None:
        if pod.wants_reader:
            self._readers.ask(pod.name)
        if pod.is_gone and not pod.has_ended_by_itself and not self._is_for_good(pod):
            return
        if not pod.has_ended and pod.is_quiet:
            self._look_at_node(pod)
        if pod.is_over():
            self._judge(pod)
        elif pod.is_to_be_stopped:
            pod.expect_last()
            self._listener.chore(partial(self._stop_pod, pod.name, STOP_GRACE_SECONDS))

    def _is_for_good(self, pod: ShardPod) -> bool:
        """Tell whether the Job makes no other pod for a shard whose pod has gone.

        When its parallelism falls, the Job takes pods back, and makes them again in their turn.
        """
        shard = self._shards[pod.shard]
        counted = pod.shard in self._failed_indexes or pod.job != self._request.job_name
        # One that never ran may have to wait for its turn; of one that ran somebody must know soon.
        waited = pod.has_started and shard.gone is not None and shard.gone.passed
        return counted or waited or self._request.job_name not in self._jobs

    def _look_for_refusal(self) -> None:
        """Notice that the cluster refuses the suite's pods: nothing else says so."""
        now = self._clock.elapsed_seconds
        if now - self._events_read_at > EVENT_SECONDS:
            self._events_read_at = now
            with contextlib.suppress(InfrastructureError):
                self._events = self._glance.list(
                    "Event",
                    namespace=self._request.namespace,
                    field_selector=f"involvedObject.name={self._request.job_name}",
                )
        if any(item.get("reason") == "FailedCreate" for item in self._events):
            self._refused = self._refused or Deadline(REFUSED_SECONDS)
            if self._refused.passed:
                said = next(
                    str(item.get("message"))
                    for item in self._events
                    if item.get("reason") == "FailedCreate"
                )
                message = f"{self._template.path}: the cluster refuses the shards' pods: {said}"
                self._error = ErrorFacts("configuration", message)

    def _look_at_node(self, pod: ShardPod) -> None:
        facts = pod.facts
        if facts is None or not facts.node:
            return
        now = self._clock.elapsed_seconds
        seen_at, node = self._nodes.get(facts.node, (-NODE_LOOK_SECONDS, None))
        if now - seen_at >= NODE_LOOK_SECONDS:
            node = None
            # Reading nodes is a right of its own: without it the cluster removes the pod in time.
            with contextlib.suppress(InfrastructureError):
                node = node_facts(facts.node, self._glance.get("Node", facts.node))
            self._nodes[facts.node] = (now, node)
        if node is not None and not node.is_heard_of:
            self._log(f"node {facts.node} is lost, and shard {pod.shard} with it")
            pod.lose_node(node)

    def _grant_readers(self) -> None:
        ended = [name for name, pod in self._pods.items() if pod.has_ended]
        for name in self._readers.granted(first=ended):
            pod = self._pods.get(name)
            if pod is None:
                self._readers.release(name)
                continue
            pod.is_read = True
            pod.listener.follow_log(name, is_over=pod.exporter_is_over)

    def _set_window(self) -> None:
        now = self._clock.elapsed_seconds
        placed = sum(pod.has_node for pod in self._pods.values())
        waiting = sum(pod.is_unplaced(UNPLACED_SECONDS) for pod in self._pods.values())
        self._window.feel(placed=placed, unplaced=waiting)
        if now - self._looked_at >= LOOK_SECONDS and not self._is_looking:
            self._looked_at, self._is_looking = now, True
            self._listener.chore(self._look_around)
        parallelism = self._window.next(placed=placed)
        if parallelism is not None:
            self._listener.chore(partial(self._set_parallelism, parallelism))

    def _look_around(self) -> Callable[[], None]:
        room = None
        # The next look comes soon.
        with contextlib.suppress(InfrastructureError):
            room = self._look()

        def take() -> None:
            self._is_looking = False
            if room is not None:
                self._window.see(room)

        return take

    def _look(self) -> Room:
        pod = part(self._pod_template, "spec")
        return look(self._glance, namespace=self._request.namespace, pod=pod)

    @cached_property
    def _pod_template(self) -> JsonObject:
        job = build_job(self._template, self._request)
        return part(job, "spec", "template")

    def _set_parallelism(self, parallelism: int) -> Callable[[], None]:
        changes = {"spec": {"parallelism": parallelism}}
        self._kube.patch("Job", self._request.job_name, changes, namespace=self._request.namespace)
        return _nothing

    def _tell(self) -> None:
        """Say how far the suite is, now and then."""
        line = self._progress()
        now = self._clock.elapsed_seconds
        if line != self._said and now - self._said_at >= _PROGRESS_SECONDS:
            self._said, self._said_at = line, now
            self._say(line)

    def _progress(self) -> str:
        last = [shard.attempts[-1] for shard in self._shards if shard.is_done and shard.attempts]
        running = [pod.receiver for pod in self._pods.values()]
        reported = sum(each.facts.results.reported for each in last)
        reported += sum(each.tally.tests for each in running)
        failed = sum(each.facts.results.failed for each in last)
        failed += sum(each.tally.failing for each in running)
        of = f" of {self._total:,}" if self._total is not None else ""
        red = f", {failed:,} failed" if failed else ""
        return f"{self._done} of {self._settings.count} shards, {reported:,}{of} tests{red}"

    # --- The end of a shard

    def _judge(self, pod: ShardPod) -> None:
        pod.is_judging = True
        self._listener.chore(partial(self._last_look, pod))

    def _last_look(self, pod: ShardPod) -> Callable[[], None]:
        """Read what may have changed since the last message, and judge. Off the deciding thread."""
        try:
            self._look_at_pod(pod)
        except FloeTestsError as error:
            self._log(f"shard {pod.shard}: the last look failed: {error}")
        attempt = pod.judged()
        records.write(self._directory, attempt)
        return partial(self._settle, pod, attempt)

    def _look_at_pod(self, pod: ShardPod) -> None:
        if pod.node_is_lost:
            return  # nobody answers for what is on it
        namespace = self._request.namespace
        now = self._kube.get("Pod", pod.name, namespace=namespace)
        if now is not None and part(now, "metadata").get("uid") == pod.uid:
            pod.see(now)
            if pod.has_started:
                save_pod_log(
                    self._kube,
                    pod.name,
                    namespace=namespace,
                    container=self._template.container,
                    directory=pod.directory,
                    limit_bytes=_POD_LOG_BYTES,
                )
            if pod.lingers:
                dismiss_exporter(self._kube, pod.name, namespace=namespace)
        facts = pod.facts
        # Nothing explains what went well, and to find events is dear for the API server.
        if facts is None or facts.test is None or facts.test.exit_code != 0:
            field = f"involvedObject.name={pod.name}"
            pod.see_events(self._kube.list("Event", namespace=namespace, field_selector=field))

    def _settle(self, pod: ShardPod, attempt: ShardAttempt) -> None:
        """Take a judged pod off the books, and give its room back."""
        self._forget(pod)
        if not pod.has_ended and not pod.is_absent:
            grace_seconds = 0 if pod.node_is_lost else STOP_GRACE_SECONDS
            self._listener.chore(partial(self._stop_pod, pod.name, grace_seconds))
        self._keep(attempt)

    def _forget(self, pod: ShardPod) -> None:
        self._readers.release(pod.name)
        pod.listener.stop()
        self._pods.pop(pod.name, None)
        self._retired.add(pod.name)
        self._shards[pod.shard].pod = None

    def _keep(self, attempt: ShardAttempt) -> None:
        self._shards[attempt.shard].attempts.append(attempt)
        if self._total is None:
            account = read_account(
                records.directory_of(self._directory, attempt.shard, attempt.number) / "results"
            )
            self._total = account.all_tests if account else None
        self._decide(attempt.shard)

    def _decide(self, index: int) -> None:
        """Try a shard again where the rule of its verdict says so, or be done with it."""
        shard = self._shards[index]
        last = shard.attempts[-1]
        retries = last.verdict.retries
        if not last.verdict.passed:
            self._log(f"shard {index}, attempt {last.number}: {last.verdict}")
        goes_on = self._hopeless is None and not self._job_passed and self._cancelled is None
        if last.number <= retries and goes_on:
            self._log(f"shard {index}: once more in a fresh pod; {retries} such attempts allowed.")
            shard.retry = Deadline(self._request.deadlines.start_seconds)
            self._listener.chore(partial(self._retry, index, last.number + 1))
            return
        shard.is_done = True
        ever = any(each.facts.results.started for one in self._shards for each in one.attempts)
        if last.verdict.cause in _HOPELESS and not ever and not self._any_started:
            self._give_up(last)

    @property
    def _any_started(self) -> bool:
        return any(pod.has_started for pod in self._pods.values())

    def _retry(self, index: int, number: int) -> Callable[[], None]:
        job = single_job(self._template, self._request, self._settings, index=index, number=number)
        try:
            create_owned(self._kube, job, namespace=self._request.namespace)
        except RefusedError as error:
            # After a restart of this orchestrator it may be there.
            if error.status != _CONFLICT:
                raise
        return _nothing

    def _give_up(self, why: ShardAttempt) -> None:
        """Spare the other shards what has befallen one and will befall all."""
        self._say(f"shard {why.shard} is {why.verdict.cause}, as all would be: the rest is not run")
        self._hopeless = why
        for pod in list(self._pods.values()):
            self._forget(pod)
        self._delete_jobs()

    def _pass_job_deadline(self) -> None:
        """End what has not ended by the suite's deadline; what it has to say is still heard."""
        self._say("the shards did not all end by the Job's deadline: stopping the rest")
        self._job_passed = True
        self._listener.chore(self._delete_jobs)
        for pod in [pod for pod in self._pods.values() if not pod.is_judging]:
            if pod.has_started:
                pod.pass_deadline("job")
            else:
                pod.pass_deadline("start")
                self._judge(pod)

    def _never_ran(self, index: int, deadline: DeadlineName) -> ShardAttempt:
        """Give the attempt at a shard that no pod was made for in time."""
        deadlines = self._request.deadlines
        facts = Facts(
            subject=f"shard/{index}",
            cancelled=self._cancelled,
            error=self._error,
            passed_deadline=deadline,
            elapsed_seconds=self._clock.elapsed_seconds,
            deadlines=(("start", deadlines.start_seconds), ("job", deadlines.job_seconds)),
        )
        return ShardAttempt(
            shard=index,
            number=len(self._shards[index].attempts) + 1,
            job=self._request.job_name,
            facts=facts,
            verdict=classify(facts),
            started_at=datetime.now(UTC),
            seconds=0.0,
        )

    # --- The end of the suite

    def _cancel(self, reason: str) -> None:
        """Say on the Job why it ends, end it, and take what the exporters still send."""
        self._cancelled = reason
        self._say(f"cancelled, {reason}")
        name, namespace = self._request.job_name, self._request.namespace
        for pod in self._pods.values():
            if not pod.is_judging:
                pod.pass_deadline("job")  # what vanishes from now on was asked to
        try:
            stamp = {"metadata": {"annotations": {labels.CANCELLED_ANNOTATION: reason}}}
            self._glance.patch("Job", name, stamp, namespace=namespace)
            self._delete_jobs()
            self._delete_pods(name for name, pod in self._pods.items() if not pod.is_absent)
        except FloeTestsError as error:
            self._say(f"could not be deleted ({error}); its namespace goes next")
        last = Deadline(STOP_GRACE_SECONDS)
        while not last.passed and any(pod.is_heard for pod in self._pods.values()):
            self._take_all(wait_seconds=WAKE_SECONDS)

    def _delete_jobs(self) -> Callable[[], None]:
        """Ask for the end of the suite's Jobs, so that no pod comes after; theirs end in time."""
        namespace = self._request.namespace
        for job in self._kube.list("Job", namespace=namespace, label_selector=self._selector):
            self._kube.delete("Job", str(job["metadata"]["name"]), namespace=namespace)
        return _nothing

    def _delete_pods(self, names: Iterable[str]) -> None:
        def delete(name: str) -> None:
            self._kube.delete(
                "Pod", name, namespace=self._request.namespace, grace_seconds=STOP_GRACE_SECONDS
            )

        with ThreadPoolExecutor(CHORES) as pool:
            list(pool.map(delete, names))

    def _stop_pod(self, name: str, grace_seconds: int) -> Callable[[], None]:
        self._kube.delete(
            "Pod", name, namespace=self._request.namespace, grace_seconds=grace_seconds
        )
        return _nothing

    def _finish(self) -> Attempt:
        """Gather what is still on its way, prove the whole, and let go of the threads."""
        settling = Deadline(_SETTLE_SECONDS)
        while any(pod.is_judging for pod in self._pods.values()) and not settling.passed:
            with contextlib.suppress(FloeTestsError):
                self._take_all(wait_seconds=WAKE_SECONDS)
        self._listener.stop()
        for pod in list(self._pods.values()):
            self._end_early(pod)
        self._account_for_the_rest()
        self._say(self._progress())
        end = SuiteEnd(
            subject=self._subject,
            count=self._settings.count,
            attempts=tuple(attempt for shard in self._shards for attempt in shard.attempts),
            cancelled=self._cancelled,
            error=self._error,
            not_run=None if self._hopeless is None else self._hopeless.subject,
            elapsed_seconds=self._clock.elapsed_seconds,
            deadlines=self._request.deadlines,
        )
        facts, verdict = merged(self._directory, end)
        return Attempt(
            suite=self._request.suite,
            number=self._request.attempt,
            directory=self._directory,
            started_at=self._started_at,
            facts=facts,
            verdict=verdict,
            timings=self._timings(end.attempts),
            shards=tuple(records.summary_of(attempt) for attempt in end.attempts),
        )

    def _end_early(self, pod: ShardPod) -> None:
        if self._cancelled is not None:
            pod.cancel(self._cancelled)
        elif self._error is not None:
            pod.fail(self._error)
        self._forget(pod)
        attempt = pod.judged()
        records.write(self._directory, attempt)
        self._shards[attempt.shard].attempts.append(attempt)

    def _account_for_the_rest(self) -> None:
        """Give a shard that no pod was made for its attempt too: none is left out."""
        if self._hopeless is not None:
            return
        began = any(shard.attempts for shard in self._shards)
        for index, shard in enumerate(self._shards):
            if not shard.attempts:
                shard.attempts.append(self._never_ran(index, "job" if began else "start"))

    def _timings(self, attempts: Iterable[ShardAttempt]) -> Timings:
        pods = [attempt.facts.pod for attempt in attempts if attempt.facts.pod]
        created = [pod.created_at for pod in pods if pod.created_at]
        starts = [pod.test.started_at for pod in pods if pod.test and pod.test.started_at]
        ends = [pod.test.finished_at for pod in pods if pod.test and pod.test.finished_at]
        ran = bool(starts and ends)
        return Timings(
            total=self._clock.elapsed_seconds,
            pod_start=(min(starts) - min(created)).total_seconds() if starts and created else None,
            tests=(max(ends) - min(starts)).total_seconds() if ran else None,
            to_verdict=(datetime.now(UTC) - max(ends)).total_seconds() if ran else None,
        )

    def _kube_pods(self) -> list[JsonObject]:
        namespace = self._request.namespace
        return self._kube.list("Pod", namespace=namespace, label_selector=self._selector)


def indexes(text: str) -> frozenset[int]:
    """Read indexes as a Job's status has them: `1,3-5`."""
    found: set[int] = set()
    for word in filter(None, text.split(",")):
        first, _, last = word.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _nothing() -> None:
    """Do nothing more."""
