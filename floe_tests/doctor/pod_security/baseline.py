"""What the level `baseline` refuses: the ways from a pod to its node that are known."""

from __future__ import annotations

from floe_tests.doctor.pod_security.pod import Check, Found, Pod, capabilities_of
from floe_tests.kube.objects import part, parts

_HANDLERS = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)
_HOST_PROBES_SINCE = 34

BASELINE_CAPABILITIES = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
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


def _host_process(pod: Pod) -> Found:
    for path, context in pod.contexts():
        if part(context, "windowsOptions").get("hostProcess") is True:
            yield f"{path}.windowsOptions.hostProcess", "must not be true"


def _host_namespaces(pod: Pod) -> Found:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key) is True:
            yield key, "must not be true"


def _privileged(pod: Pod) -> Found:
    for path, container in pod.containers():
        if part(container, "securityContext").get("privileged") is True:
            yield f"{path}.securityContext.privileged", "must not be true"


def _added_capabilities(pod: Pod) -> Found:
    for path, container in pod.containers():
        added = capabilities_of(container, "add")
        if not added <= BASELINE_CAPABILITIES:
            names = ", ".join(sorted(added - BASELINE_CAPABILITIES))
            yield f"{path}.securityContext.capabilities.add", f"must not have {names}"


def _host_paths(pod: Pod) -> Found:
    for index, volume in enumerate(parts(pod.spec, "volumes")):
        if "hostPath" in volume:
            yield f"volumes[{index}].hostPath", f"must not be there (volume {volume.get('name')})"


def _host_ports(pod: Pod) -> Found:
    for path, container in pod.containers():
        for index, port in enumerate(parts(container, "ports")):
            if port.get("hostPort"):
                yield f"{path}.ports[{index}].hostPort", "must be unset or 0"


def _host_probes(pod: Pod) -> Found:
    if pod.minor < _HOST_PROBES_SINCE:
        return
    for path, container in pod.containers():
        for keys in _HANDLERS:
            for action in ("httpGet", "tcpSocket"):
                if part(container, *keys, action).get("host"):
                    yield f"{path}.{'.'.join(keys)}.{action}.host", "must be unset"


def _app_armor(pod: Pod) -> Found:
    for path, context in pod.contexts():
        profile = part(context, "appArmorProfile").get("type")
        if profile not in {None, "RuntimeDefault", "Localhost"}:
            yield f"{path}.appArmorProfile.type", "must be RuntimeDefault or Localhost"
    for key, value in part(pod.metadata, "annotations").items():
        allowed = value in {"", "runtime/default"} or str(value).startswith("localhost/")
        if key.startswith(_APPARMOR) and not allowed:
            yield f"(annotation {key})", "must be runtime/default or localhost/PROFILE"


def _selinux(pod: Pod) -> Found:
    for path, context in pod.contexts():
        options = part(context, "seLinuxOptions")
        if (options.get("type") or "") not in _SELINUX_TYPES:
            yield f"{path}.seLinuxOptions.type", "must be one of the types of containers"
        for key in ("user", "role"):
            if options.get(key):
                yield f"{path}.seLinuxOptions.{key}", "must be unset"


def _proc_mount(pod: Pod) -> Found:
    if not pod.has_user_namespace:
        yield from unmasked(pod)


def unmasked(pod: Pod) -> Found:
    """Find a /proc that is not masked."""
    for path, container in pod.containers():
        if part(container, "securityContext").get("procMount") not in {None, "", "Default"}:
            yield f"{path}.securityContext.procMount", "must be Default"


def _unconfined(pod: Pod) -> Found:
    for path, context in pod.contexts():
        profile = part(context, "seccompProfile").get("type")
        if profile not in {None, "RuntimeDefault", "Localhost"}:
            yield f"{path}.seccompProfile.type", "must be RuntimeDefault or Localhost"


def _sysctls(pod: Pod) -> Found:
    for index, each in enumerate(parts(pod.spec, "securityContext", "sysctls")):
        since = _SYSCTLS.get(str(each.get("name")))
        if since is None or since > pod.minor:
            yield f"securityContext.sysctls[{index}]", f"must be a safe one, not {each.get('name')}"


BASELINE: tuple[Check, ...] = (
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
