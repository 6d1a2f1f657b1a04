"""A Helm release on its way up: what of it is ready, what is not, and why not.

helm says only that time is over. Here the release's objects and their pods are watched while helm
works, so whatever holds it up is told as soon as Kubernetes knows it, and what cannot mend itself
ends the wait at once.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, FloeTestsError, PlatformError, ProgramError
from floe_tests.core.program import Program
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform.failures import Failures, has_failed
from floe_tests.platform.inspection import Inspection
from floe_tests.platform.last_words import LastWords
from floe_tests.platform.live import to_stay
from floe_tests.platform.scope import Scope
from floe_tests.platform.target import Target
from floe_tests.platform.troubles import (
    MISSING_REFERENCE,
    Trouble,
    ready_pods,
    troubles_of,
)

_TICK_SECONDS = 2.0
_API_SECONDS = 30.0
_LOOK_SECONDS = 1.0

# A controller replaces the broken pods of an earlier revision first, once it has the new one.
_REPLACING_SECONDS = 10.0


@dataclass(frozen=True)
class Before:
    """What helm found of a release.

    Attributes:
        revision: Its newest revision; 0 when it was not installed.
        pods: Names of its pods. What is wrong with them may be what helm mends, and counts only
            when they are still there after it.
        troubles: What was wrong with its other objects, likewise.
    """

    revision: int = 0
    pods: frozenset[str] = frozenset()
    troubles: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Up:
    """A release of which everything that can be watched is ready.

    Attributes:
        pods: Its pods.
        watched: How many of its objects say whether they are ready.
        notes: What a reader should know: what is not waited for, and what cannot be seen.
    """

    pods: tuple[JsonObject, ...]
    watched: int
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """How it is, in a word."""
        return "ready" if self.watched or self.pods else "installed, with nothing to watch,"


def state_before(release: str, target: Target) -> Before:
    """Look at a release before helm changes it.

    Args:
        release: Name of the release.
        target: Where it is.
    """
    scope = Scope(_kube(target), release, target.namespace)
    with contextlib.suppress(RefusedError):  # helm may not read it either, and says so
        scope.read_record()
    if scope.record is None:
        return Before()
    scope.refresh()
    pods = scope.pods(scope.kube.list("Pod", namespace=target.namespace))
    lacked = Inspection(scope).lacking(pods, helm_has_ended=False)
    return Before(scope.record.revision, frozenset(pods), frozenset(each.key for each in lacked))


def wait_until_ready(
    release: str, target: Target, helm: Program, *, deadline: Deadline, before: Before
) -> Up:
    """Watch a release while helm installs or changes it, until everything in it is ready.

    Args:
        release: Name of the release.
        target: Where it is.
        helm: The running helm; whoever started it ends it when the release has failed.
        deadline: When everything must be ready.
        before: What helm found.

    Returns:
        What is up then.

    Raises:
        PlatformError: A component did not come up; the message names it and says why.
        ConfigurationError: The cluster's rules refuse a part of it: Pod Security, a quota.
        InfrastructureError: What guards the cluster does not answer.
    """
    scope = Scope(_kube(target), release, target.namespace)
    rollout = _Rollout(scope, target, before)

    def look(found: Mapping[str, JsonObject]) -> bool:
        # Before the look: what helm then has done, the look sees.
        has_ended = helm.has_ended
        if has_ended:
            helm.output()
            rollout.expect_replaced()
        rollout.look(found)
        return has_ended and rollout.is_ready(found)

    try:
        return rollout.watch(look, deadline=deadline)
    except ProgramError as error:
        raise rollout.refused(error) from error


def watch_until_ready(scope: Scope, target: Target, *, deadline: Deadline) -> Up:
    """Watch a release that others have installed, until everything in it is ready.

    Args:
        scope: What belongs to it.
        target: Where it is.
        deadline: When everything must be ready.

    Returns:
        What is up then.

    Raises:
        PlatformError: A component is not ready; the message names it and says why.
        ConfigurationError: The cluster's rules refuse a part of it.
        InfrastructureError: What guards the cluster does not answer.
    """
    rollout = _Rollout(scope, target)
    rollout.expect_replaced()

    def look(found: Mapping[str, JsonObject]) -> bool:
        rollout.look(found)
        return rollout.is_ready(found)

    return rollout.watch(look, deadline=deadline)


@dataclass
class _Rollout:
    """What has been seen of a release so far."""

    scope: Scope
    target: Target
    before: Before = field(default_factory=Before)
    inspection: Inspection = field(init=False)
    pods: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    _all_pods: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    _started: Deadline = field(default_factory=lambda: Deadline(math.inf))
    _next_look: Deadline = field(default_factory=lambda: Deadline(0))
    _lacking: tuple[Trouble, ...] = ()
    _ready: frozenset[str] = frozenset()
    _steady: dict[str, tuple[int, Deadline]] = field(
        default_factory=dict[str, tuple[int, Deadline]]
    )
    _since: dict[tuple[str, str], Deadline] = field(default_factory=dict[tuple[str, str], Deadline])
    _said: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _words: LastWords = field(init=False)
    _failures: Failures = field(init=False)
    # helm takes some hooks away once they have failed.
    _failed_hooks: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    _replaced: Deadline | None = None

    def __post_init__(self) -> None:
        """Look at what belongs to the release."""
        self.inspection = Inspection(self.scope)
        self._words = LastWords(self.kube, self.target)
        self._failures = Failures(self.scope, self.target, self._words)

    @property
    def release(self) -> str:
        """Name of the release."""
        return self.scope.release

    @property
    def kube(self) -> Kube:
        """The cluster."""
        return self.scope.kube

    def expect_replaced(self) -> None:
        """Note that helm has ended: what it found broken is replaced soon, or stays so."""
        self._replaced = self._replaced or Deadline(_REPLACING_SECONDS)

    def watch(self, look: Callable[[Mapping[str, JsonObject]], bool], *, deadline: Deadline) -> Up:
        """Look at the pods at each change of them until there is no more to wait for.

        Args:
            look: Takes the namespace's pods, by name; true when all is as it should be.
            deadline: When it must be.

        Raises:
            PlatformError: It was not.
        """
        try:
            for found in self.kube.follow(
                "Pod",
                namespace=self.target.namespace,
                deadline=deadline,
                tick_seconds=_TICK_SECONDS,
            ):
                if look(found):
                    return self._up()
        except DeadlineError:
            raise self.late(deadline) from None
        message = f"release {self.release}: the watch of its pods ended."
        raise PlatformError(message)

    def look(self, found: Mapping[str, JsonObject]) -> None:
        """Take in what is there, say what changed, and fail on what cannot mend itself.

        Args:
            found: The namespace's pods, by name.
        """
        if self._next_look.passed:
            self._refresh()
        self._take(found)
        if self._next_look.passed:
            self._lacking = tuple(self._look_at_objects())
            self._next_look = Deadline(_LOOK_SECONDS)
        is_forgiving = self._replaced is None or not self._replaced.passed
        forgiven = self.before.pods if is_forgiving else frozenset[str]()
        unready = {
            name: pod
            for name, pod in self._all_pods.items()
            if name not in self._ready | forgiven
            and "deletionTimestamp" not in pod["metadata"]
            # helm has waited for its hooks itself.
            and not (self._replaced is not None and self.scope.is_of_hook(pod))
        }
        lacked = [
            each
            for each in self._lacking
            if not (is_forgiving and each.key in self.before.troubles)
        ]
        self._judge([*self._of_pods(unready), *lacked])

    def is_ready(self, found: Mapping[str, JsonObject]) -> bool:
        """Return whether every object is as it should be, and each pod ready.

        Args:
            found: The namespace's pods, by name.
        """
        if self._ready != frozenset(self.pods):
            return False
        # Asked afresh: a workload may have been changed since the last look.
        self._refresh()
        self._take(found)
        return self._ready == frozenset(self.pods) and not list(self._look_at_objects())

    def refused(self, error: ProgramError) -> FloeTestsError:
        """Return the error of a helm that failed, with the log of a hook that did."""
        self._look_again()
        return self._failures.refused(error, self._failed_hooks)

    def late(self, deadline: Deadline) -> FloeTestsError:
        """Return the error of a release that was not ready in time."""
        self._look_again()
        unready = {name: pod for name, pod in self.pods.items() if name not in self._ready}
        # Those of hooks and Jobs that have not begun.
        waiting = {
            name: pod
            for name, pod in self._all_pods.items()
            if name not in self.pods and part(pod, "status").get("phase") == "Pending"
        }
        return self._failures.late(
            deadline,
            lacked=list(self._look_at_objects()),
            troubles=list(self._of_pods({**unready, **waiting})),
            unready=unready,
        )

    def _refresh(self) -> None:
        if self.scope.record is None:
            self._read_record()
        self.scope.refresh()

    def _read_record(self) -> None:
        try:
            known = self.scope.read_record(after=self.before.revision)
        except RefusedError as error:
            if error.is_passing:
                raise
            known = False  # helm may not read it either, and says so
        if not known and self._replaced is not None:
            # It keeps its records where this does not look.
            self.scope.find_out()

    def _take(self, found: Mapping[str, JsonObject]) -> None:
        self._all_pods = self.scope.pods(found.values())
        self.pods = to_stay(self._all_pods)
        ready = frozenset(ready_pods(self.pods, self._steady))
        for name in sorted(ready - self._ready):
            self.target.log(
                f"release {self.release}: {name} ready after {self._started.elapsed_seconds:.1f} s"
            )
        self._ready = ready
        for pod in self._all_pods.values():
            if has_failed(pod):
                self._words.remember_once(pod)
                is_old = pod["metadata"]["name"] in self.before.pods
                if self.scope.is_of_hook(pod) and not is_old:
                    self._failed_hooks[str(pod["metadata"]["name"])] = pod

    def _look_again(self) -> None:
        """Look a last time, for an error: what cannot be read any more was seen before."""
        try:
            self._refresh()
            found = self.kube.list("Pod", namespace=self.target.namespace)
        except FloeTestsError as error:
            self.target.log(f"release {self.release}: no last look at it: {error}")
            return
        self._take({str(pod["metadata"]["name"]): pod for pod in found})

    def _look_at_objects(self) -> Iterator[Trouble]:
        ended = self._replaced is not None
        return self.inspection.lacking(self._all_pods, helm_has_ended=ended)

    def _of_pods(self, pods: Mapping[str, JsonObject]) -> Iterator[Trouble]:
        for trouble in troubles_of(pods, self.scope.events):
            if MISSING_REFERENCE in trouble.why and self.scope.makes_more:
                # An operator or a Job of the release may still make it.
                yield replace(trouble, patience_seconds=math.inf)
            else:
                yield trouble

    def _judge(self, troubles: Sequence[Trouble]) -> None:
        now = {item.key for item in troubles}
        self._since = {key: since for key, since in self._since.items() if key in now}
        for item in troubles:
            since = self._since.setdefault(item.key, Deadline(math.inf))
            lasted = since.elapsed_seconds
            if lasted >= item.patience_seconds:
                raise self._failures.of(item, why=item.why)
            if lasted >= item.quiet_seconds and item.key not in self._said:
                self._said.add(item.key)
                self.target.log(
                    f"release {self.release}: {item.component} is not ready: {item.why}"
                )
                for line in self._words.of_crash(item.pod):
                    self.target.log(f"  {line}")

    def _up(self) -> Up:
        notes = tuple(self.inspection.notes(self._all_pods))
        return Up(tuple(self.pods.values()), self.inspection.watched(), notes)


def _kube(target: Target) -> Kube:
    """Connect to the cluster; an API server that restarts is away for seconds."""
    return Kube(target.access, patience_seconds=_API_SECONDS)
