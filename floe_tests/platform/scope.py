"""What belongs to a release: the objects that helm created, and by ownerReferences their pods.

Where helm's record cannot be read (an account that may not read Secrets, a release that something
else than helm has applied), the annotations that helm leaves on its objects stand in for it, and
after them the label app.kubernetes.io/instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from floe_tests.core import labels
from floe_tests.core.errors import HarnessError, InfrastructureError, first_line
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import JsonObject, part, pod_is_over
from floe_tests.platform.leftovers import RELEASE_NAME, RELEASE_NAMESPACE
from floe_tests.platform.live import Live, age_of, deployment_of, is_custom, owners_of, uid_of
from floe_tests.platform.reading import CLAIM, Reader
from floe_tests.platform.record import Record, hook_events, newest_record
from floe_tests.platform.troubles import Events, is_of_job
from floe_tests.platform.workloads import WORKLOADS

_LISTED = (*WORKLOADS, "Job")
# What an operator makes of a custom resource.
_MADE = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
_WITH_PODS = frozenset({*_LISTED, "Pod"})


@dataclass
class Scope:
    """What belongs to a release, looked at again and again.

    Attributes:
        kube: The cluster.
        release: Name of the release.
        namespace: Its namespace.
        record: What helm has written down; None while it is not known, or cannot be had.
        told_by: What the objects are known by.
        objects: Its objects, as they are now.
        events: The warnings of its namespaces.
        claim_events: What is said of its claims that are not bound: name → reason → message.
    """

    kube: Kube
    release: str
    namespace: str
    record: Record | None = None
    told_by: str = "helm's record"
    objects: tuple[Live, ...] = ()
    events: Events = field(default_factory=Events)
    claim_events: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, Mapping[str, str]]
    )
    _uids: frozenset[str] = frozenset()
    _hook_uids: frozenset[str] = frozenset()
    _listed: dict[tuple[str, str], list[JsonObject]] = field(
        default_factory=dict[tuple[str, str], list[JsonObject]]
    )
    _elsewhere: tuple[JsonObject, ...] = ()
    _reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        """Prepare to read."""
        self._reader = Reader(self.kube)

    @property
    def unseen(self) -> Mapping[tuple[str, str], str]:
        """What the account may not see, by kind and namespace: why."""
        return self._reader.unseen

    def read_record(self, *, after: int = 0) -> bool:
        """Read helm's newest record, if it is newer than a revision that was there before.

        Args:
            after: That revision; 0 where there was none.

        Returns:
            Whether the record is known now.

        Raises:
            RefusedError: The account may not read it.
        """
        found = newest_record(self.kube, self.release, namespace=self.namespace)
        if found is not None and found.revision > after:
            self.record = found
        return self.record is not None

    def find_out(self) -> None:
        """Find out what the release has: by helm's record, annotations, or the label, once.

        Raises:
            InfrastructureError: The account may see none of it.
        """
        try:
            if self.read_record():
                return
            why = "helm has no record of it"
        except (RefusedError, HarnessError) as error:
            if isinstance(error, RefusedError) and not error.is_forbidden:
                raise
            why = first_line(error)
        found = [
            (kind, item)
            for kind in (*_MADE, "Job", "Pod")
            for item in self._reader.list(kind, self.namespace)
            if not owners_of(item)
        ]
        unseen = [each for each in self.unseen.items() if each[0][0] in _MADE]
        if not found and unseen:
            message = f"release {self.release} cannot be seen: {unseen[0][1]}"
            raise InfrastructureError(message)
        # What a label alone says of a pod that has ended says nothing of the release.
        found = [(kind, item) for kind, item in found if not pod_is_over(item)]
        own = [(kind, item) for kind, item in found if self._is_annotated(item)]
        self.told_by = f"helm's annotation {RELEASE_NAME} ({why})"
        if not own:
            own = [(kind, item) for kind, item in found if self._is_labelled(item)]
            self.told_by = f"the label app.kubernetes.io/instance ({why})"
        self.record = Record(
            0, tuple({**item, "kind": kind} for kind, item in own if not hook_events(item))
        )

    def refresh(self) -> None:
        """Read what the release has now: a request for each kind that it uses, and the warnings."""
        record = self.record or Record(0)
        manifests = [*((each, False) for each in record.objects)]
        manifests += [(each, True) for each in record.hooks]
        places: dict[str, set[str]] = {self.namespace: set()}
        for manifest, _ in manifests:
            places.setdefault(self._namespace_of(manifest), set()).add(str(manifest["kind"]))
        self._listed = {
            (kind, namespace): self._reader.list(kind, namespace)
            for namespace, kinds in places.items()
            for kind in self._kinds_to_list(namespace, kinds)
        }
        elsewhere = [
            name for name, kinds in places.items() if name != self.namespace and kinds & _WITH_PODS
        ]
        self._elsewhere = tuple(pod for name in elsewhere for pod in self._reader.list("Pod", name))
        self._reader.read_many(
            (manifest, self._namespace_of(manifest))
            for manifest, _ in manifests
            if is_custom(manifest)
        )
        live = [self._live(manifest, is_hook) for manifest, is_hook in manifests]
        self.objects = self._with_what_is_made([each for each in live if each is not None])
        self.events = Events(self._reader.warnings((self.namespace, *elsewhere)))
        self.claim_events = self._reader.words_on_claims(
            str(each.item["metadata"].get("namespace") or self.namespace)
            for each in self.objects
            if each.kind == CLAIM
            and each.item
            and part(each.item, "status").get("phase") == "Pending"
        )

    def read(self, manifest: JsonObject) -> JsonObject | None:
        """Read an object of the release; None when it is not there, or may not be seen."""
        return self._reader.get(manifest, self._namespace_of(manifest))

    @property
    def reaches_out(self) -> bool:
        """Whether it has pods in other namespaces than its own."""
        record = self.record or Record(0)
        return any(
            str(each["kind"]) in _WITH_PODS and self._namespace_of(each) != self.namespace
            for each in record.objects
        )

    @property
    def makes_more(self) -> bool:
        """Whether operators, hooks or Jobs make objects that helm's own list does not have."""
        record = self.record or Record(0)
        kinds = {str(each["kind"]) for each in record.objects}
        return bool(record.hooks) or "Job" in kinds or any(map(is_custom, record.objects))

    def pods(self, found: Iterable[JsonObject]) -> dict[str, JsonObject]:
        """Choose the release's pods.

        Args:
            found: The pods of its namespace.

        Returns:
            Those of the release, by name, with those in other namespaces.
        """
        bare = {
            (self._namespace_of(each.manifest), str(each.manifest["metadata"]["name"]))
            for each in self.objects
            if each.kind == "Pod"
        }
        hidden = self._is_hidden("ReplicaSet")
        deployments = self._names_of("Deployment") if hidden else set[str]()
        chosen: dict[str, JsonObject] = {}
        for pod in (*found, *self._elsewhere):
            metadata = pod["metadata"]
            namespace = str(metadata.get("namespace") or self.namespace)
            name = str(metadata["name"])
            if (
                (namespace, name) in bare
                or self._owns(pod)
                or deployment_of(pod) in deployments
                or (namespace == self.namespace and self._is_operators(pod))
            ):
                chosen[name if namespace == self.namespace else f"{namespace}/{name}"] = pod
        return chosen

    def pods_of(self, owner: JsonObject, pods: Iterable[JsonObject]) -> list[JsonObject]:
        """Choose the pods that an object has made, through ReplicaSets too."""
        uids = {uid_of(owner), *map(uid_of, self.makers_of(owner))}
        names = {owner["metadata"]["name"]} if self._is_hidden("ReplicaSet") else set[str]()
        return [pod for pod in pods if owners_of(pod) & uids or deployment_of(pod) in names]

    def makers_of(self, owner: JsonObject) -> list[JsonObject]:
        """Return the ReplicaSets that an object has made, the newest last."""
        found = [
            each
            for (kind, _), items in self._listed.items()
            if kind == "ReplicaSet"
            for each in items
            if uid_of(owner) in owners_of(each)
        ]
        return sorted(found, key=age_of)

    def is_of_hook(self, pod: JsonObject) -> bool:
        """Return whether a pod is a hook, or was made by one."""
        return bool(hook_events(pod) or owners_of(pod) & self._hook_uids)

    def _live(self, manifest: JsonObject, is_hook: bool) -> Live | None:  # noqa: FBT001 - internal
        kind, name = str(manifest["kind"]), str(manifest["metadata"]["name"])
        namespace = self._namespace_of(manifest)
        hook = ", ".join(sorted(hook_events(manifest))) if is_hook else ""
        if kind in _LISTED:
            if (kind, namespace) in self.unseen:
                return None
            found = self._listed.get((kind, namespace), [])
            item = next((each for each in found if each["metadata"]["name"] == name), None)
        elif kind == "Pod":
            item = manifest
        elif kind == CLAIM or is_custom(manifest):
            item = self._reader.get(manifest, namespace)
            if item is None and (kind, namespace) in self.unseen:
                return None
        else:
            return None
        return Live(kind, item, manifest, hook)

    def _with_what_is_made(self, live: list[Live]) -> tuple[Live, ...]:
        """Add what operators have made of the release's objects, and what carries its label."""
        known = {uid_of(each.item) for each in live if each.item is not None and each.kind != "Pod"}
        custom = {
            uid_of(each.item) for each in live if each.item is not None and is_custom(each.manifest)
        }
        made: list[Live] = []
        grown = True
        while grown:
            grown = False
            for (kind, _), items in self._listed.items():
                for item in items:
                    uid, owners = uid_of(item), owners_of(item)
                    if uid in known:
                        continue
                    is_operators = bool(owners & custom) or (
                        kind in WORKLOADS and not owners and self._is_labelled(item)
                    )
                    if owners & known or is_operators:
                        known.add(uid)
                        grown = True
                        if is_operators and kind in WORKLOADS:
                            made.append(Live(kind, item, item, made=True))
        self._uids = frozenset(known)
        self._hook_uids = frozenset(
            uid_of(each.item) for each in live if each.hook and each.item is not None
        )
        return (*live, *made)

    def _kinds_to_list(self, namespace: str, kinds: set[str]) -> list[str]:
        wanted = {kind for kind in kinds if kind in _LISTED}
        record = self.record or Record(0)
        if namespace == self.namespace and any(map(is_custom, (*record.objects, *record.hooks))):
            wanted.update(_MADE)
        if "Deployment" in wanted:
            wanted.add("ReplicaSet")
        return [kind for kind in _LISTED if kind in wanted]

    def _owns(self, pod: JsonObject) -> bool:
        return bool(owners_of(pod) & self._uids)

    def _is_operators(self, pod: JsonObject) -> bool:
        """Return whether a pod carries the release's label without being made by its objects.

        Operators make such pods without an owner that helm knows. What Jobs make, `helm test` and
        this project's own suites among them, comes and goes.
        """
        carried = part(pod, "metadata", "labels")
        return (
            self._is_labelled(pod)
            and not is_of_job(pod)
            and not hook_events(pod)
            and not pod_is_over(pod)
            and labels.SUITE not in carried
        )

    def _is_labelled(self, item: JsonObject) -> bool:
        carried = part(item, "metadata", "labels")
        named = part(item, "metadata", "annotations").get(RELEASE_NAME)
        return carried.get("app.kubernetes.io/instance") == self.release and (
            named in {None, self.release}
        )

    def _is_annotated(self, item: JsonObject) -> bool:
        said = part(item, "metadata", "annotations")
        return said.get(RELEASE_NAME) == self.release and (
            said.get(RELEASE_NAMESPACE) in {None, self.namespace}
        )

    def _is_hidden(self, kind: str) -> bool:
        return any(each == kind for each, _ in self.unseen)

    def _names_of(self, kind: str) -> set[str]:
        return {
            str(each.manifest["metadata"]["name"]) for each in self.objects if each.kind == kind
        }

    def _namespace_of(self, manifest: JsonObject) -> str:
        return str(part(manifest, "metadata").get("namespace") or self.namespace)
