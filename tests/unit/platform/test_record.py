"""What a release consists of, read from helm's own record of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_tests.core.errors import HarnessError
from floe_tests.kube.client import RefusedError
from floe_tests.platform.record import Record, is_test, manifests_in, newest_record, outside_of
from tests.support.helm_records import packed, secret
from tests.support.small_cluster import NAMESPACE, Cluster, serving

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}


def hook(events: str, name: str = "migrate") -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": {"helm.sh/hook": events}},
    }


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with serving(tmp_path) as made:
        yield made


def newest(cluster: Cluster) -> Record | None:
    return newest_record(cluster.kube(), "web", namespace=NAMESPACE)


def test_objects_and_hooks_are_those_that_helm_rendered(cluster: Cluster) -> None:
    hooks = (hook("pre-install, pre-upgrade"), hook("test", "ask"), hook("test-success", "old"))
    cluster.put("secrets", "v1", **secret(packed(DEPLOYMENT, SERVICE, hooks=hooks)))

    found = newest(cluster)

    assert found is not None
    assert [each["kind"] for each in found.objects] == ["Deployment", "Service"]
    assert [each["metadata"]["name"] for each in found.hooks] == ["migrate"], "tests run later"


def test_the_newest_revision_counts_also_one_that_helm_works_at(cluster: Cluster) -> None:
    for revision, status in ((9, "superseded"), (10, "deployed"), (11, "pending-upgrade")):
        text = packed(DEPLOYMENT, revision=revision)
        cluster.put("secrets", f"v{revision}", **secret(text, revision=revision, status=status))

    found = newest(cluster)

    assert found is not None
    assert found.revision == 11


def test_records_of_other_releases_are_not_taken(cluster: Cluster) -> None:
    other = secret(packed(DEPLOYMENT))
    other["metadata"]["labels"]["name"] = "website"
    cluster.put("secrets", "other", **other)

    assert newest(cluster) is None


def test_a_record_in_a_config_map_is_read_too(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELM_DRIVER", "configmap")
    found = secret(packed(DEPLOYMENT))
    found["data"]["release"] = base64.b64decode(found["data"]["release"]).decode()
    cluster.put("configmaps", "v1", **found)

    assert newest(cluster) is not None


def test_a_record_in_a_database_is_not_looked_for(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELM_DRIVER", "sql")

    assert newest(cluster) is None
    assert cluster.requests == []


def test_an_account_that_may_not_read_it_is_told_so(cluster: Cluster) -> None:
    cluster.refused["GET", "secrets"] = 403

    with pytest.raises(RefusedError, match="403"):
        newest(cluster)


def test_a_record_that_is_damaged_is_no_traceback(cluster: Cluster) -> None:
    cluster.put("secrets", "v1", **secret("bm90IGEgcmVjb3Jk"))

    with pytest.raises(HarnessError, match="helm's record of the release cannot be read"):
        newest(cluster)


def test_one_manifest_that_cannot_be_read_hides_no_other(cluster: Cluster) -> None:
    release = {
        "version": 1,
        "manifest": "---\n# Source: chart/odd.yaml\nkey: =\n---\n" + json.dumps(DEPLOYMENT),
    }
    text = base64.b64encode(json.dumps(release).encode()).decode()
    cluster.put("secrets", "v1", **secret(text))

    found = newest(cluster)

    assert found is not None
    assert [each["kind"] for each in found.objects] == ["Deployment"]
    assert found.unread[0].startswith("chart/odd.yaml cannot be read")


def test_lists_are_their_items() -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [DEPLOYMENT, SERVICE]})

    assert [each["kind"] for each in manifests_in(f"---\n{text}\n---\n# only a comment\n")] == [
        "Deployment",
        "Service",
    ]


@pytest.mark.parametrize(
    ("events", "expected"),
    [("test", True), ("test-success", True), ("post-install", False), ("post-install,test", False)],
)
def test_an_object_is_a_test_if_helm_test_alone_creates_it(events: str, *, expected: bool) -> None:
    assert is_test(hook(events)) is expected


def test_what_a_namespace_does_not_take_along_is_named() -> None:
    """A run deletes its namespace, and these would stay without a word."""
    objects = [
        {"kind": "ClusterRole", "metadata": {"name": "reader"}},
        {"kind": "ConfigMap", "metadata": {"name": "shared", "namespace": "default"}},
        {"kind": "ConfigMap", "metadata": {"name": "own", "namespace": "ns"}},
        {"kind": "Deployment", "metadata": {"name": "shop"}},
    ]

    assert outside_of("ns", objects) == ("clusterrole/reader", "configmap/shared in default")
