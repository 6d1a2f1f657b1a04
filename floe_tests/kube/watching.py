"""Objects followed: a watch tells each change, and no failure of a watch loses one."""

from __future__ import annotations

import json
from collections.abc import Iterator

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, InfrastructureError
from floe_tests.kube.connection import AGAIN_SECONDS, CONNECT_SECONDS
from floe_tests.kube.errors import RefusedError, transport_errors
from floe_tests.kube.objects import JsonObject
from floe_tests.kube.requests import ObjectRequests
from floe_tests.kube.resources import path_of

_AWAY_SECONDS = 120.0
_SHORTEST_SECONDS = 1.0


class Watching(ObjectRequests):
    """Watches."""

    def follow(
        self,
        kind: str,
        *,
        deadline: Deadline,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        tick_seconds: float = 5,
    ) -> Iterator[dict[str, JsonObject]]:
        """Yield the objects by name: now, after every change, and at least once a tick.

        A watch tells the changes; after each tick the list is read afresh, so a watch that has gone
        silent is noticed. The caller leaves the loop when it has seen what it waits for.

        Args:
            kind: Kind of the objects.
            deadline: When to give up.
            namespace: Their namespace.
            label_selector: Label selector.
            field_selector: Field selector.
            tick_seconds: Longest silence between two yields, in seconds.

        Raises:
            DeadlineError: The deadline passed. The caller says what it was waiting for.
            InfrastructureError: The API was away for two minutes, or up to the deadline.
        """
        unreachable: InfrastructureError | None = None
        away: Deadline | None = None  # runs from the first failure to the next list
        while not (deadline.passed or (away is not None and away.passed)):
            try:
                for state in self._states(
                    kind, namespace, label_selector, field_selector, deadline, tick_seconds
                ):
                    unreachable = away = None
                    yield state
            except RefusedError as error:
                if not error.is_expired and not error.is_passing:
                    raise
                unreachable = error
            except InfrastructureError as error:
                # An API server that restarts is away for seconds: that ends no wait.
                unreachable = error
            if unreachable is not None:
                away = away or Deadline(_AWAY_SECONDS, clock=deadline.clock)
                self._pause(min(AGAIN_SECONDS, deadline.remaining_seconds))
        if unreachable is not None and away is not None:
            message = (
                f"the Kubernetes API could not be reached for the last {away.elapsed_seconds:.0f} "
                f"s: {unreachable}"
            )
            raise InfrastructureError(message) from unreachable
        message = f"waited {deadline.seconds:g} s for {kind} in {namespace or 'the cluster'}."
        raise DeadlineError(message)

    def _states(
        self,
        kind: str,
        namespace: str | None,
        labels: str,
        fields: str,
        deadline: Deadline,
        tick_seconds: float,
    ) -> Iterator[dict[str, JsonObject]]:
        """Yield the objects as the list has them, and after every change that a watch tells."""
        # Its own patience would be added to that of who follows.
        items, version = self._list(kind, namespace, labels, fields, patience_seconds=0)
        state = {str(item["metadata"]["name"]): item for item in items}
        yield dict(state)
        seconds = max(_SHORTEST_SECONDS, min(tick_seconds, deadline.remaining_seconds))
        for change, item in self._watch(
            kind, namespace, labels, fields, version=version, seconds=seconds
        ):
            name = str(item["metadata"]["name"])
            if change == "DELETED":
                state.pop(name, None)
            else:
                state[name] = item
            yield dict(state)

    def _watch(
        self,
        kind: str,
        namespace: str | None,
        labels: str,
        fields: str,
        *,
        version: str,
        seconds: float,
    ) -> Iterator[tuple[str, JsonObject]]:
        query = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(max(1, int(seconds)))),
            ("labelSelector", labels),
            ("fieldSelector", fields),
        ]
        kept = b""
        with (
            self._open(
                "GET", path_of(kind, namespace), query=query, read_seconds=seconds + CONNECT_SECONDS
            ) as response,
            transport_errors(f"the watch of {kind}"),
        ):
            while piece := response.read1(64 * 1024):
                *lines, kept = (kept + piece).split(b"\n")
                for line in lines:
                    if not line:
                        continue
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise RefusedError(
                            f"the watch of {kind} ended: {status.get('message')}",
                            status=int(status.get("code", 500)),
                            reason=str(status.get("reason", "")),
                        )
                    yield str(event["type"]), event["object"]
