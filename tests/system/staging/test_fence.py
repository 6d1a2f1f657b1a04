"""What the account of runs cannot do, asked of a real API server in its name."""

from __future__ import annotations

import json
import subprocess

import pytest

from .orchestrator import NAMESPACE, PLATFORM, Orchestrator

ROLE = "floe-tests:floe-tests:namespace"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
OWN = {"floe-tests/created-by": f"{NAMESPACE}.floe-tests-run"}


def as_account(
    orchestrator: Orchestrator, *words: str, account: str = "floe-tests-run", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    groups = ["system:serviceaccounts", "system:authenticated"]
    flags = [flag for group in groups for flag in ("--as-group", group)]
    return orchestrator.kubectl_done(*words, "--as", user, *flags, stdin=stdin)


def binding(namespace: str, *, role: str = ROLE) -> str:
    return json.dumps(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "escape", "namespace": namespace},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role,
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "floe-tests-run", "namespace": NAMESPACE}
            ],
        }
    )


def namespace(name: str, labels: dict[str, str]) -> str:
    metadata = {"name": name, "labels": labels}
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


@pytest.mark.parametrize("place", ["kube-system", "default", NAMESPACE, PLATFORM])
def test_it_binds_itself_in_no_namespace_that_it_has_not_made(
    orchestrator: Orchestrator, place: str
) -> None:
    done = as_account(orchestrator, "create", "--namespace", place, "-f", "-", stdin=binding(place))

    assert done.returncode != 0
    assert "ValidatingAdmissionPolicy" in done.stderr, done.stderr
    assert "namespaces that they have made" in done.stderr
    secrets = as_account(orchestrator, "get", "secrets", "--namespace", place)
    assert "forbidden" in secrets.stderr


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        pytest.param(RESTRICTED, "floe-tests/created-by", id="without-its-mark"),
        pytest.param(OWN, "pod-security", id="without-pod-security"),
        pytest.param(
            {**OWN, "pod-security.kubernetes.io/enforce": "privileged"},
            "pod-security",
            id="privileged",
        ),
    ],
)
def test_it_makes_no_namespace_but_restricted_ones_with_its_mark(
    orchestrator: Orchestrator, labels: dict[str, str], said: str
) -> None:
    done = as_account(orchestrator, "create", "-f", "-", stdin=namespace("escape", labels))

    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize("name", ["local-path-storage", PLATFORM])
def test_it_neither_marks_nor_deletes_namespaces_of_others(
    orchestrator: Orchestrator, name: str
) -> None:
    mark = json.dumps({"metadata": {"labels": {**OWN, **RESTRICTED}}})
    for words in (
        ("patch", "namespace", name, "--type", "merge", "--patch", mark),
        ("delete", "namespace", name, "--wait=false"),
    ):
        done = as_account(orchestrator, *words)
        assert done.returncode != 0
        assert "namespaces that they have made" in done.stderr, done.stderr
    assert orchestrator.kube.get("Namespace", name) is not None


def test_in_a_namespace_of_its_own_it_has_its_rights_and_no_way_to_loosen_it(
    orchestrator: Orchestrator,
) -> None:
    """The same requests as above, where they are allowed: so the policy is what refuses them."""
    name = "floe-fence-own"
    made = as_account(
        orchestrator, "create", "-f", "-", stdin=namespace(name, {**OWN, **RESTRICTED})
    )
    assert made.returncode == 0, made.stderr
    try:
        bound = as_account(
            orchestrator, "create", "--namespace", name, "-f", "-", stdin=binding(name)
        )
        assert bound.returncode == 0, bound.stderr
        orchestrator.wait(
            "the role holds",
            lambda: as_account(orchestrator, "get", "secrets", "--namespace", name).returncode == 0,
            timeout_seconds=20,
        )
        loosened = json.dumps(
            {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
        )
        for changes in (loosened, json.dumps({"metadata": {"labels": dict.fromkeys(OWN)}})):
            done = as_account(
                orchestrator, "patch", "namespace", name, "--type", "merge", "--patch", changes
            )
            assert done.returncode != 0
            assert "stay" in done.stderr, done.stderr
        admin = as_account(
            orchestrator,
            *("create", "--namespace", name, "-f", "-"),
            stdin=binding(name, role="cluster-admin").replace("escape", "higher"),
        )
        assert admin.returncode != 0
    finally:
        deleted = as_account(orchestrator, "delete", "namespace", name, "--wait=false")
    assert deleted.returncode == 0, deleted.stderr


@pytest.mark.parametrize("account", ["floe-tests-none", "floe-tests-code", "floe-tests-daemon"])
def test_the_other_accounts_make_no_namespace_and_read_no_secret(
    orchestrator: Orchestrator, account: str
) -> None:
    made = as_account(
        orchestrator,
        *("create", "-f", "-"),
        account=account,
        stdin=namespace("escape", {**OWN, **RESTRICTED}),
    )
    assert "forbidden" in made.stderr
    for place in (NAMESPACE, PLATFORM, "kube-system"):
        read = as_account(orchestrator, "get", "secrets", "--namespace", place, account=account)
        assert "forbidden" in read.stderr


def test_an_account_without_a_role_sees_not_even_its_own_pods(orchestrator: Orchestrator) -> None:
    done = as_account(orchestrator, "get", "pods", account="floe-tests-none")

    assert "forbidden" in done.stderr
