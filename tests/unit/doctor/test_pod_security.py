"""The Pod Security Standards, field by field."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from floe_tests.doctor.pod_security import violations

Spec = dict[str, Any]
GOOD: Spec = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "main",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
}


def pod(change: Callable[[Spec], object] = lambda _: None) -> Spec:
    spec = copy.deepcopy(GOOD)
    change(spec)
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def fields(manifest: Spec, level: Any, **options: Any) -> list[str]:
    return [each.field for each in violations(manifest, level, **options)]


def context(spec: Spec, **changes: Any) -> None:
    spec["containers"][0]["securityContext"].update(changes)


def capabilities(**changes: list[str]) -> Callable[[Spec], object]:
    return lambda spec: context(spec, capabilities={"drop": ["ALL"], **changes})


def of_pod(**changes: Any) -> Callable[[Spec], object]:
    return lambda spec: spec["securityContext"].update(changes)


def of_container(**changes: Any) -> Callable[[Spec], object]:
    return lambda spec: context(spec, **changes)


def volume(**source: Any) -> Callable[[Spec], object]:
    return lambda spec: spec.update(volumes=[{"name": "v", **source}])


def added(**parts: Any) -> Callable[[Spec], object]:
    return lambda spec: spec["containers"][0].update(parts)


MAIN = "spec.containers[0].securityContext"
BASELINE = [
    (lambda s: s.update(hostNetwork=True), "spec.hostNetwork"),
    (lambda s: s.update(hostPID=True), "spec.hostPID"),
    (lambda s: s.update(hostIPC=True), "spec.hostIPC"),
    (of_container(privileged=True), f"{MAIN}.privileged"),
    (capabilities(add=["NET_ADMIN"]), f"{MAIN}.capabilities.add"),
    (volume(hostPath={"path": "/"}), "spec.volumes[0].hostPath"),
    (added(ports=[{"containerPort": 80, "hostPort": 80}]), "spec.containers[0].ports[0].hostPort"),
    (
        added(livenessProbe={"httpGet": {"port": 1, "host": "127.0.0.1"}}),
        "spec.containers[0].livenessProbe.httpGet.host",
    ),
    (
        added(lifecycle={"preStop": {"tcpSocket": {"port": 1, "host": "x"}}}),
        "spec.containers[0].lifecycle.preStop.tcpSocket.host",
    ),
    (
        of_container(appArmorProfile={"type": "Unconfined"}),
        f"{MAIN}.appArmorProfile.type",
    ),
    (of_pod(seLinuxOptions={"type": "spc_t"}), "spec.securityContext.seLinuxOptions.type"),
    (of_pod(seLinuxOptions={"role": "sysadm_r"}), "spec.securityContext.seLinuxOptions.role"),
    (of_container(procMount="Unmasked"), f"{MAIN}.procMount"),
    (
        of_container(seccompProfile={"type": "Unconfined"}),
        f"{MAIN}.seccompProfile.type",
    ),
    (
        of_pod(sysctls=[{"name": "net.ipv4.tcp_syncookies"}, {"name": "kernel.msgmax"}]),
        "spec.securityContext.sysctls[1]",
    ),
    (
        of_pod(windowsOptions={"hostProcess": True}),
        "spec.securityContext.windowsOptions.hostProcess",
    ),
]
RESTRICTED = [
    (volume(nfs={"server": "x"}), "spec.volumes[0].nfs"),
    (of_container(allowPrivilegeEscalation=None), f"{MAIN}.allowPrivilegeEscalation"),
    (of_pod(runAsNonRoot=None), f"{MAIN}.runAsNonRoot"),
    (of_container(runAsNonRoot=False), f"{MAIN}.runAsNonRoot"),
    (of_pod(runAsUser=0), "spec.securityContext.runAsUser"),
    (of_container(runAsUser=0), f"{MAIN}.runAsUser"),
    (of_pod(seccompProfile={}), f"{MAIN}.seccompProfile.type"),
    (of_container(capabilities={"drop": ["NET_RAW"]}), f"{MAIN}.capabilities.drop"),
    (capabilities(add=["CHOWN"]), f"{MAIN}.capabilities.add"),
]


@pytest.mark.parametrize(("change", "field"), BASELINE, ids=[field for _, field in BASELINE])
def test_what_baseline_refuses_restricted_refuses_too(
    change: Callable[[Spec], object], field: str
) -> None:
    assert fields(pod(change), "baseline") == [field]
    assert fields(pod(change), "restricted") == [field], "told once"
    assert fields(pod(change), "privileged") == []


@pytest.mark.parametrize(("change", "field"), RESTRICTED, ids=[field for _, field in RESTRICTED])
def test_what_restricted_alone_refuses(change: Callable[[Spec], object], field: str) -> None:
    assert fields(pod(change), "restricted") == [field]
    assert fields(pod(change), "baseline") == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: None, id="as it should be"),
        pytest.param(capabilities(add=["NET_BIND_SERVICE"]), id="the one capability"),
        pytest.param(volume(emptyDir={}), id="an emptyDir"),
        pytest.param(volume(ephemeral={}), id="an ephemeral volume"),
        pytest.param(volume(), id="a volume without a type, which is an emptyDir"),
        pytest.param(added(ports=[{"containerPort": 80, "hostPort": 0}]), id="host port 0"),
        pytest.param(of_container(seccompProfile={"type": "Localhost"}), id="an own profile"),
        pytest.param(
            lambda s: (of_pod(runAsNonRoot=None)(s), context(s, runAsNonRoot=True)),
            id="said by each container",
        ),
        pytest.param(
            lambda s: s.update(os={"name": "windows"}, containers=[{"name": "w"}]),
            id="Windows has none of Linux' fields",
        ),
    ],
)
def test_what_restricted_lets_in(change: Callable[[Spec], object]) -> None:
    assert fields(pod(change), "restricted") == []


@pytest.mark.parametrize("key", ["initContainers", "ephemeralContainers"])
def test_every_container_counts(key: str) -> None:
    found = fields(pod(lambda s: s.update({key: [{"name": "other"}]})), "restricted")

    assert f"spec.{key}[0].securityContext.allowPrivilegeEscalation" in found


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        ({"kind": "Deployment", "spec": {"template": pod()}}, "spec.template.spec."),
        ({"kind": "Job", "spec": {"template": pod()}}, "spec.template.spec."),
        (
            {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": pod()}}}},
            "spec.jobTemplate.spec.template.spec.",
        ),
    ],
    ids=["Deployment", "Job", "CronJob"],
)
def test_the_field_is_named_as_the_manifest_has_it(manifest: Spec, path: str) -> None:
    bad = copy.deepcopy(manifest)
    template = bad["spec"].get("template") or bad["spec"]["jobTemplate"]["spec"]["template"]
    template["spec"]["hostNetwork"] = True

    assert fields(manifest, "restricted") == []
    assert fields(bad, "restricted") == [f"{path}hostNetwork"]


@pytest.mark.parametrize("kind", ["Service", "FlinkDeployment"])
def test_what_makes_no_pods_that_are_known_is_not_judged(kind: str) -> None:
    assert fields({"kind": kind, "spec": {"template": {"spec": {}}}}, "restricted") == []


def test_the_rules_are_those_of_the_clusters_version() -> None:
    probe = pod(added(readinessProbe={"httpGet": {"port": 1, "host": "x"}}))
    buffer = pod(of_pod(sysctls=[{"name": "net.ipv4.tcp_rmem"}]))
    root = pod(lambda s: (s.update(hostUsers=False), of_pod(runAsNonRoot=None, runAsUser=0)(s)))

    assert fields(probe, "baseline", kube_version="v1.33.4") == []
    assert fields(probe, "baseline", kube_version="v1.34.2") != []
    assert fields(buffer, "baseline", kube_version="v1.31.0") != []
    assert fields(buffer, "baseline", kube_version="v1.32.0") == []
    assert fields(root, "restricted", kube_version="v1.34.2") != []
    assert fields(root, "restricted", kube_version="v1.35.0") == [], "root of its own namespace"


def test_an_annotation_of_apparmor_counts() -> None:
    found = pod()
    found["metadata"]["annotations"] = {
        "container.apparmor.security.beta.kubernetes.io/main": "unconfined"
    }

    assert len(violations(found, "baseline")) == 1
