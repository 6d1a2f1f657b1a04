"""A release on its way up: what belongs to it, when it is ready, and who is told when it is not.

helm is a small program here, and the cluster a real server that remembers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.project import Workspace
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import (
    ConfigurationError,
    FloeTestsError,
    InfrastructureError,
    PlatformError,
)
from floe_tests.core.program import Program
from floe_tests.platform import admission, rollout
from floe_tests.platform.rollout import Before, Up, state_before, wait_until_ready
from floe_tests.platform.target import Target
from tests.support.helm_records import packed, secret
from tests.support.small_cluster import NAMESPACE, Cluster, serving

REFUSED = (
    'pods "web-1-x" is forbidden: violates PodSecurity "restricted:latest": '
    "allowPrivilegeEscalation != false"
)
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
UP = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with serving(tmp_path) as made:
        yield made


class Bench:
    """A release named `web`, and a program that stands for helm."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.lines: list[str] = []
        workspace = Workspace(root=folder, output=folder, home=folder, history_url="")
        self.target = Target(cluster.access, NAMESPACE, workspace, folder, self.lines.append)

    def record(self, *objects: dict[str, Any], revision: int = 1, **options: Any) -> None:
        text = packed(*objects, revision=revision, **options)
        self.cluster.put("secrets", f"v{revision}", **secret(text, revision=revision))

    def own(self, plural: str, name: str, owner: str, *, kind: str = "", **parts: Any) -> None:
        owners = [{"kind": kind, "name": owner, "uid": f"uid-of-{owner}"}]
        metadata = {"ownerReferences": owners, **parts.pop("metadata", {})}
        self.cluster.put(plural, name, metadata=metadata, **parts)

    def deployment(self, name: str = "web", **status: Any) -> None:
        """Put a stranger's Deployment there: no label is any of the common ones."""
        self.cluster.put(
            "deployments",
            name,
            metadata={"generation": 1, "labels": {"app.kubernetes.io/name": name}},
            spec={"replicas": 1},
            status={**UP, **status},
        )
        self.own("replicasets", f"{name}-1", name, kind="Deployment", spec={"replicas": 1})

    def pod(
        self,
        name: str,
        owner: str,
        *,
        kind: str = "ReplicaSet",
        labels: dict[str, str] | None = None,
        **status: Any,
    ) -> None:
        probed = {"containers": [{"name": "c", "readinessProbe": {}}]}
        metadata = {"labels": labels or {"pod-template-hash": "1"}}
        self.own("pods", name, owner, kind=kind, metadata=metadata, spec=probed, status=status)

    def wait(
        self,
        *,
        seconds: float = 5,
        helm: str = "exit 0",
        before: Before | None = None,
    ) -> Up:
        deadline = Deadline(seconds)
        with Program(["sh", "-c", helm], deadline=deadline) as program:
            return wait_until_ready(
                "web", self.target, program, deadline=deadline, before=before or Before()
            )

    def failure(self, kind: type[FloeTestsError], **options: Any) -> str:
        with pytest.raises(FloeTestsError) as raised:
            self.wait(**options)
        assert type(raised.value) is kind, str(raised.value)
        assert raised.value.evidence
        return str(raised.value)


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Bench:
    return Bench(cluster, tmp_path)


def crashed(count: int = 3) -> dict[str, Any]:
    return {
        "name": "c",
        "restartCount": count,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 7}},
    }


def test_a_strangers_pods_are_found_by_their_owners(bench: Bench) -> None:
    bench.record(WEB)
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)
    bench.pod("other-1-x", "other-1", **UNREADY)

    up = bench.wait()

    assert [pod["metadata"]["name"] for pod in up.pods] == ["web-1-x"]
    assert (up.watched, up.notes) == (1, ())


def test_a_pod_that_is_never_ready_is_named_at_the_deadline(bench: Bench) -> None:
    bench.record(WEB)
    bench.deployment(readyReplicas=0)
    bench.pod("web-1-x", "web-1", **UNREADY)

    message = bench.failure(PlatformError, seconds=1)

    assert "web did not come up: not ready within 1 s: deployment/web has 0 of 1" in message
    assert "describe pod web-1-x" in message


def test_pods_that_pod_security_refuses_end_the_wait_at_once_as_configuration(
    bench: Bench,
) -> None:
    bench.record(WEB)
    bench.deployment(readyReplicas=0, replicas=0)
    told = [{"type": "ReplicaFailure", "status": "True", "message": REFUSED}]
    bench.own("replicasets", "web-1", "web", kind="Deployment", status={"conditions": told})

    message = bench.failure(ConfigurationError, seconds=60, helm="exec sleep 60")

    assert 'its pods are refused by Pod Security "restricted:latest"' in message
    assert "allowPrivilegeEscalation != false" in message
    assert "`pod_security`" in message


def test_a_silent_webhook_that_refuses_pods_is_infrastructure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_BACK_SECONDS", 0.0)
    bench.record(WEB)
    bench.deployment(readyReplicas=0, replicas=0)
    message = (
        'Internal error occurred: failed calling webhook "pods.gate.io": failed to call webhook: '
        'Post "https://gate.policy.svc:443/x": connect: connection refused'
    )
    told = [{"type": "ReplicaFailure", "status": "True", "message": message}]
    bench.own("replicasets", "web-1", "web", kind="Deployment", status={"conditions": told})

    assert 'webhook "pods.gate.io", which does not answer' in bench.failure(InfrastructureError)


def test_a_third_crash_ends_the_wait_with_the_last_words(bench: Bench) -> None:
    bench.record(WEB)
    bench.deployment(readyReplicas=0)
    bench.pod("web-1-x", "web-1", **UNREADY, containerStatuses=[crashed()])

    message = bench.failure(PlatformError, seconds=60)

    assert "container c crashed: Error, exit code 7, 3 times" in message
    assert "its last words" in message


def test_a_release_of_which_nothing_can_be_watched_says_so(bench: Bench) -> None:
    bench.record({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}})

    up = bench.wait()

    assert up.watched == 0
    assert up.shown == "installed, with nothing to watch,"
    assert up.notes == ("nothing of it can be watched (ConfigMap): whether it works is not known",)


def test_zero_replicas_are_ready_and_said(bench: Bench) -> None:
    bench.record(WEB)
    bench.deployment()
    bench.cluster.objects["deployments", "web"]["spec"]["replicas"] = 0
    bench.cluster.objects["deployments", "web"]["status"] = {"observedGeneration": 1}

    assert bench.wait().notes == (
        "deployment/web has 0 replicas: nothing of it runs",
        "nothing of it can be watched (Deployment): whether it works is not known",
    )


def test_a_paused_deployment_without_a_pod_is_not_ready(bench: Bench) -> None:
    bench.record(WEB)
    bench.deployment(replicas=0, readyReplicas=0, updatedReplicas=0)
    bench.cluster.objects["deployments", "web"]["spec"]["paused"] = True
    del bench.cluster.objects["replicasets", "web-1"]

    message = bench.failure(PlatformError, seconds=1)

    assert "deployment/web is paused, 0 of 1 pods updated" in message
    assert "kubectl rollout resume deployment/web" in message


def test_what_nobody_gives_an_address_is_said(bench: Bench) -> None:
    services = [{"name": "services", "kind": "Service", "namespaced": True}]
    bench.cluster.kinds["v1"] = services
    web = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    bench.record(WEB, {**web, "spec": {"type": "LoadBalancer"}})
    bench.cluster.put("services", "web", spec={"type": "LoadBalancer"}, status={})
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)

    assert bench.wait().notes == (
        "service/web (LoadBalancer) has no address: it is reached in the cluster alone",
    )


def test_pods_of_a_cron_job_are_not_the_releases(bench: Bench) -> None:
    bench.record(
        WEB, {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}}
    )
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)
    bench.own("jobs", "nightly-1", "nightly", kind="CronJob", status={})
    bench.pod("nightly-1-x", "nightly-1", kind="Job", phase="Failed")

    assert len(bench.wait().pods) == 1


def test_an_evicted_pod_beside_its_successor_is_no_trouble(bench: Bench) -> None:
    bench.record(WEB)
    bench.deployment()
    bench.pod("web-1-old", "web-1", phase="Failed", reason="Evicted")
    bench.pod("web-1-x", "web-1", **READY)

    assert len(bench.wait().pods) == 1


HOOK = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-install"}},
}


def test_a_hook_that_fails_is_named_with_its_last_words(bench: Bench) -> None:
    bench.record(WEB, hooks=(HOOK,))
    bench.cluster.put("jobs", "migrate", status={})
    ended = {"terminated": {"reason": "Error", "exitCode": 3}}
    bench.pod(
        "migrate-x",
        "migrate",
        kind="Job",
        phase="Failed",
        containerStatuses=[{"name": "m", "state": ended}],
    )

    message = bench.failure(
        PlatformError, helm="echo 'Error: failed pre-install: job failed' >&2; exit 1"
    )

    assert message.splitlines()[0] == (
        "release web: pod/migrate-x of a hook: container m ended with exit code 3: its last words "
        "(failed pre-install: job failed)"
    )


def test_a_hook_that_helm_takes_away_has_its_last_words_all_the_same(bench: Bench) -> None:
    """helm.sh/hook-delete-policy: hook-failed removes the Job at once."""
    test_folder = bench.target.directory
    bench.record(WEB, hooks=(HOOK,))
    bench.cluster.put("jobs", "migrate", status={})
    ended = {"terminated": {"reason": "Error", "exitCode": 3}}
    bench.pod(
        "migrate-x",
        "migrate",
        kind="Job",
        phase="Failed",
        containerStatuses=[{"name": "m", "state": ended}],
    )

    def take_away() -> None:
        while not bench.cluster.log_queries:
            gone.wait(0.02)
        del bench.cluster.objects["pods", "migrate-x"], bench.cluster.objects["jobs", "migrate"]
        (test_folder / "gone").touch()

    gone = threading.Event()
    thread = threading.Thread(target=take_away)
    thread.start()
    helm = f"while ! test -e {test_folder}/gone; do sleep 0.05; done; echo 'Error: x' >&2; exit 1"
    message = bench.failure(PlatformError, helm=helm, seconds=20)
    thread.join()

    assert "its last words" in message


def test_a_hook_that_hangs_is_named_at_the_deadline(bench: Bench) -> None:
    bench.record(WEB, hooks=(HOOK,))
    bench.cluster.put("jobs", "migrate", status={})
    running = {"name": "m", "state": {"running": {}}}
    bench.pod("migrate-x", "migrate", kind="Job", phase="Running", containerStatuses=[running])

    message = bench.failure(PlatformError, helm="exec sleep 30", seconds=1)

    assert "hook job/migrate (pre-install) has not ended" in message
    assert "its last words" in message


def test_a_job_of_the_release_that_fails_ends_the_wait(bench: Bench) -> None:
    bench.record({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "fill"}})
    told = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}]
    bench.cluster.put("jobs", "fill", spec={}, status={"conditions": told})
    bench.pod("fill-x", "fill", kind="Job", phase="Failed", containerStatuses=[{"name": "f"}])

    message = bench.failure(PlatformError, seconds=60)

    assert "job/fill failed: BackoffLimitExceeded" in message
    assert "its last words" in message


def test_an_object_that_is_gone_again_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("floe_tests.platform.inspection._GONE_SECONDS", 0.0)
    bench.record(WEB)

    assert "deployment/web is not there" in bench.failure(PlatformError, seconds=60)


CACHE = {"apiVersion": "cache.io/v1", "kind": "Cache", "metadata": {"name": "c"}}


def test_a_custom_resource_is_waited_for_and_what_its_operator_makes_is_watched(
    bench: Bench,
) -> None:
    bench.cluster.kinds["cache.io/v1"] = [{"name": "caches", "kind": "Cache", "namespaced": True}]
    bench.record(CACHE)
    told = [{"type": "Ready", "status": "False", "reason": "Starting", "message": "1 of 2"}]
    bench.cluster.put("caches", "c", kind="Cache", status={"conditions": told})
    bench.own("statefulsets", "c-store", "c", kind="Cache", spec={"replicas": 1}, status={})
    bench.pod("c-store-0", "c-store", kind="StatefulSet", **UNREADY)

    message = bench.failure(PlatformError, seconds=1)

    assert "cache/c is not Ready: Starting: 1 of 2" in message
    assert "statefulset/c-store has 0 of 1 pods ready" in message


def test_what_the_account_may_not_see_is_said(bench: Bench) -> None:
    bench.cluster.kinds["cache.io/v1"] = [{"name": "caches", "kind": "Cache", "namespaced": True}]
    bench.cluster.refused["GET", "caches"] = 403
    bench.cluster.refused["GET", "replicasets"] = 403
    bench.record(WEB, CACHE)
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)

    up = bench.wait()

    assert len(up.pods) == 1, "known by the name of its ReplicaSet"
    assert [note.split(" cannot be seen")[0] for note in up.notes] == [
        f"ReplicaSet in namespace {NAMESPACE}",
        f"Cache in namespace {NAMESPACE}",
    ]


def test_what_was_wrong_before_an_upgrade_counts_only_after_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.record(WEB)
    bench.deployment(readyReplicas=0)
    bench.pod("web-1-x", "web-1", **UNREADY, containerStatuses=[crashed()])
    before = state_before("web", bench.target)

    assert (before.revision, before.pods) == (1, frozenset({"web-1-x"}))
    bench.record(WEB, revision=2)
    message = bench.failure(PlatformError, before=before, seconds=1, helm="exec sleep 30")
    assert "not ready within 1 s" in message, "helm had its time"

    monkeypatch.setattr(rollout, "_REPLACING_SECONDS", 0.0)
    message = bench.failure(PlatformError, before=before, seconds=60)
    assert "exit code 7, 3 times" in message


def test_the_record_of_before_is_not_taken_for_the_new_one(bench: Bench) -> None:
    """helm is about to write it; until then nothing says what the release will have."""
    bench.record(WEB)
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)

    message = bench.failure(
        PlatformError, before=Before(revision=1), seconds=1, helm="exec sleep 30"
    )

    assert "helm has no record of it" in message


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            'Error: UPGRADE FAILED: pods "web" is forbidden: exceeded quota: budget, requested: x',
            ConfigurationError,
            "refused by quota budget",
        ),
        (
            'Error: INSTALLATION FAILED: failed calling webhook "x.io": EOF',
            InfrastructureError,
            'webhook "x.io", which does not answer',
        ),
        (
            'W1130 would violate PodSecurity "restricted:latest"\nError: something else',
            PlatformError,
            "something else",
        ),
    ],
    ids=["quota", "webhook", "another mistake after a warning"],
)
def test_a_refusal_that_helm_gets_is_read_the_same_way(
    bench: Bench, said: str, kind: type[FloeTestsError], words: str
) -> None:
    (bench.target.directory / "said").write_text(said)
    helm = f"cat {bench.target.directory}/said >&2; exit 1"

    assert words in bench.failure(kind, helm=helm)


def test_what_an_earlier_run_left_is_configuration_with_the_command_that_removes_it(
    bench: Bench,
) -> None:
    said = (
        'Error: Unable to continue with install: ClusterRole "reader" in namespace "" exists '
        "and cannot be imported into the current release: invalid ownership metadata; annotation "
        'validation error: key "meta.helm.sh/release-namespace" must equal "a": current value '
        'is "floe-staging"'
    )

    message = bench.failure(ConfigurationError, helm=f"echo '{said}' >&2; exit 1")

    first = message.splitlines()[0]
    assert first.startswith("release web: clusterrole/reader is there already.")
    assert "delete clusterrole/reader`" in first


def test_a_look_asks_only_for_kinds_that_the_release_has(bench: Bench) -> None:
    bench.record(WEB)
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)

    bench.wait()

    plurals = [plural for _, plural in bench.cluster.requests]
    assert set(plurals) == {"secrets", "pods", "deployments", "replicasets", "events"}
    assert plurals.count("secrets") == 1, "the record stays as it is"


def rules(count: int) -> list[dict[str, Any]]:
    return [
        {"apiVersion": "cache.io/v1", "kind": "Rule", "metadata": {"name": f"rule-{number}"}}
        for number in range(count)
    ]


@pytest.mark.parametrize("refused", [False, True], ids=["as a list", "one by one"])
def test_many_custom_resources_are_read_at_once_where_the_account_may(
    bench: Bench, *, refused: bool
) -> None:
    bench.cluster.kinds["cache.io/v1"] = [{"name": "rules", "kind": "Rule", "namespaced": True}]
    bench.record(WEB, *rules(20))
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)
    for number in range(20):
        bench.cluster.put("rules", f"rule-{number}", status={"seen": True})
    if refused:
        bench.cluster.lists_refused.add("rules")

    assert bench.wait().notes == ()

    looks = [plural for _, plural in bench.cluster.requests].count("deployments")
    asked = [plural for _, plural in bench.cluster.requests].count("rules")
    assert asked == (1 + 20 * looks if refused else looks)


def test_a_custom_resource_without_a_status_has_a_moment_once_its_operator_is_up(
    bench: Bench,
) -> None:
    bench.cluster.kinds["cache.io/v1"] = [{"name": "caches", "kind": "Cache", "namespaced": True}]
    bench.record(WEB, CACHE)
    bench.deployment()
    bench.pod("web-1-x", "web-1", **READY)
    bench.cluster.put("caches", "c", kind="Cache")

    assert "cache/c has no status yet" in bench.failure(PlatformError, seconds=1.5)
