"""A platform that is there already: what it is, and whether all of it is up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.config.environment import InstalledSettings
from floe_tests.config.project import Workspace
from floe_tests.core.errors import InfrastructureError, PlatformError
from floe_tests.platform.installed import Fingerprint, state_of, wait_until_complete
from floe_tests.platform.logs import export_logs
from floe_tests.platform.target import Target
from tests.support.helm_records import packed, secret
from tests.support.small_cluster import LABELS, NAMESPACE, Cluster, put_platform

SETTINGS = InstalledSettings(release="floe-platform", namespace=NAMESPACE, ready_seconds=0.3)


@pytest.fixture
def target(cluster: Cluster, tmp_path: Path) -> Target:
    workspace = Workspace(root=tmp_path, output=tmp_path, home=tmp_path, history_url="")
    return Target(cluster.access, NAMESPACE, workspace, tmp_path / "releases", log=print)


def test_a_platform_is_told_by_chart_version_and_digests(cluster: Cluster) -> None:
    put_platform(cluster, digest="bb")

    state = state_of(cluster.kube(), SETTINGS)

    assert state.is_complete
    assert state.fingerprint == Fingerprint("floe-platform-0.2.0", "0.1.0", ("sha256:bb",))


@pytest.mark.parametrize(
    "changes", [{"digest": "cc"}, {"chart": "floe-platform-0.3.0"}], ids=["digest", "chart"]
)
def test_another_digest_or_chart_is_another_platform(
    cluster: Cluster, changes: dict[str, str]
) -> None:
    put_platform(cluster)
    before = state_of(cluster.kube(), SETTINGS).fingerprint
    put_platform(cluster, **changes)  # pyright: ignore[reportArgumentType] - names of strings
    after = state_of(cluster.kube(), SETTINGS).fingerprint

    assert before is not None
    assert after is not None
    assert before.key != after.key


def test_the_same_platform_has_the_same_key_in_every_look(cluster: Cluster) -> None:
    put_platform(cluster)
    cluster.put(
        "pods",
        "a-test-of-helm",
        metadata={"labels": LABELS},
        status={
            "phase": "Succeeded",
            "containerStatuses": [{"name": "t", "image": "t", "imageID": "t@sha256:ee"}],
        },
    )
    keys = {state_of(cluster.kube(), SETTINGS).fingerprint for _ in range(2)}

    assert {found and found.digests for found in keys} == {("sha256:aa",)}


def test_an_evicted_pod_beside_its_successor_is_no_trouble(cluster: Cluster) -> None:
    put_platform(cluster)
    evicted = {
        **cluster.objects["pods", "code-1"],
        "status": {"phase": "Failed", "reason": "Evicted"},
    }
    cluster.put(
        "pods",
        "code-0",
        metadata=dict(evicted["metadata"], name="code-0"),
        status=evicted["status"],
    )

    assert state_of(cluster.kube(), SETTINGS).is_complete


def test_a_release_that_is_not_there_is_said(cluster: Cluster, target: Target) -> None:
    state = state_of(cluster.kube(), SETTINGS)

    assert state.fingerprint is None
    assert "floe-platform in namespace floe-staging is not there" in state.lacking[0]
    with pytest.raises(PlatformError, match="helm list --namespace floe-staging"):
        wait_until_complete(SETTINGS, target)


def test_what_is_installed_is_recorded_as_if_it_had_been_installed_now(
    cluster: Cluster, target: Target
) -> None:
    put_platform(cluster)

    release, fingerprint = wait_until_complete(SETTINGS, target)

    assert (release.name, release.chart, release.version) == (
        "floe-platform",
        "floe-platform",
        "0.2.0",
    )
    assert release.app_version == "0.1.0"
    assert release.images == (("platform:1", "sha256:aa"),)
    assert fingerprint.digests == ("sha256:aa",)
    assert {method for method, _ in cluster.requests} == {"GET"}, "it looks, and changes nothing"


def test_a_component_that_is_not_ready_is_named_with_the_reason(
    cluster: Cluster, target: Target
) -> None:
    put_platform(cluster, ready=False)
    cluster.watch_seconds = 0.05

    with pytest.raises(PlatformError, match=r"deployment/code has 0 of 1 pods ready"):
        wait_until_complete(SETTINGS, target)
    assert "deployment/code has 0 of 1 pods ready" in state_of(cluster.kube(), SETTINGS).lacking


def test_a_component_that_crashes_ends_the_look_at_once(cluster: Cluster, target: Target) -> None:
    put_platform(cluster, ready=False)
    cluster.objects["pods", "code-1"]["status"]["containerStatuses"] = [
        {
            "name": "code",
            "restartCount": 5,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
        }
    ]
    patient = SETTINGS.model_copy(update={"ready_seconds": 300})

    with pytest.raises(PlatformError, match="code crashed: OOMKilled, exit code 137"):
        wait_until_complete(patient, target)


def test_a_rollout_under_way_is_not_complete(cluster: Cluster) -> None:
    put_platform(cluster)
    cluster.objects["deployments", "code"]["status"]["observedGeneration"] = 0

    assert state_of(cluster.kube(), SETTINGS).lacking == (
        "deployment/code still has pods of before the change",
    )


HELMS = {
    "meta.helm.sh/release-name": "floe-platform",
    "meta.helm.sh/release-namespace": NAMESPACE,
}


def strip_labels(cluster: Cluster) -> None:
    """Make the platform a stranger's: only its own selector's label is left."""
    for plural, name in (("deployments", "code"), ("pods", "code-1")):
        metadata = cluster.objects[plural, name]["metadata"]
        metadata["labels"] = {"app": "code", "pod-template-hash": "1"}
    cluster.objects["deployments", "code"]["metadata"]["annotations"] = HELMS
    owner = {"kind": "ReplicaSet", "name": "code-1", "uid": "uid-of-code-1"}
    cluster.objects["pods", "code-1"]["metadata"]["ownerReferences"] = [owner]
    made_by = [{"kind": "Deployment", "name": "code", "uid": "uid-of-code"}]
    cluster.put("replicasets", "code-1", metadata={"ownerReferences": made_by})


@pytest.mark.parametrize("refused", [False, True], ids=["all may be read", "no ReplicaSets"])
def test_a_strangers_platform_is_known_by_helms_annotations(
    cluster: Cluster, target: Target, *, refused: bool
) -> None:
    """Its account may read no Secret, and its objects have none of the common labels."""
    put_platform(cluster)
    strip_labels(cluster)
    cluster.refused["GET", "secrets"] = 403
    if refused:
        cluster.refused["GET", "replicasets"] = 403
    lines: list[str] = []

    release, fingerprint = wait_until_complete(SETTINGS, replace(target, log=lines.append))

    assert fingerprint.digests == ("sha256:aa",)
    assert any("helm's annotation meta.helm.sh/release-name (" in line for line in lines)
    assert bool(release.notes) is refused


def test_objects_of_another_release_of_that_name_elsewhere_are_not_its(cluster: Cluster) -> None:
    put_platform(cluster)
    strip_labels(cluster)
    others = {**HELMS, "meta.helm.sh/release-namespace": "other"}
    cluster.objects["deployments", "code"]["metadata"]["annotations"] = others

    assert state_of(cluster.kube(), SETTINGS).fingerprint is None


def test_a_platform_that_helm_did_not_install_is_known_by_its_label_and_said(
    cluster: Cluster, target: Target
) -> None:
    put_platform(cluster)
    lines: list[str] = []

    wait_until_complete(SETTINGS, replace(target, log=lines.append))

    assert any("the label app.kubernetes.io/instance" in line for line in lines)


def test_a_platform_that_may_not_be_seen_is_not_called_absent(cluster: Cluster) -> None:
    put_platform(cluster)
    for plural in ("deployments", "statefulsets", "daemonsets", "replicasets"):
        cluster.refused["GET", plural] = 403
    del cluster.objects["pods", "code-1"]

    with pytest.raises(InfrastructureError, match=r"cannot be seen: GET .* 403"):
        state_of(cluster.kube(), SETTINGS)


def test_its_logs_are_those_of_its_own_pods(cluster: Cluster, tmp_path: Path) -> None:
    put_platform(cluster)
    strip_labels(cluster)
    cluster.put(
        "pods", "of-others", metadata={}, spec={}, status={"containerStatuses": [{"name": "x"}]}
    )
    lines: list[str] = []

    since = datetime(2026, 11, 24, tzinfo=UTC)
    export_logs(
        cluster.kube(),
        NAMESPACE,
        tmp_path,
        releases=["floe-platform"],
        since=since,
        log=lines.append,
    )

    assert [file.name for file in (tmp_path / "platform-logs").iterdir()] == ["code-1-code.log"]


def test_pods_of_a_release_in_other_namespaces_have_their_logs_kept(
    cluster: Cluster, tmp_path: Path
) -> None:
    chart = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "agents"},
    }
    cluster.put("secrets", "v1", **secret(packed(chart)))
    cluster.put("daemonsets", "agent", metadata={"namespace": "agents"}, status={})
    owner = {"kind": "DaemonSet", "name": "agent", "uid": "uid-of-agent"}
    cluster.put(
        "pods",
        "agent-x",
        metadata={"namespace": "agents", "ownerReferences": [owner]},
        status={"containerStatuses": [{"name": "a"}]},
    )

    export_logs(cluster.kube(), NAMESPACE, tmp_path, releases=["web"], log=print)

    assert [file.name for file in (tmp_path / "platform-logs").iterdir()] == ["agent-x-a.log"]
    assert cluster.log_paths[-1].startswith("/api/v1/namespaces/agents/")
