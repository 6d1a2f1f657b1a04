"""Nodes that are not there, by kwok: they take pods by the hundred, and run nothing.

The API server, the scheduler and the controllers are real. A fake node's pods start and complete
after some seconds; on some nodes they never start, or never end, and a node can go away.

Source: https://kwok.sigs.k8s.io
"""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import yaml

from floe_tests.kube.client import Kube

LABELS = {"type": "kwok"}
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}
ANNOTATION = "kwok.x-k8s.io/node"
FROZEN = "fake-frozen"
ENDLESS = "fake-endless"
LOST = "fake-lost"
_NOW = "{{ Now | Quote }}"


def _stage(name: str, conditions: list[dict[str, object]], template: str, delay: int) -> object:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {"matchExpressions": conditions},
            "delay": {"durationMilliseconds": delay, "jitterDurationMilliseconds": 3 * delay},
            "next": {"statusTemplate": template},
        },
    }


def _when(key: str, operator: str, *values: str) -> dict[str, object]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


_ALIVE = _when(".metadata.deletionTimestamp", "DoesNotExist")


def _statuses(is_up: str, state: str) -> str:
    """Return the statuses of all of a pod's containers."""
    return "".join(
        f"""
{statuses}:
{{{{ range .spec.{containers} }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  imageID: ""
  ready: {is_up}
  started: {is_up}
  restartCount: 0
  state: {{{state}}}
{{{{ end }}}}"""
        for statuses, containers in (
            ("initContainerStatuses", "initContainers"),
            ("containerStatuses", "containers"),
        )
    )


_STARTED = f"""
phase: Running
startTime: {_NOW}
conditions:
- {{type: Initialized, status: "True", lastTransitionTime: {_NOW}}}
- {{type: Ready, status: "True", lastTransitionTime: {_NOW}}}
- {{type: ContainersReady, status: "True", lastTransitionTime: {_NOW}}}{
    _statuses("true", f"running: {{startedAt: {_NOW}}}")
}
"""
_ENDED = f"""
phase: Succeeded{
    _statuses(
        "false",
        f"terminated: {{exitCode: 0, reason: Completed, startedAt: {_NOW}, finishedAt: {_NOW}}}",
    )
}
"""


def _stages() -> list[object]:
    deleted = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": "pod-delete"},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {
                "matchExpressions": [
                    _when(".metadata.deletionTimestamp", "Exists"),
                    _when(".metadata.finalizers", "DoesNotExist"),
                ]
            },
            "next": {"delete": True},
        },
    }
    pending = _when(".status.phase", "In", "Pending")
    running = _when(".status.phase", "In", "Running")
    starts = _when(".spec.nodeName", "NotIn", FROZEN)
    ends = _when(".spec.nodeName", "NotIn", ENDLESS, LOST)
    return [
        _stage("pod-start", [_ALIVE, pending, starts], _STARTED, 500),
        _stage("pod-end", [_ALIVE, running, ends], _ENDED, 3000),
        deleted,
    ]


def _node(name: str) -> dict[str, object]:
    amounts = {"cpu": "64", "memory": "256Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**LABELS, "kubernetes.io/hostname": name},
            "annotations": {ANNOTATION: "fake"},
        },
        "spec": {"taints": [TAINT]},
        "status": {"allocatable": amounts, "capacity": amounts},
    }


@contextmanager
def fake_nodes(kube: Kube, kubeconfig: Path, folder: Path, *names: str) -> Generator[None]:
    """Have fake nodes for a while.

    Args:
        kube: The cluster.
        kubeconfig: Its kubeconfig.
        folder: For kwok's configuration and log.
        names: The nodes.
    """
    config = folder / "kwok.yaml"
    config.write_text(yaml.safe_dump_all(_stages()))
    command = [
        *("kwok", "--kubeconfig", str(kubeconfig), "--config", str(config)),
        *("--manage-all-nodes=false", f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake"),
        *("--node-lease-duration-seconds=40", "--cidr=10.240.0.1/16", "--node-ip=127.0.0.1"),
    ]
    with (
        (folder / "kwok.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            for name in names:
                kube.create(_node(name))
            yield
        finally:
            for name in names:
                kube.delete("Node", name)
            process.terminate()
            process.wait(timeout=30)
