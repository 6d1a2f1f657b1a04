"""What a release lacks as a whole, its pods aside, and what of it can be watched at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from floe_tests.core.deadline import Deadline
from floe_tests.kube.objects import JsonObject, part
from floe_tests.platform.live import Live
from floe_tests.platform.notes import (
    notes_on,
    notes_on_address,
    notes_on_manifests,
    notes_on_silent,
    scaled_by,
    wants_address,
)
from floe_tests.platform.readiness import (
    is_held_back,
    is_suspended,
    lacking_of_claim,
    lacking_of_custom,
    lacking_of_job,
    says_something,
)
from floe_tests.platform.scope import Scope
from floe_tests.platform.troubles import Trouble, claims_of, component_of
from floe_tests.platform.workloads import WORKLOADS, lacking, wanted_pods

# An object that helm has made and that is gone again does not come back by waiting.
_GONE_SECONDS = 5.0


@dataclass
class Inspection:
    """A release's objects, looked at again and again.

    Attributes:
        scope: What belongs to it.
        status_seconds: How long custom resources without a status are waited for, once all else is
            up: their operator may just have started.
    """

    scope: Scope
    status_seconds: float = 3.0
    _all_else_is_up: Deadline | None = None

    def lacking(self, pods: Mapping[str, JsonObject], *, helm_has_ended: bool) -> Iterator[Trouble]:
        """Yield what the release's objects lack.

        Args:
            pods: All of its pods.
            helm_has_ended: Whether all objects should be there; before that its hooks count too,
                for which helm waits.
        """
        found = list(self._of_objects(pods, helm_has_ended=helm_has_ended))
        yield from found
        if found or not helm_has_ended:
            self._all_else_is_up = None
            return
        self._all_else_is_up = self._all_else_is_up or Deadline(self.status_seconds)
        for each in self.scope.objects:
            is_silent = each.item is not None and each.is_custom and not part(each.item, "status")
            if is_silent and not self._all_else_is_up.passed:
                why = f"{each.subject} has no status yet"
                yield Trouble(
                    each.subject, component_of(each.manifest), why, quiet_seconds=math.inf
                )

    def watched(self) -> int:
        """Return how many objects say whether they are up."""
        return sum(_is_telling(each) for each in self.scope.objects if not each.hook)

    def notes(self, pods: Mapping[str, JsonObject]) -> Iterator[str]:
        """Yield what a reader should know: what is not waited for, and what cannot be seen.

        Args:
            pods: All of its pods.
        """
        yield from self._notes_on_objects(pods)
        manifests = self.scope.record.objects if self.scope.record else ()
        yield from notes_on_manifests(manifests)
        for manifest in filter(wants_address, manifests):
            found = self.scope.read(manifest)
            if found is not None:
                yield from notes_on_address(found, str(manifest["kind"]))
        for (kind, namespace), why in self.scope.unseen.items():
            yield f"{kind} in namespace {namespace} cannot be seen, and is not watched: {why}"
        record = self.scope.record
        yield from record.unread if record else ()
        if not self.watched():
            kinds = sorted({str(each["kind"]) for each in record.objects}) if record else []
            shown = ", ".join(kinds) or "no object"
            yield f"nothing of it can be watched ({shown}): whether it works is not known"

    def _notes_on_objects(self, pods: Mapping[str, JsonObject]) -> Iterator[str]:
        manifests = self.scope.record.objects if self.scope.record else ()
        silent: list[JsonObject] = []
        for each in self.scope.objects:
            if each.item is None or each.hook:
                continue
            name = str(each.manifest["metadata"]["name"])
            item = pods.get(name, each.item) if each.kind == "Pod" else each.item
            scaler = scaled_by(manifests, each.kind, name)
            for note in notes_on(each.kind, item, each.manifest):
                off = f" (which turns hpa/{scaler} off)" if scaler and " 0 replicas" in note else ""
                yield f"{note}{off}"
            if each.is_custom and not part(item, "status") and not is_suspended(item):
                silent.append({**item, "kind": each.kind})
        yield from notes_on_silent(silent)

    def _of_objects(
        self, pods: Mapping[str, JsonObject], *, helm_has_ended: bool
    ) -> Iterator[Trouble]:
        if self.scope.record is None:
            name = self.scope.release
            why = "helm has no record of it"
            yield Trouble(f"release/{name}", name, why, quiet_seconds=math.inf)
        used = {name for pod in pods.values() for name in claims_of(pod)}
        for each in self.scope.objects:
            if not (each.hook and helm_has_ended):
                yield from self._lacking_of(each, pods, used, helm_has_ended=helm_has_ended)

    def _lacking_of(
        self,
        each: Live,
        pods: Mapping[str, JsonObject],
        used: set[str],
        *,
        helm_has_ended: bool,
    ) -> Iterator[Trouble]:
        item, events = each.item, self.scope.events
        if item is None:
            yield from _missing(each, helm_has_ended=helm_has_ended)
        elif each.kind in WORKLOADS:
            own = self.scope.pods_of(item, pods.values())
            makers = self.scope.makers_of(item)
            yield from lacking(
                each.kind,
                item,
                events,
                makers=makers[-1:],
                pods=own,
                is_settled=helm_has_ended and not self.scope.makes_more,
            )
        elif each.kind == "Job":
            own = self.scope.pods_of(item, pods.values())
            yield from lacking_of_job(
                item, events, pods=own, hook=each.hook, manifest=each.manifest
            )
        elif each.kind == "Pod":
            name = each.manifest["metadata"]["name"]
            if all(pod["metadata"]["name"] != name for pod in pods.values()):
                yield from _missing(each, helm_has_ended=helm_has_ended)
        elif each.kind == "PersistentVolumeClaim":
            name = str(item["metadata"]["name"])
            if name not in used:
                yield from lacking_of_claim(item, self.scope.claim_events.get(name, {}))
        else:
            yield from lacking_of_custom(item)


def _missing(each: Live, *, helm_has_ended: bool) -> Iterator[Trouble]:
    """Yield that an object is not there: helm has not come to it, or somebody has taken it."""
    is_cleaned_up = each.kind == "Job" and "ttlSecondsAfterFinished" in part(each.manifest, "spec")
    if each.hook or (is_cleaned_up and helm_has_ended):
        return
    yield Trouble(
        each.subject,
        component_of(each.manifest),
        f"{each.subject} is not there",
        patience_seconds=_GONE_SECONDS if helm_has_ended else math.inf,
        quiet_seconds=math.inf,
        namespace=str(each.manifest["metadata"].get("namespace") or ""),
    )


def _is_telling(each: Live) -> bool:
    """Return whether an object says whether it is up."""
    if each.item is None:
        return False
    if each.kind in WORKLOADS:
        return wanted_pods(each.item) > 0
    if each.kind == "Job":
        return not is_held_back(each.item)
    if each.kind in {"Pod", "PersistentVolumeClaim"}:
        return True
    return says_something(each.item)
