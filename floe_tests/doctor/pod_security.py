"""The Pod Security Standards: which fields of a pod a namespace's level refuses.

Pure functions: a pod's template in, fields out. The API server judges again when the pod is made;
this says it before anything is created.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from floe_tests.config.environment import PodSecurity
from floe_tests.kube.objects import JsonObject, part, parts

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_HANDLERS = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)
# A chart may render for a cluster whose version is not known: then the newest rules are in force.
_NEWEST = 34
_HOST_PROBES_SINCE = 34
_USER_NAMESPACES_SINCE = 35

_BASELINE_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    }
)
_RESTRICTED_VOLUMES = frozenset(
    {
        *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
        *("projected", "secret"),
    }
)
_SELINUX_TYPES = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)
# Safe sysctls, with the minor version of Kubernetes from which on they are.
_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_MINOR = re.compile(r"v?1\.(\d+)")

# What a check yields: the field, and what it must be.
_Found = Iterator[tuple[str, str]]


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


@dataclass(frozen=True)
class _Pod:
    """A pod's template, as the checks read it."""

    metadata: JsonObject
    spec: JsonObject
    minor: int

    @property
    def is_windows(self) -> bool:
        return part(self.spec, "os").get("name") == "windows"

    @property
    def has_user_namespace(self) -> bool:
        return self.spec.get("hostUsers") is False and self.minor >= _USER_NAMESPACES_SINCE

    def containers(self) -> Iterator[tuple[str, JsonObject]]:
        for key in _CONTAINERS:
            for index, container in enumerate(parts(self.spec, key)):
                yield f"{key}[{index}]", container

    def contexts(self) -> Iterator[tuple[str, JsonObject]]:
        """Yield the security contexts: the pod's, then each container's."""
        yield "securityContext", part(self.spec, "securityContext")
        for path, container in self.containers():
            yield f"{path}.securityContext", part(container, "securityContext")


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
    pod = _Pod(
        part(template, "metadata"), part(template, "spec"), int(match[1]) if match else _NEWEST
    )
    checks = _BASELINE if level == "baseline" else (*_BASELINE, *_RESTRICTED)
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


def _host_process(pod: _Pod) -> _Found:
    for path, context in pod.contexts():
        if part(context, "windowsOptions").get("hostProcess") is True:
            yield f"{path}.windowsOptions.hostProcess", "must not be true"


def _host_namespaces(pod: _Pod) -> _Found:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key) is True:
            yield key, "must not be true"


def _privileged(pod: _Pod) -> _Found:
    for path, container in pod.containers():
        if part(container, "securityContext").get("privileged") is True:
            yield f"{path}.securityContext.privileged", "must not be true"


def _added_capabilities(pod: _Pod) -> _Found:
    for path, container in pod.containers():
        added = _capabilities(container, "add")
        if not added <= _BASELINE_CAPABILITIES:
            names = ", ".join(sorted(added - _BASELINE_CAPABILITIES))
            yield f"{path}.securityContext.capabilities.add", f"must not have {names}"


def _host_paths(pod: _Pod) -> _Found:
    for index, volume in enumerate(parts(pod.spec, "volumes")):
        if "hostPath" in volume:
            yield f"volumes[{index}].hostPath", f"must not be there (volume {volume.get('name')})"


def _host_ports(pod: _Pod) -> _Found:
    for path, container in pod.containers():
        for index, port in enumerate(parts(container, "ports")):
            if port.get("hostPort"):
                yield f"{path}.ports[{index}].hostPort", "must be unset or 0"


def _host_probes(pod: _Pod) -> _Found:
    if pod.minor < _HOST_PROBES_SINCE:
        return
    for path, container in pod.containers():
        for keys in _HANDLERS:
            for action in ("httpGet", "tcpSocket"):
                if part(container, *keys, action).get("host"):
                    yield f"{path}.{'.'.join(keys)}.{action}.host", "must be unset"


def _app_armor(pod: _Pod) -> _Found:
    for path, context in pod.contexts():
        profile = part(context, "appArmorProfile").get("type")
        if profile not in {None, "RuntimeDefault", "Localhost"}:
            yield f"{path}.appArmorProfile.type", "must be RuntimeDefault or Localhost"
    for key, value in part(pod.metadata, "annotations").items():
        allowed = value in {"", "runtime/default"} or str(value).startswith("localhost/")
        if key.startswith(_APPARMOR) and not allowed:
            yield f"(annotation {key})", "must be runtime/default or localhost/PROFILE"


def _selinux(pod: _Pod) -> _Found:
    for path, context in pod.contexts():
        options = part(context, "seLinuxOptions")
        if (options.get("type") or "") not in _SELINUX_TYPES:
            yield f"{path}.seLinuxOptions.type", "must be one of the types of containers"
        for key in ("user", "role"):
            if options.get(key):
                yield f"{path}.seLinuxOptions.{key}", "must be unset"


def _proc_mount(pod: _Pod) -> _Found:
    if not pod.has_user_namespace:
        yield from _unmasked(pod)


def _unmasked(pod: _Pod) -> _Found:
    for path, container in pod.containers():
        if part(container, "securityContext").get("procMount") not in {None, "", "Default"}:
            yield f"{path}.securityContext.procMount", "must be Default"


def _unconfined(pod: _Pod) -> _Found:
    for path, context in pod.contexts():
        profile = part(context, "seccompProfile").get("type")
        if profile not in {None, "RuntimeDefault", "Localhost"}:
            yield f"{path}.seccompProfile.type", "must be RuntimeDefault or Localhost"


def _sysctls(pod: _Pod) -> _Found:
    for index, each in enumerate(parts(pod.spec, "securityContext", "sysctls")):
        since = _SYSCTLS.get(str(each.get("name")))
        if since is None or since > pod.minor:
            yield f"securityContext.sysctls[{index}]", f"must be a safe one, not {each.get('name')}"


def _volume_types(pod: _Pod) -> _Found:
    for index, volume in enumerate(parts(pod.spec, "volumes")):
        # One of the host's is told by the baseline.
        types = set(volume) - {"name", "hostPath"}
        # Without any type it is an emptyDir.
        if types and not types & _RESTRICTED_VOLUMES:
            yield f"volumes[{index}].{min(types)}", "must be of another type, such as emptyDir"


def _escalation(pod: _Pod) -> _Found:
    if pod.is_windows:
        return
    for path, container in pod.containers():
        if part(container, "securityContext").get("allowPrivilegeEscalation") is not False:
            yield f"{path}.securityContext.allowPrivilegeEscalation", "must be false"


def _non_root(pod: _Pod) -> _Found:
    if pod.has_user_namespace:
        return
    of_pod = part(pod.spec, "securityContext").get("runAsNonRoot")
    if of_pod is False:
        yield "securityContext.runAsNonRoot", "must be true"
    for path, container in pod.containers():
        own = part(container, "securityContext").get("runAsNonRoot")
        if own is False or (own is None and of_pod is None):
            yield f"{path}.securityContext.runAsNonRoot", "must be true, here or for the pod"


def _root_user(pod: _Pod) -> _Found:
    if pod.has_user_namespace:
        return
    for path, context in pod.contexts():
        if context.get("runAsUser") == 0:
            yield f"{path}.runAsUser", "must not be 0"


def _seccomp(pod: _Pod) -> _Found:
    if pod.is_windows:
        return
    of_pod = part(pod.spec, "securityContext", "seccompProfile").get("type")
    for path, container in pod.containers():
        if of_pod is None and not part(container, "securityContext", "seccompProfile").get("type"):
            rule = "must be RuntimeDefault or Localhost, here or for the pod"
            yield f"{path}.securityContext.seccompProfile.type", rule


def _dropped_capabilities(pod: _Pod) -> _Found:
    if pod.is_windows:
        return
    for path, container in pod.containers():
        if "ALL" not in _capabilities(container, "drop"):
            yield f"{path}.securityContext.capabilities.drop", "must have ALL"
        # What baseline refuses as well is told once.
        added = _capabilities(container, "add") & _BASELINE_CAPABILITIES - {"NET_BIND_SERVICE"}
        if added:
            names = ", ".join(sorted(added))
            yield f"{path}.securityContext.capabilities.add", f"must not have {names}"


def _capabilities(container: JsonObject, key: str) -> set[str]:
    found = part(container, "securityContext", "capabilities").get(key)
    return {str(name) for name in found} if isinstance(found, list) else set[str]()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON


_BASELINE: tuple[Callable[[_Pod], _Found], ...] = (
    _host_process,
    _host_namespaces,
    _privileged,
    _added_capabilities,
    _host_paths,
    _host_ports,
    _host_probes,
    _app_armor,
    _selinux,
    _proc_mount,
    _unconfined,
    _sysctls,
)
_RESTRICTED: tuple[Callable[[_Pod], _Found], ...] = (
    _volume_types,
    _escalation,
    _non_root,
    _root_user,
    _seccomp,
    _dropped_capabilities,
    _unmasked,
)
