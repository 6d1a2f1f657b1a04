"""Which pods were made from another template than the one that their workload has now.

A ReplicaSet or a ReplicationController does not say so itself: it replaces no pods when its
template changes, and takes up pods that its selector finds, whoever made them.
"""

from __future__ import annotations

from collections.abc import Sequence

from floe_tests.kube.objects import JsonObject, part, parts


def of_another_template(item: JsonObject, pods: Sequence[JsonObject]) -> list[JsonObject]:
    """Choose the pods that were made before a workload's template was last written.

    Their containers differ, too: what admission changes in a pod does not make it another's, nor
    does a new number of replicas.

    Args:
        item: The workload.
        pods: Its pods.
    """
    written = _template_written_at(item)
    return [
        pod
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and str(pod["metadata"].get("creationTimestamp", "")) < written
        and _differs(part(item, "spec", "template"), pod)
    ]


def _template_written_at(item: JsonObject) -> str:
    """Return when somebody last wrote the template (ISO 8601, UTC); empty when it is not known."""
    return max(
        (
            str(each.get("time") or "")
            for each in parts(item, "metadata", "managedFields")
            if not each.get("subresource") and part(each, "fieldsV1", "f:spec", "f:template")
        ),
        default="",
    )


def _differs(template: JsonObject, pod: JsonObject) -> bool:
    running = {str(one["name"]): one for one in parts(pod, "spec", "containers")}
    for wanted in parts(template, "spec", "containers"):
        found = running.get(str(wanted["name"]))
        if found is None:
            return True
        if any(wanted.get(key) != found.get(key) for key in ("image", "command", "args")):
            return True
        environment = parts(found, "env")
        if any(variable not in environment for variable in parts(wanted, "env")):
            return True
    return False
