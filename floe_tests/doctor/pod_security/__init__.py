"""The Pod Security Standards: which fields of a pod a namespace's level refuses.

Pure functions: a pod's template in, fields out. The API server judges again when the pod is made;
this says it before anything is created.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from floe_tests.config.environment import NEWEST_MINOR, PodSecurity
from floe_tests.doctor.pod_security.baseline import BASELINE
from floe_tests.doctor.pod_security.pod import Pod
from floe_tests.doctor.pod_security.restricted import RESTRICTED
from floe_tests.kube.objects import JsonObject, part, parts

_MINOR = re.compile(r"v?1\.(\d+)")


@dataclass(frozen=True)
class Violation:
    """A field that a level of the Pod Security Standards refuses.

    Attributes:
        field: The field's path in the object.
        rule: What it must be.
    """

    field: str
    rule: str

    def __str__(self) -> str:
        """Return it as messages have it."""
        return f"{self.field} {self.rule}"


def violations(
    manifest: JsonObject, level: PodSecurity, *, kube_version: str | None = None
) -> tuple[Violation, ...]:
    """Return what a level refuses of the pods that an object makes; empty for one without pods.

    Args:
        manifest: A Pod, or an object with a template of pods.
        level: The namespace's level.
        kube_version: Version of the cluster (`v1.34.2`); None takes the newest rules.
    """
    found = _template_in(manifest)
    if found is None or level == "privileged":
        return ()
    path, template = found
    match = _MINOR.match(kube_version or "")
    pod = Pod(
        part(template, "metadata"), part(template, "spec"), int(match[1]) if match else NEWEST_MINOR
    )
    checks = BASELINE if level == "baseline" else (*BASELINE, *RESTRICTED)
    told = dict.fromkeys(
        Violation(f"{path}{field}", rule) for check in checks for field, rule in check(pod)
    )
    return tuple(told)


def _template_in(manifest: JsonObject) -> tuple[str, JsonObject] | None:
    kind = manifest.get("kind")
    if kind == "Pod":
        return "spec.", manifest
    if kind == "CronJob":
        template = part(manifest, "spec", "jobTemplate", "spec", "template")
        return "spec.jobTemplate.spec.template.spec.", template
    if kind == "PodTemplate":
        return "template.spec.", part(manifest, "template")
    template = part(manifest, "spec", "template")
    if kind in {
        *("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
    } and parts(template, "spec", "containers"):
        return "spec.template.spec.", template
    return None
