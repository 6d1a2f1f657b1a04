"""Objects outside of a run's namespace that an earlier run has left."""

from __future__ import annotations

from floe_tests.core import labels
from floe_tests.platform.leftovers import leftover_in, remedy_for
from tests.support.small_cluster import Cluster

OF_EARLIER = {
    "meta.helm.sh/release-name": "r",
    "meta.helm.sh/release-namespace": "floe-test-1bed9f86",
}


def said(*, current: str) -> str:
    return (
        'Error: Unable to continue with install: ClusterRole "reader" in namespace "" exists and '
        "cannot be imported into the current release: invalid ownership metadata; annotation "
        f"validation error: {current}"
    )


EARLIER = said(
    current=(
        'key "meta.helm.sh/release-namespace" must equal "floe-test-79f08cba": current value is '
        '"floe-test-1bed9f86"'
    )
)


def remedy(text: str, cluster: Cluster) -> str:
    found = leftover_in(text, release="r")
    assert found is not None
    assert found.subject == "clusterrole/reader"
    return remedy_for(found, cluster.kube())


def put_roles(cluster: Cluster) -> None:
    rbac = "rbac.authorization.k8s.io/v1"
    for version in (
        "admissionregistration.k8s.io/v1",
        "scheduling.k8s.io/v1",
        "storage.k8s.io/v1",
        "networking.k8s.io/v1",
        "apiregistration.k8s.io/v1",
    ):
        cluster.kinds[version] = []
    cluster.kinds[rbac] = [
        {"name": "clusterroles", "kind": "ClusterRole", "namespaced": False},
        {"name": "clusterrolebindings", "kind": "ClusterRoleBinding", "namespaced": False},
    ]
    cluster.put("clusterroles", "reader", metadata={"annotations": OF_EARLIER})
    cluster.put("clusterrolebindings", "reader", metadata={"annotations": OF_EARLIER})
    others = {**OF_EARLIER, "meta.helm.sh/release-namespace": "team-a"}
    cluster.put("clusterrolebindings", "of-others", metadata={"annotations": others})


def test_all_that_an_earlier_run_left_is_removed_by_one_command(cluster: Cluster) -> None:
    put_roles(cluster)

    told = remedy(EARLIER, cluster)

    assert "left by release r of namespace floe-test-1bed9f86, which is gone" in told
    assert told.endswith("delete clusterrole/reader clusterrolebinding/reader`.")
    assert {method for method, _ in cluster.requests} == {"GET"}


def test_what_a_run_that_is_still_there_has_is_not_called_left(cluster: Cluster) -> None:
    put_roles(cluster)
    cluster.put("namespaces", "floe-test-1bed9f86", metadata={"labels": {labels.RUN: "1bed9f86"}})

    told = remedy(EARLIER, cluster)

    assert "It belongs to run 1bed9f86, whose namespace floe-test-1bed9f86 is still there" in told
    assert "by .Release.Namespace" in told


def test_an_account_that_sees_no_namespaces_is_told_whose_it_is(cluster: Cluster) -> None:
    cluster.refused["GET", "namespaces"] = 403

    assert "release r in namespace floe-test-1bed9f86. If that is gone" in remedy(EARLIER, cluster)


def test_what_helm_has_not_made_is_not_called_a_runs(cluster: Cluster) -> None:
    text = said(current='missing key "app.kubernetes.io/managed-by": must be set to "Helm"')

    assert "It belongs to nobody that helm knows" in remedy(text, cluster)


def test_other_words_of_helm_are_about_no_object() -> None:
    assert leftover_in("Error: failed pre-install: job failed", release="r") is None
