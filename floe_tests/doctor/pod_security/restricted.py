"""What the level `restricted` refuses beyond `baseline`: what a hardened pod does without."""

from __future__ import annotations

from floe_tests.doctor.pod_security.baseline import BASELINE_CAPABILITIES, unmasked
from floe_tests.doctor.pod_security.pod import Check, Found, Pod, capabilities_of
from floe_tests.kube.objects import part, parts

_RESTRICTED_VOLUMES = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
        *("projected", "secret"),
    }
)


def _volume_types(pod: Pod) -> Found:
    for index, volume in enumerate(parts(pod.spec, "volumes")):
        # One of the host's is told by the baseline.
        types = set(volume) - {"name", "hostPath"}
        # Without any type it is an emptyDir.
        if types and not types & _RESTRICTED_VOLUMES:
            yield f"volumes[{index}].{min(types)}", "must be of another type, such as emptyDir"


def _escalation(pod: Pod) -> Found:
    if pod.is_windows:
        return
    for path, container in pod.containers():
        if part(container, "securityContext").get("allowPrivilegeEscalation") is not False:
            yield f"{path}.securityContext.allowPrivilegeEscalation", "must be false"


def _non_root(pod: Pod) -> Found:
    if pod.has_user_namespace:
        return
    of_pod = part(pod.spec, "securityContext").get("runAsNonRoot")
    if of_pod is False:
        yield "securityContext.runAsNonRoot", "must be true"
    for path, container in pod.containers():
        own = part(container, "securityContext").get("runAsNonRoot")
        if own is False or (own is None and of_pod is None):
            yield f"{path}.securityContext.runAsNonRoot", "must be true, here or for the pod"


def _root_user(pod: Pod) -> Found:
    if pod.has_user_namespace:
        return
    for path, context in pod.contexts():
        if context.get("runAsUser") == 0:
            yield f"{path}.runAsUser", "must not be 0"


def _seccomp(pod: Pod) -> Found:
    if pod.is_windows:
        return
    of_pod = part(pod.spec, "securityContext", "seccompProfile").get("type")
    for path, container in pod.containers():
        if of_pod is None and not part(container, "securityContext", "seccompProfile").get("type"):
            rule = "must be RuntimeDefault or Localhost, here or for the pod"
            yield f"{path}.securityContext.seccompProfile.type", rule


def _dropped_capabilities(pod: Pod) -> Found:
    if pod.is_windows:
        return
    for path, container in pod.containers():
        if "ALL" not in capabilities_of(container, "drop"):
            yield f"{path}.securityContext.capabilities.drop", "must have ALL"
        # What baseline refuses as well is told once.
        added = capabilities_of(container, "add") & BASELINE_CAPABILITIES - {"NET_BIND_SERVICE"}
        if added:
            names = ", ".join(sorted(added))
            yield f"{path}.securityContext.capabilities.add", f"must not have {names}"


RESTRICTED: tuple[Check, ...] = (
    _volume_types,
    _escalation,
    _non_root,
    _root_user,
    _seccomp,
    _dropped_capabilities,
    unmasked,
)
