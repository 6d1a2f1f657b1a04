"""Who keeps a Job or its pod from starting: Kueue and other queues, a controller, the file itself.

A Job is held by `spec.suspend`, a pod by scheduling gates. Neither is a fault of the Job: it waits
for its turn, by a deadline of its own.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#suspending-a-job,
https://kueue.sigs.k8s.io/docs/tasks/run/jobs/
"""

from __future__ import annotations

from floe_tests.kube.objects import JsonObject, part, parts

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

# How the API server calls the client of this project, which writes under no name of its own.
_OWN_MANAGERS = frozenset({"OpenAPI-Generator", "python-requests", "Swagger-Codegen"})


def suspended_by(job: JsonObject | None) -> str | None:
    """Say in a few words who keeps a Job suspended; None when nobody does."""
    if job is None or not part(job, "spec").get("suspend"):
        return None
    words = [_queue(job), _controller(job), _manager(job)]
    return ", ".join(filter(None, words)) or "an admission webhook or test-job.yaml itself"


def held_by(job: JsonObject | None) -> str | None:
    """Say who decides when a Job without a pod gets one: whoever suspends it, or has it in hand."""
    return suspended_by(job) or (_controller(job) if job is not None else "") or None


def gated_by(pod: JsonObject | None) -> str | None:
    """Say in a few words what keeps a pod from the scheduler; None when nothing does."""
    gates = [str(gate.get("name")) for gate in parts(pod or {}, "spec", "schedulingGates")]
    if pod is None or not gates:
        return None
    words = [f"scheduling gate {', '.join(gates)}", _queue(pod)]
    return ", ".join(filter(None, words))


def is_anothers_to_start(job: JsonObject) -> bool:
    """Return whether a queue or another controller decides when a Job starts."""
    return bool(_queue(job) or _controller(job))


def _queue(item: JsonObject) -> str:
    name = part(item, "metadata", "labels").get(QUEUE_LABEL)
    return f"queue {name} of Kueue" if name else ""


def _controller(job: JsonObject) -> str:
    name = part(job, "spec").get("managedBy")
    return f"controller {name}" if name and name != "kubernetes.io/job-controller" else ""


def _manager(job: JsonObject) -> str:
    """Name who wrote `spec.suspend` last, unless that was this project's own request."""
    writers = [
        (str(entry.get("time") or ""), str(entry.get("manager") or ""))
        for entry in parts(job, "metadata", "managedFields")
        if "f:suspend" in part(entry, "fieldsV1", "f:spec")
    ]
    name = max(writers, default=("", ""))[1]
    return f"field manager {name}" if name and name not in _OWN_MANAGERS else ""
