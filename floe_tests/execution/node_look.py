"""Looks at the nodes of pods that have fallen silent: now and then, once for all pods on one."""

from __future__ import annotations

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import InfrastructureError
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.timeouts import NODE_LOOK_SECONDS
from floe_tests.execution.verdict.facts import NodeFacts
from floe_tests.execution.verdict.observed import node_facts
from floe_tests.kube.client import Kube


class NodeLook:
    """The nodes of one attempt's pods."""

    def __init__(self, kube: Kube, spec: AttemptSpec) -> None:
        """Begin with none looked at.

        Args:
            kube: The cluster; one without patience, for the deadlines must not wait for a look.
            spec: The attempt, whose clock says when a look is due.
        """
        self._kube = kube
        self._spec = spec
        self._seen: dict[str, tuple[Deadline, NodeFacts | None]] = {}

    def lost(self, name: str) -> NodeFacts | None:
        """Return a node that the cluster lost touch with; None where it did not, or cannot say."""
        next_look, node = self._seen.get(name, (None, None))
        if next_look is None or next_look.passed:
            node = self._look(name)
            self._seen[name] = (self._spec.deadline(NODE_LOOK_SECONDS), node)
        return None if node is None or node.is_heard_of else node

    def _look(self, name: str) -> NodeFacts | None:
        try:
            return node_facts(name, self._kube.get("Node", name))
        except InfrastructureError:
            # Reading nodes is a right of its own: without it, the cluster removes the pod in time.
            # And an API that is away says nothing of the node.
            return None
