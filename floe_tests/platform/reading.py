"""Reads the objects of a release, as far as the account may, with few requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from floe_tests.core.errors import first_line
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part

CLAIM = "PersistentVolumeClaim"
# From so many objects of a kind on, one request reads them all.
_MANY = 3


@dataclass
class Reader:
    """Reads what the account may see, and remembers what it may not.

    Attributes:
        kube: The cluster.
        unseen: What the account may not see, by kind and namespace: why.
    """

    kube: Kube
    unseen: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _many: dict[tuple[str, str], dict[str, JsonObject]] = field(
        default_factory=dict[tuple[str, str], dict[str, JsonObject]]
    )
    # Kinds that the account may read by name alone.
    _one_by_one: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def get(self, manifest: JsonObject, namespace: str) -> JsonObject | None:
        """Read an object of any kind; None when it is not there, or may not be seen."""
        kind = str(manifest["kind"])
        version, name = str(manifest.get("apiVersion")), str(manifest["metadata"]["name"])
        if (kind, namespace) in self.unseen:
            return None
        if (kind, namespace) in self._many:
            return self._many[kind, namespace].get(name)
        try:
            return self.kube.get_any(version, kind, name, namespace=namespace)
        except RefusedError as error:
            if not error.is_forbidden or error.is_passing:
                raise
            self.unseen[kind, namespace] = first_line(error)
            return None

    def read_many(self, manifests: Iterable[tuple[JsonObject, str]]) -> None:
        """Read kinds of which a release has many at once: monitoring charts have dozens.

        Args:
            manifests: Manifests, each with its namespace.
        """
        counts = Counter(
            (str(each.get("apiVersion")), str(each["kind"]), namespace)
            for each, namespace in manifests
        )
        self._many = {}
        for (version, kind, namespace), count in counts.items():
            if count < _MANY or (kind, namespace) in self._one_by_one | set(self.unseen):
                continue
            try:
                found = self.kube.list_any(version, kind, namespace=namespace)
            except RefusedError as error:
                if not error.is_forbidden or error.is_passing:
                    raise
                self._one_by_one.add((kind, namespace))
            else:
                named = {str(item["metadata"]["name"]): item for item in found}
                self._many[kind, namespace] = named

    def warnings(self, namespaces: Iterable[str]) -> Sequence[JsonObject]:
        """Read the warnings of namespaces, oldest first."""
        found = (
            event
            for namespace in namespaces
            for event in self.list("Event", namespace, field_selector="type=Warning")
        )
        return sorted(found, key=_time_of)

    def words_on_claims(self, namespaces: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
        """Read what is said of claims, also what is no warning: name → reason → message."""
        said: dict[str, dict[str, str]] = {}
        for namespace in set(namespaces):
            found = self.list("Event", namespace, field_selector=f"involvedObject.kind={CLAIM}")
            for event in sorted(found, key=_time_of):
                name = str(part(event, "involvedObject").get("name"))
                said.setdefault(name, {})[str(event.get("reason"))] = str(event.get("message"))
        return said

    def list(self, kind: str, namespace: str, *, field_selector: str = "") -> list[JsonObject]:
        """Read all objects of a kind; none of what the account may not see."""
        if (kind, namespace) in self.unseen:
            return []
        try:
            return self.kube.list(kind, namespace=namespace, field_selector=field_selector)
        except RefusedError as error:
            if not error.is_forbidden or error.is_passing:
                raise
            self.unseen[kind, namespace] = first_line(error)
            return []


def _time_of(event: JsonObject) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
