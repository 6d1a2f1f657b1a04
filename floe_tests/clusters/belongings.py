"""What a run has in a namespace that is not its own: found by its labels, and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from floe_tests import labels
from floe_tests.clusters.namespace import strike_stuck_pods
from floe_tests.deadline import Deadline
from floe_tests.errors import CleanupError, DeadlineError, InfrastructureError
from floe_tests.kube import JsonObject, Kube

# Jobs first: one whose pod is deleted before it makes no other, but one of a later kind might.
KINDS = ("Job", "Pod", "ConfigMap")
OURS = f"{labels.MANAGED_BY}={labels.MANAGER},{labels.RUN}"
# An exporter that is told to end still sends what it has.
GRACE_SECONDS = 15
_TICK_SECONDS = 2.0


@dataclass(frozen=True)
class Belongings:
    """What one run has in a namespace.

    Attributes:
        run_id: The run, as its label has it.
        objects: Kind and object.
    """

    run_id: str
    objects: tuple[tuple[str, JsonObject], ...]

    @property
    def names(self) -> str:
        """What it is, as kubectl names it."""
        names = (f"{kind.lower()}/{item['metadata']['name']}" for kind, item in self.objects)
        return ", ".join(names)

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


def belongings_in(kube: Kube, namespace: str) -> tuple[Belongings, ...]:
    """Give what runs have in a namespace, by run.

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
    return tuple(Belongings(run_id, tuple(objects)) for run_id, objects in sorted(found.items()))


def remove_belongings(
    kube: Kube,
    namespace: str,
    *,
    run_id: str,
    deadline: Deadline,
    grace_seconds: int = GRACE_SECONDS,
) -> None:
    """Delete all that a run has in a namespace, and wait until it is gone.

    Args:
        kube: The cluster.
        namespace: The namespace, which stays.
        run_id: The run.
        deadline: When nothing may be left.
        grace_seconds: How long its pods may take to end.

    Raises:
        CleanupError: Something is still there, or could not be seen.
    """
    selector = f"{OURS}={labels.label_value(run_id)}"
    try:
        for kind in KINDS:
            for item in kube.list(kind, namespace=namespace, label_selector=selector):
                kube.delete(
                    kind,
                    str(item["metadata"]["name"]),
                    namespace=namespace,
                    grace_seconds=grace_seconds if kind == "Pod" else None,
                )
        for pods in kube.follow(
            "Pod",
            namespace=namespace,
            label_selector=selector,
            deadline=deadline,
            tick_seconds=_TICK_SECONDS,
        ):
            if not pods and not _left(kube, namespace, selector):
                return
            strike_stuck_pods(kube, namespace, label_selector=selector)
    except DeadlineError as error:
        left = _left(kube, namespace, selector)
        message = (
            f"{', '.join(left)} of run {run_id[:8]} still there {deadline.seconds:g} s after the "
            f"deletion. See `{_command(kube, namespace, selector, 'get')}`."
        )
        raise CleanupError(message) from error
    except InfrastructureError as error:
        message = (
            f"what run {run_id[:8]} has in namespace {namespace} could not be removed: {error} "
            f"Remove it with `{_command(kube, namespace, selector, 'delete')}`."
        )
        raise CleanupError(message) from error


def command_for(kube: Kube, namespace: str, run_id: str, verb: str) -> str:
    """Give the kubectl command that shows or deletes what a run has in a namespace."""
    return _command(kube, namespace, f"{labels.RUN}={labels.label_value(run_id)}", verb)


def _left(kube: Kube, namespace: str, selector: str) -> Sequence[str]:
    return [
        f"{kind.lower()}/{item['metadata']['name']}"
        for kind in KINDS
        for item in kube.list(kind, namespace=namespace, label_selector=selector)
    ]


def _command(kube: Kube, namespace: str, selector: str, verb: str) -> str:
    return kube.access.kubectl(verb, "jobs,pods,configmaps -n", namespace, "-l", selector)
