"""The cluster: its version, the room on its nodes, its storage and its network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.doctor.cluster import check_network, check_nodes, check_storage, reach
from floe_tests.environments.provider import provider_of
from floe_tests.kube.client import Kube
from tests.support.doctor import deployment, needs, tier
from tests.support.small_server import Server

Put = Callable[[str, str], Path]
NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
DAEMON_SETS = "/apis/apps/v1/daemonsets"


def node(name: str = "one", *, cpu: str = "4", memory: str = "8Gi", **changes: Any) -> Any:
    conditions = {"Ready": "True", **changes.pop("conditions", {})}
    return {
        "metadata": {"name": name},
        "spec": changes,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory},
            "conditions": [{"type": key, "status": value} for key, value in conditions.items()],
        },
    }


def pod(on: str, *, cpu: str, memory: str, phase: str = "Running") -> Any:
    requests = {"cpu": cpu, "memory": memory}
    return {
        "metadata": {"name": "other"},
        "spec": {"nodeName": on, "containers": [{"resources": {"requests": requests}}]},
        "status": {"phase": phase},
    }


@pytest.mark.parametrize(
    ("version", "state", "found"),
    [
        ("v1.34.2", "ok", "answers, Kubernetes v1.34.2"),
        ("v1.29.0-gke.1", "ok", "answers, Kubernetes v1.29.0-gke.1"),
        ("v1.28.15", "failed", "answers, Kubernetes v1.28.15; native sidecars need 1.29.0"),
    ],
)
def test_a_cluster_says_its_version(
    server: Server, kubeconfig: Path, version: str, state: str, found: str
):
    server.answers["/version"] = {"gitVersion": version}

    reached = reach(tier(context={"kubeconfig": str(kubeconfig)}), provider_of("context"))

    assert [(check.state, check.found) for check in reached.checks] == [(state, found)]
    assert reached.version == version


def test_a_context_that_is_not_there_fails_with_the_command_that_lists_them(kubeconfig: Path):
    reached = reach(
        tier(context={"kubeconfig": str(kubeconfig), "context": "staging"}), provider_of("context")
    )

    (check,) = reached.checks
    assert (reached.kube, check.state) == (None, "failed")
    assert "kubectl config get-contexts" in check.remedy


@pytest.mark.functional
def test_a_kind_cluster_that_is_not_there_is_made_by_the_run(programs: Put):
    programs("kind", "echo other")

    reached = reach(tier(environments=["kind"]), provider_of("kind"))

    assert (reached.kube, reached.version) == (None, "v1.34.2")
    assert [check.state for check in reached.checks] == ["ok"]


@pytest.mark.functional
def test_a_kind_cluster_that_is_there_is_asked(server: Server, kubeconfig: Path, programs: Put):
    server.answers["/version"] = {"gitVersion": "v1.33.1"}
    text = kubeconfig.read_text()
    programs(
        "kind",
        f'if [ "$2" = clusters ]; then echo floe-tests; else echo "{text}"; fi',
    )
    assert yaml.safe_load(text)["kind"] == "Config"

    reached = reach(tier(environments=["kind"]), provider_of("kind"))

    assert reached.version == "v1.33.1"
    assert reached.kube is not None
    assert "--context kind-floe-tests" in reached.kube.access.kubectl()


@pytest.mark.functional
def test_a_kind_cluster_whose_docker_was_stopped_fails_with_its_removal(programs: Put):
    config = (
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
        "clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n"
    )
    programs("kind", f'if [ "$2" = clusters ]; then echo floe-tests; else echo "{config}"; fi')

    (check,) = reach(tier(environments=["kind"]), provider_of("kind")).checks

    assert check.state == "failed"
    assert check.remedy == "kind delete cluster --name floe-tests"


def test_a_node_with_room_is_fine(server: Server, kube: Kube):
    server.answers = {NODES: [node()], PODS: [pod("one", cpu="1", memory="1Gi")]}

    nodes, room = check_nodes(kube, needs(deployment()))

    assert (nodes.state, nodes.found) == ("ok", "1 of 1 ready")
    assert room.state == "ok"
    assert room.found == ("3.0 cores and 7.0 GiB are left; the tier requests 0.5 and 1.0")


def test_a_pod_that_fits_on_no_single_node_is_named_though_the_sum_would_do(
    server: Server, kube: Kube
):
    server.answers = {NODES: [node("one"), node("two")], PODS: []}

    _, room = check_nodes(kube, needs(deployment("big", memory="10Gi")))

    assert room.state == "failed"
    assert "no node has room for deployment/big" in room.found


def test_copies_that_do_not_all_fit_fail(server: Server, kube: Kube):
    server.answers = {NODES: [node()], PODS: []}

    _, room = check_nodes(kube, needs(deployment(cpu="1500m", replicas=3)))

    assert room.state == "failed"
    assert "the tier requests 4.5" in room.found


def test_what_is_over_holds_no_room(server: Server, kube: Kube):
    over = [pod("one", cpu="4", memory="8Gi", phase=phase) for phase in ("Succeeded", "Failed")]
    server.answers = {NODES: [node()], PODS: [*over, pod("elsewhere", cpu="4", memory="8Gi")]}

    _, room = check_nodes(kube, needs(deployment()))

    assert room.state == "ok"


def test_a_budget_that_the_nodes_do_not_have_is_a_warning(server: Server, kube: Kube):
    server.answers = {NODES: [node(memory="4Gi")], PODS: []}

    _, room = check_nodes(kube, needs(deployment(), budget={"memory": "8Gi", "minutes": 5}))

    assert room.state == "warning"
    assert "its budget of 8Gi is more than the nodes have" in room.found


def test_pods_that_may_not_be_seen_are_said(server: Server, kube: Kube):
    server.answers = {NODES: [node()], PODS: 403}

    _, room = check_nodes(kube, needs(deployment()))

    assert room.state == "ok"
    assert "(other pods cannot be seen)" in room.found


@pytest.mark.parametrize(
    ("nodes", "state", "found"),
    [
        pytest.param(
            [node(conditions={"MemoryPressure": "True"})],
            "warning",
            "1 of 1 ready; one: MemoryPressure",
            id="pressure",
        ),
        pytest.param(
            [node(), node("two", conditions={"Ready": "Unknown"})],
            "warning",
            "1 of 2 ready",
            id="one is away",
        ),
        pytest.param(
            [node(conditions={"Ready": "False"})],
            "failed",
            "0 of 1 ready, none takes pods",
            id="none is ready",
        ),
        pytest.param(
            [node(unschedulable=True)],
            "failed",
            "1 of 1 ready, none takes pods; one: cordoned",
            id="cordoned",
        ),
        pytest.param(
            [node(taints=[{"key": "gpu", "effect": "NoSchedule"}])],
            "failed",
            "1 of 1 ready, none takes pods; one: taint gpu",
            id="tainted",
        ),
        pytest.param(
            [node(taints=[{"key": "gpu", "effect": "PreferNoSchedule"}])],
            "ok",
            "1 of 1 ready",
            id="a taint that only prefers",
        ),
        pytest.param(
            [node(taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}])],
            "ok",
            "1 of 1 ready",
            id="a node that has become ready this second",
        ),
    ],
)
def test_the_state_of_the_nodes(
    server: Server, kube: Kube, nodes: list[Any], state: str, found: str
):
    server.answers = {NODES: nodes, PODS: []}

    check = check_nodes(kube, needs())[0]

    assert (check.state, check.found) == (state, found)


def test_nodes_that_may_not_be_seen_are_unknown(server: Server, kube: Kube):
    server.answers = {NODES: 403}

    assert [check.state for check in check_nodes(kube, needs())] == ["unknown", "unknown"]


def storage_class(name: str, *, default: bool) -> Any:
    key = "storageclass.kubernetes.io/is-default-class"
    return {"metadata": {"name": name, "annotations": {key: str(default).lower()}}}


def claim(storage: str | None) -> Any:
    spec = {} if storage is None else {"storageClassName": storage}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}


@pytest.mark.parametrize(
    ("manifest", "classes", "state", "found"),
    [
        pytest.param(
            claim(None),
            [storage_class("standard", default=True)],
            "ok",
            "StorageClass standard (default)",
            id="the default",
        ),
        pytest.param(
            claim(None),
            [storage_class("standard", default=False)],
            "failed",
            "StorageClass missing: a default one; there is standard",
            id="no default",
        ),
        pytest.param(claim(None), [], "failed", "there is none", id="none at all"),
        pytest.param(
            claim("fast"), [storage_class("fast", default=False)], "ok", "fast", id="by name"
        ),
        pytest.param(
            claim("fast"),
            [storage_class("slow", default=True)],
            "failed",
            "StorageClass missing: fast; there is slow",
            id="another name",
        ),
        pytest.param(
            {"kind": "StatefulSet", "spec": {"volumeClaimTemplates": [claim(None)]}},
            [],
            "failed",
            "a default one",
            id="of a StatefulSet",
        ),
        pytest.param(claim(None), 403, "unknown", "not permitted", id="not permitted"),
    ],
)
def test_storage(server: Server, kube: Kube, manifest: Any, classes: Any, state: str, found: str):
    server.answers = {STORAGE: classes}

    check = check_storage(kube, needs(manifest))

    assert check is not None
    assert check.state == state
    assert found in check.found


def test_a_tier_without_volumes_needs_no_storage(server: Server, kube: Kube):
    server.answers = {STORAGE: []}

    assert check_storage(kube, needs(deployment())) is None


@pytest.mark.parametrize(
    ("names", "state", "found"),
    [
        (["kube-proxy", "cilium"], "ok", "Cilium enforces NetworkPolicy"),
        (["kube-flannel-ds"], "ok", "Flannel does not enforce NetworkPolicy"),
        (["kube-proxy"], "unknown", "none that is known"),
    ],
)
def test_the_network_is_information(
    server: Server, kube: Kube, names: list[str], state: str, found: str
):
    server.answers = {DAEMON_SETS: [{"metadata": {"name": name}} for name in names]}

    check = check_network(kube)

    assert (check.state, found in check.found, check.remedy) == (state, True, "")
