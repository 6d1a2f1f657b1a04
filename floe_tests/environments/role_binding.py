"""A run's rights in the namespace that it has made, where its account has none in all others.

On a cluster that is shared, the account of runs may create namespaces and bind itself to one
ClusterRole; an admission policy lets it do so only where its own label stands (charts/floe-tests).
"""

from __future__ import annotations

import time
from http import HTTPStatus

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError, DeadlineError
from floe_tests.core.labels import CREATED_BY, label_value
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import part

_SERVICE_ACCOUNT = "system:serviceaccount:"
_PAUSE_SECONDS = 0.1
# What a run does first in its namespace.
_FIRST_RIGHT = {"verb": "create", "resource": "resourcequotas"}


def creator_label(kube: Kube) -> dict[str, str]:
    """Return the label that says who made a namespace: `NAMESPACE.ACCOUNT` of this pod.

    Args:
        kube: The cluster.

    Raises:
        ConfigurationError: This is no service account.
    """
    review = kube.create({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    name = str(part(review, "status", "userInfo").get("username", ""))
    if not name.startswith(_SERVICE_ACCOUNT):
        message = (
            f"FLOE_TESTS_NAMESPACE_ROLE is set, and {name or 'nobody'} is no service account. "
            "It is for the pods of charts/floe-tests: unset it."
        )
        raise ConfigurationError(message)
    return {CREATED_BY: label_value(name.removeprefix(_SERVICE_ACCOUNT).replace(":", "."))}


def bind_role(kube: Kube, namespace: str, *, role: str, deadline: Deadline) -> None:
    """Bind this account to a ClusterRole in a namespace that it has made, and wait until it holds.

    Args:
        kube: The cluster.
        namespace: The namespace.
        role: Name of the ClusterRole.
        deadline: When its rights must be there.

    Raises:
        ConfigurationError: It may not do so.
        DeadlineError: The API server did not take note in time.
    """
    owner, _, account = creator_label(kube)[CREATED_BY].partition(".")
    group = "rbac.authorization.k8s.io"
    try:
        kube.create(
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "floe-tests-run"},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": owner}],
            },
            namespace=namespace,
        )
    except RefusedError as error:
        if error.status == HTTPStatus.CONFLICT:
            return  # another process bound it before this one resumed the run
        message = (
            f"the account may not bind itself to ClusterRole {role} in {namespace}: {error}. "
            "charts/floe-tests gives it the right with namespacePerRun.enabled=true."
        )
        raise ConfigurationError(message) from error
    # The API server's authorizer hears of a new binding a moment after it is stored.
    while not _is_allowed(kube, namespace):
        if deadline.passed:
            message = f"ClusterRole {role} did not hold in {namespace} in {deadline.seconds:g} s."
            raise DeadlineError(message)
        time.sleep(_PAUSE_SECONDS)


def _is_allowed(kube: Kube, namespace: str) -> bool:
    review = kube.create(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {**_FIRST_RIGHT, "namespace": namespace}},
        }
    )
    return part(review, "status").get("allowed") is True
