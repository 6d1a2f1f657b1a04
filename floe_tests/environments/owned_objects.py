"""What a run has in a namespace that is not its own: found by its labels, taken by its proofs.

A run's Jobs carry their creator's mark. Their pods and ConfigMaps are owned by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import CleanupError, DeadlineError, InfrastructureError
from floe_tests.environments.namespace import force_delete_stuck_pods
from floe_tests.environments.ownership import names_run, why_not_proved
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, parts

# Jobs first: one whose pod is deleted before it makes no other, but one of a later kind might.
KINDS = ("Job", "Pod", "ConfigMap")
OURS = f"{labels.MANAGED_BY}={labels.MANAGER},{labels.RUN}"
# An exporter that is told to end still sends what it has.
GRACE_SECONDS = 15
_TICK_SECONDS = 2.0


@dataclass(frozen=True)
class Unproved:
    """An object that carries a run's labels, and that nothing proves to be the run's.

    Attributes:
        name: What it is, as kubectl names it.
        reason: Why it is not taken for the run's.
        item: The object.
    """

    name: str
    reason: str
    item: JsonObject


@dataclass(frozen=True)
class OwnedObjects:
    """What one run has in a namespace.

    Attributes:
        run_id: The run, as its label has it.
        objects: Kind and object, of what is proved to be the run's.
        unproved: What carries its labels alone.
    """

    run_id: str
    objects: tuple[tuple[str, JsonObject], ...]
    unproved: tuple[Unproved, ...] = ()

    @property
    def names(self) -> str:
        """What it is, as kubectl names it."""
        return ", ".join(_name(kind, item) for kind, item in self.objects)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the first: a Job's, which says whether it is kept, before its pods'."""
        return self.objects[0][1]["metadata"]["labels"] if self.objects else {}

    @property
    def uid(self) -> str:
        """Kubernetes' own id of the first; empty when there is nothing."""
        return str(self.objects[0][1]["metadata"]["uid"]) if self.objects else ""

    @property
    def since(self) -> datetime | None:
        """When the first of it was made (UTC); None when there is nothing."""
        made = [str(item["metadata"]["creationTimestamp"]) for _, item in self.objects]
        return datetime.fromisoformat(min(made)) if made else None


def owned_objects_in(kube: Kube, namespace: str) -> tuple[OwnedObjects, ...]:
    """Return what runs have in a namespace, by run.

    Args:
        kube: The cluster.
        namespace: The namespace.

    Raises:
        InfrastructureError: It cannot be seen.
    """
    found: dict[str, list[tuple[str, JsonObject]]] = {}
    for kind in KINDS:
        for item in kube.list(kind, namespace=namespace, label_selector=OURS):
            run_id = str(item["metadata"]["labels"][labels.RUN])
            found.setdefault(run_id, []).append((kind, item))
    return tuple(
        _sorted_out(run_id, objects, jobs=set()) for run_id, objects in sorted(found.items())
    )


def remove_owned_objects(
    kube: Kube,
    namespace: str,
    *,
    run_id: str,
    deadline: Deadline,
    grace_seconds: int = GRACE_SECONDS,
) -> tuple[Unproved, ...]:
    """Delete all that a run has in a namespace, and wait until it is gone.

    Args:
        kube: The cluster.
        namespace: The namespace, which stays.
        run_id: The run.
        deadline: When nothing may be left.
        grace_seconds: How long its pods may take to end.

    Returns:
        What carries the run's labels and stays: nothing proves that the run created it.

    Raises:
        CleanupError: Something is still there, or could not be seen.
    """
    removal = _Removal(kube, namespace, run_id)
    try:
        for kind, item in removal.look().objects:
            kube.delete(
                kind,
                str(item["metadata"]["name"]),
                namespace=namespace,
                grace_seconds=grace_seconds if kind == "Pod" else None,
                uid=str(item["metadata"]["uid"]),
            )
        for _pods in kube.follow(
            "Pod",
            namespace=namespace,
            label_selector=removal.selector,
            deadline=deadline,
            tick_seconds=_TICK_SECONDS,
        ):
            left = removal.look()
            if not left.objects:
                return left.unproved
            ours = {str(item["metadata"]["uid"]) for _, item in left.objects}
            force_delete_stuck_pods(kube, namespace, label_selector=removal.selector, only=ours)
    except DeadlineError as error:
        message = (
            f"{removal.look().names} of run {run_id[:8]} still there {deadline.seconds:g} s after "
            f"the deletion. See `{command_for(kube, namespace, run_id, 'get')}`."
        )
        raise CleanupError(message) from error
    except InfrastructureError as error:
        message = (
            f"what run {run_id[:8]} has in namespace {namespace} could not be removed: {error} "
            f"Remove it with `{command_for(kube, namespace, run_id, 'delete')}`."
        )
        raise CleanupError(message) from error
    return ()


class _Removal:
    """Looks at what a run has, and remembers its Jobs: their pods outlast them by a moment."""

    def __init__(self, kube: Kube, namespace: str, run_id: str) -> None:
        self.selector = f"{OURS}={labels.label_value(run_id)}"
        self._kube = kube
        self._namespace = namespace
        self._run_id = run_id
        self._jobs: set[str] = set()

    def look(self) -> OwnedObjects:
        objects = [
            (kind, item)
            for kind in KINDS
            for item in self._kube.list(
                kind, namespace=self._namespace, label_selector=self.selector
            )
        ]
        return _sorted_out(self._run_id, objects, jobs=self._jobs)


def _sorted_out(
    run_id: str, found: Sequence[tuple[str, JsonObject]], *, jobs: set[str]
) -> OwnedObjects:
    """Tell what is proved to be a run's; `jobs` are the UIDs of its Jobs, and are added to."""
    proved: list[tuple[str, JsonObject]] = []
    unproved: list[Unproved] = []
    for kind, item in found:
        reason = why_not_proved(item, run_id=run_id, owners=jobs)
        if reason and not _is_ending_pod(kind, item, run_id):
            unproved.append(Unproved(_name(kind, item), reason, item))
            continue
        proved.append((kind, item))
        if kind == "Job":
            jobs.add(str(item["metadata"]["uid"]))
    return OwnedObjects(run_id, tuple(proved), tuple(unproved))


def _is_ending_pod(kind: str, item: JsonObject, run_id: str) -> bool:
    """Return whether a pod outlives its run's Job: it is ending, and is waited for."""
    metadata = item["metadata"]
    return (
        kind == "Pod"
        and "deletionTimestamp" in metadata
        and any(
            each.get("kind") == "Job" and names_run(str(each.get("name", "")), run_id)
            for each in parts(metadata, "ownerReferences")
        )
    )


def _name(kind: str, item: JsonObject) -> str:
    return f"{kind.lower()}/{item['metadata']['name']}"


def command_for(kube: Kube, namespace: str, run_id: str, verb: str) -> str:
    """Return the kubectl command that shows or deletes what a run has in a namespace."""
    selector = f"{labels.RUN}={labels.label_value(run_id)}"
    return kube.access.kubectl(verb, "jobs,pods,configmaps -n", namespace, "-l", selector)
