"""A tier's objects, shown to a cluster without making them: schema, webhooks, rights."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.core.words import listed
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import RENDERED_NAMESPACE, Needs
from floe_tests.kube.client import Kube
from floe_tests.kube.errors import RefusedError
from floe_tests.kube.objects import JsonObject, part, parts

# A run's own namespace is not there yet, and an object needs one that is.
_NAMESPACE = "default"
_SHOWN = 4


def check_dry_run(kube: Kube, needs: Needs) -> Check:
    """Let the API server judge every object of a tier; nothing is created.

    Args:
        kube: The cluster.
        needs: What the tier brings.
    """
    installed = needs.tier.installed
    namespace = installed.namespace if installed else _NAMESPACE
    items = (*needs.manifests, *needs.jobs)
    try:
        refused = list(_refused(kube, items, namespace))
    except FloeTestsError as error:
        return Check("dry run", "unknown", f"the cluster does not answer: {first_line(error)}")
    if refused:
        return Check(
            "dry run",
            "failed",
            f"the cluster refuses {listed(refused, shown=_SHOWN, separator='; ')}",
            "Mend the chart's values or the suite's test-job.yaml.",
        )
    return Check("dry run", "ok", f"the cluster would take all {len(items)} objects")


def _refused(kube: Kube, items: tuple[JsonObject, ...], namespace: str) -> Iterator[str]:
    kinds = {
        str(part(item, "spec", "names").get("kind"))
        for item in items
        if item.get("kind") == "CustomResourceDefinition"
    }
    for item in items:
        if item.get("kind") in kinds:
            continue  # the chart itself brings its kind
        shown = _in_namespace(item, namespace)
        try:
            known = kube.dry_run(shown, namespace=str(part(shown, "metadata")["namespace"]))
            if not known:
                yield f"{_named(item)}: it has no kind {item.get('apiVersion')} {item.get('kind')}"
        except RefusedError as error:
            # One that is there is another's, or an earlier run's.
            if not error.is_conflict:
                yield f"{_named(item)}: {first_line(error)}"


def _named(item: JsonObject) -> str:
    return f"{str(item.get('kind')).lower()}/{part(item, 'metadata').get('name')}"


def _in_namespace(item: JsonObject, namespace: str) -> JsonObject:
    """Return an object as it would be in a namespace that is there."""
    shown = copy.deepcopy(item)
    metadata = shown.setdefault("metadata", {})
    if metadata.get("namespace") in {None, RENDERED_NAMESPACE} or item.get("kind") == "Job":
        metadata["namespace"] = namespace
    for subject in parts(shown, "subjects"):
        if subject.get("namespace") == RENDERED_NAMESPACE:
            subject["namespace"] = namespace
    return shown
