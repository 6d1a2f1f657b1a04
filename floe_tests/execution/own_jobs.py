"""The Jobs of one attempt at a suite: made, found again, ended, and removed with their pods."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import CleanupError, DeadlineError, FloeTestsError
from floe_tests.environments.ownership import create_owned
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.timeouts import REMOVE_SECONDS, STOP_GRACE_SECONDS
from floe_tests.execution.verdict.facts import ErrorFacts
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part, pod_is_over
from floe_tests.kube.refusals import is_of_namespace_that_goes

_AT_ONCE = 8
_UID_FILE = "job-uid"


@dataclass(frozen=True)
class Made:
    """What came of a wish for a Job.

    Attributes:
        job: The Job as the API has it; None when there is none.
        is_found: Whether it was there already, made by a process before this one.
        error: Why there is none.
    """

    job: JsonObject | None = None
    is_found: bool = False
    error: ErrorFacts | None = None


class OwnJobs:
    """The Jobs of one attempt, known by its labels."""

    def __init__(self, kube: Kube, spec: AttemptSpec, *, path: Path, directory: Path) -> None:
        """Prepare; nothing is asked yet.

        Args:
            kube: The cluster; a patient one.
            spec: The attempt.
            path: The suite's test-job.yaml, for messages.
            directory: The attempt's folder: which Job was made is written there.
        """
        self._kube = kube
        self._spec = spec
        self._path = path
        self._uid_file = directory / _UID_FILE
        self._name, self._namespace = spec.job_name, spec.namespace
        owned = spec.owner.labels()
        self._run = owned[labels.RUN]
        wanted = {
            labels.RUN: self._run,
            labels.SUITE: labels.label_value(spec.suite),
            labels.ATTEMPT: str(spec.attempt),
        }
        self.selector = ",".join(f"{name}={value}" for name, value in wanted.items())

    def make(self, job: JsonObject) -> Made:
        """Create a Job with what its pods mount, unless a process before this one has."""
        made = self._make(job)
        error = self._bring(made.job) if made.job is not None else None
        if error is None:
            return made
        self.delete()  # its pods would wait for ever
        return Made(error=error)

    def _bring(self, job: JsonObject) -> ErrorFacts | None:
        """Create the ConfigMaps that a Job's pods mount; return why one could not be.

        The Job is there first: they go with it, whoever removes it.
        """
        for brought in self._spec.brought:
            try:
                self._kube.create(
                    brought.config_map(job, job_name=self._name), namespace=self._namespace
                )
            except RefusedError as error:
                # One that is there already is this very one: of a process before, or of the first
                # Job of a suite in shards.
                if not error.is_conflict:
                    return refused(error, path=self._path)
        return None

    def _make(self, job: JsonObject) -> Made:
        name = str(job["metadata"]["name"])
        if (error := self._unknown_node(job)) is not None:
            return Made(error=error)
        try:
            made = create_owned(self._kube, job, namespace=self._namespace)
        except RefusedError as error:
            # A process before was killed between the creation and its note of it.
            found = self.find(name) if error.is_conflict else None
            if found is not None:
                self._note(found)
                return Made(found, is_found=True)
            return Made(error=refused(error, path=self._path))
        self._note(made)
        return Made(made)

    def _unknown_node(self, job: JsonObject) -> ErrorFacts | None:
        """Look for the node that a pod is bound to: nobody says of a missing one that it is."""
        name = part(job, "spec", "template", "spec").get("nodeName")
        if not name:
            return None
        try:
            known = self._kube.get("Node", str(name)) is not None
        except RefusedError:
            return None  # an account for one namespace may not look
        if known:
            return None
        message = (
            f"{self._path}: spec.template.spec.nodeName: the cluster has no node {name!r}. Leave "
            "the choice to the scheduler, or use nodeSelector."
        )
        return ErrorFacts("configuration", message)

    def find(self, name: str) -> JsonObject | None:
        """Return a Job of this attempt as a process before has made it; None when there is none."""
        found = self._kube.get("Job", name, namespace=self._namespace)
        metadata = part(found or {}, "metadata")
        if part(metadata, "labels").get(labels.RUN) != self._run:
            return None
        known = self._known_uid() if name == self._name else ""
        return found if known in {"", metadata.get("uid")} else None

    def pods(self) -> list[JsonObject]:
        """Read the attempt's pods."""
        return self._kube.list("Pod", namespace=self._namespace, label_selector=self.selector)

    def delete(self) -> None:
        """Ask for the end of the Jobs, so that no pod comes after; theirs end in time."""
        for job in self._kube.list("Job", namespace=self._namespace, label_selector=self.selector):
            self._kube.delete("Job", str(job["metadata"]["name"]), namespace=self._namespace)

    def stop_pod(self, name: str, *, grace_seconds: int = STOP_GRACE_SECONDS) -> None:
        """Ask for the end of a pod."""
        self._kube.delete("Pod", name, namespace=self._namespace, grace_seconds=grace_seconds)

    def cancel(self, reason: str, pods: Iterable[str]) -> None:
        """Say on the Job why it ends, and ask for its end and that of its pods.

        Args:
            reason: Why.
            pods: Names of the pods that are there.

        Raises:
            FloeTestsError: The API does not do it.
        """
        stamp = {"metadata": {"annotations": {labels.CANCELLED_ANNOTATION: reason}}}
        self._kube.patch("Job", self._name, stamp, namespace=self._namespace)
        self.delete()
        self._stop(pods)

    def remove(self, *, lost: Collection[str] = ()) -> None:
        """Delete the Jobs and wait until their pods are gone, so that fresh ones find capacity.

        Args:
            lost: Pods on nodes that are lost, where nobody can end them: they are deleted
                without a grace.

        Raises:
            CleanupError: Some are still there.
        """
        try:
            self.delete()
            there = [str(pod["metadata"]["name"]) for pod in self.pods() if not pod_is_over(pod)]
            self._stop([name for name in there if name not in lost])
            self._stop([name for name in there if name in lost], grace_seconds=0)
            # From here: the API may have taken its time to hear of it.
            self._wait_for_pods(self._spec.deadline(REMOVE_SECONDS))
        except DeadlineError as error:
            look = self._kube.access.kubectl("get pods --namespace", self._namespace)
            message = (
                f"pods of job/{self._name} are still there {REMOVE_SECONDS:g} s after their "
                f"deletion. See `{look}`."
            )
            raise CleanupError(message) from error
        except RefusedError as error:
            if not error.is_not_found:
                raise

    def _wait_for_pods(self, deadline: Deadline) -> None:
        for pods in self._kube.follow(
            "Pod", namespace=self._namespace, label_selector=self.selector, deadline=deadline
        ):
            # One that has ended needs no capacity: the Job controller, which may be away as long as
            # the API was, still has to remove its finalizer.
            if all(map(pod_is_over, pods.values())):
                return

    def _stop(self, names: Iterable[str], *, grace_seconds: int = STOP_GRACE_SECONDS) -> None:
        def stop(name: str) -> None:
            self.stop_pod(name, grace_seconds=grace_seconds)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(stop, names))

    def _note(self, job: JsonObject) -> None:
        """Write down which Job of the attempt's name is this run's."""
        if job["metadata"]["name"] == self._name:
            self._uid_file.parent.mkdir(parents=True, exist_ok=True)
            self._uid_file.write_text(str(job["metadata"].get("uid", "")))

    def _known_uid(self) -> str:
        try:
            return self._uid_file.read_text().strip()
        except OSError:
            return ""


def refused(error: RefusedError, *, path: Path) -> ErrorFacts:
    """Return the error of an object that the API refused: whose fault it is.

    Args:
        error: What the API answered; a server that is away or its webhook says 500 and more.
        path: The file that the object is from.
    """
    namespace_goes = error.is_not_found or is_of_namespace_that_goes(str(error))
    party = "infrastructure" if error.is_passing or namespace_goes else "configuration"
    return ErrorFacts(party, f"{path}: {error}")


def error_facts(error: FloeTestsError) -> ErrorFacts:
    """Return an error that ended an attempt in the cluster."""
    return ErrorFacts("infrastructure", str(error), error.evidence)
