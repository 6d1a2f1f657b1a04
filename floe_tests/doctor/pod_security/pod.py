"""A pod's template, as the checks of a level read it, and what they find in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from floe_tests.kube.objects import JsonObject, part, parts

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_USER_NAMESPACES_SINCE = 35

# What a check yields: the field, and what it must be.
Found = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Pod:
    """A pod's template, as the checks read it."""

    metadata: JsonObject
    spec: JsonObject
    minor: int

    @property
    def is_windows(self) -> bool:
        """Whether it is for nodes with Windows, to which some rules do not apply."""
        return part(self.spec, "os").get("name") == "windows"

    @property
    def has_user_namespace(self) -> bool:
        """Whether its root is no root on the node, which loosens some rules."""
        return self.spec.get("hostUsers") is False and self.minor >= _USER_NAMESPACES_SINCE

    def containers(self) -> Iterator[tuple[str, JsonObject]]:
        """Yield all of its containers, each with its path."""
        for key in _CONTAINERS:
            for index, container in enumerate(parts(self.spec, key)):
                yield f"{key}[{index}]", container

    def contexts(self) -> Iterator[tuple[str, JsonObject]]:
        """Yield the security contexts: the pod's, then each container's."""
        yield "securityContext", part(self.spec, "securityContext")
        for path, container in self.containers():
            yield f"{path}.securityContext", part(container, "securityContext")


Check = Callable[[Pod], Found]


def capabilities_of(container: JsonObject, key: str) -> set[str]:
    """Return the capabilities that a container adds or drops."""
    found = part(container, "securityContext", "capabilities").get(key)
    return {str(name) for name in found} if isinstance(found, list) else set[str]()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
