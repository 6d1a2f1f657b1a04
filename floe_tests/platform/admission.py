"""What an API server's refusal means: who has to do something about it, and whether waiting helps.

The same answer reaches a release in two ways: helm gets it for an object of the chart, or a
controller gets it for a pod, and tells it as an event and as a condition. Both are read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from floe_tests.core.errors import (
    ConfigurationError,
    FloeTestsError,
    InfrastructureError,
    PlatformError,
)

RefusedParty = Literal["configuration", "infrastructure", "platform"]

# What else uses a quota may be on its way out: it is counted anew within a moment.
_QUOTA_SECONDS = 3.0
# A webhook's pod that is replaced is back within a moment, and so is what a chart has not yet made.
_BACK_SECONDS = 10.0

ERRORS: dict[RefusedParty, type[FloeTestsError]] = {
    "configuration": ConfigurationError,
    "infrastructure": InfrastructureError,
    "platform": PlatformError,
}


@dataclass(frozen=True)
class Refusal:
    """An answer of the API server that refuses something.

    Attributes:
        by: What refuses, such as `Pod Security` or `webhook "policy.example.com"`.
        party: Whose fault it is.
        remedy: What to do about it; empty where the message says it all.
        patience_seconds: How long it may last before it is final.
    """

    by: str
    party: RefusedParty
    remedy: str = ""
    patience_seconds: float = 0


def refusal_of(message: str, *, namespace: str) -> Refusal | None:
    """Return what a refusal means; None for a message that this does not know.

    Args:
        message: What the API server said, alone or within other words.
        namespace: The release's namespace: a webhook in it is a part of the platform.
    """
    for pattern, read in _KNOWN:
        found = pattern.search(message)
        if found is not None:
            return read(found, namespace)
    return None


def _pod_security(found: re.Match[str], _namespace: str) -> Refusal:
    return Refusal(
        f"Pod Security {found['level']}",
        "configuration",
        "Change the chart's security context, or the tier's `pod_security` (of an installed "
        "platform: its namespace's label pod-security.kubernetes.io/enforce). `floe-tests doctor` "
        "names every field.",
    )


def _quota(found: re.Match[str], _namespace: str) -> Refusal:
    return Refusal(
        f"quota {found['quota']}",
        "configuration",
        "Lower the chart's requests and limits, or raise the tier's budget.memory.",
        _QUOTA_SECONDS,
    )


def _uncounted_quota(found: re.Match[str], _namespace: str) -> Refusal:
    return Refusal(
        f"quota {found['quota']}, which is not counted yet",
        "infrastructure",
        "Look at kube-controller-manager: it counts quotas.",
        _BACK_SECONDS,
    )


def _limit_range(_found: re.Match[str], _namespace: str) -> Refusal:
    return Refusal(
        "a LimitRange",
        "configuration",
        "Change the chart's requests and limits, or the namespace's LimitRange.",
    )


def _silent_webhook(found: re.Match[str], namespace: str) -> Refusal:
    name = f"webhook {found['webhook']}"
    if f".{namespace}.svc" in found.string[found.start() :]:
        remedy = "The webhook is a part of this platform: see why its own pods do not answer."
        return Refusal(f"{name}, which does not answer", "platform", remedy, _BACK_SECONDS)
    return Refusal(
        f"{name}, which does not answer",
        "infrastructure",
        "Repair the webhook's service, or remove its configuration: `kubectl get "
        "validatingwebhookconfigurations,mutatingwebhookconfigurations`.",
        _BACK_SECONDS,
    )


def _conversion(found: re.Match[str], namespace: str) -> Refusal:
    own = f".{namespace}.svc" in found.string[found.start() :]
    return Refusal(
        f"conversion webhook for {found['kind']}, which does not answer",
        "platform" if own else "infrastructure",
        "See why the pods of the operator that serves it do not answer.",
        _BACK_SECONDS,
    )


def _denying_webhook(found: re.Match[str], _namespace: str) -> Refusal:
    remedy = "The cluster's policy refuses the object: change the chart or the policy."
    return Refusal(f"webhook {found['webhook']}", "configuration", remedy)


def _denying_policy(found: re.Match[str], _namespace: str) -> Refusal:
    remedy = "The cluster's policy refuses the object: change the chart or the policy."
    return Refusal(f"ValidatingAdmissionPolicy {found['policy']}", "configuration", remedy)


def _account(found: re.Match[str], _namespace: str) -> Refusal:
    return Refusal(
        f"the rights of {found['user']}",
        "configuration",
        "`floe-tests doctor` names the missing rights, with the command that grants them.",
        # Roles of a chart and of an API server that has just started take a moment.
        _BACK_SECONDS,
    )


def _escalation(_found: re.Match[str], _namespace: str) -> Refusal:
    return Refusal(
        "the rights of the account, which gives nobody more than it has",
        "configuration",
        "Grant the account what the chart's roles grant, or the verb `escalate` on roles.",
    )


def _unreachable(_found: re.Match[str], _namespace: str) -> Refusal:
    return Refusal(
        "the API server, which does not answer",
        "infrastructure",
        "Look at the cluster's control plane, then start the run again.",
        _BACK_SECONDS,
    )


# Source: the messages of Kubernetes 1.25 to 1.34: pod-security-admission/admission,
# apiserver/pkg/admission (resourcequota, webhook, policy/validating) and
# plugin/pkg/admission/limitranger.
_KNOWN: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], Refusal]], ...] = (
    # "would violate" is a warning about a workload, and refuses nothing.
    (re.compile(r"violates PodSecurity (?P<level>\"[^\"]+\")"), _pod_security),
    (re.compile(r"status unknown for quota: (?P<quota>[^\s,]+)"), _uncounted_quota),
    (re.compile(r"(?:exceeded|failed|insufficient) quota: (?P<quota>[^\s,:]+)"), _quota),
    (
        re.compile(
            r"(?:maximum|minimum) \S+ usage per \w+ is |\S+ max limit to request ratio per \w+ is "
        ),
        _limit_range,
    ),
    (re.compile(r"failed calling webhook (?P<webhook>\"[^\"]+\")"), _silent_webhook),
    (re.compile(r"conversion webhook for (?P<kind>.+?) failed"), _conversion),
    (re.compile(r"admission webhook (?P<webhook>\"[^\"]+\") denied the request"), _denying_webhook),
    (
        re.compile(r"ValidatingAdmissionPolicy '(?P<policy>[^']+)' .*?denied request"),
        _denying_policy,
    ),
    (re.compile(r"attempting to grant RBAC permissions not currently held"), _escalation),
    (
        re.compile(r"is forbidden: User (?P<user>\"[^\"]+\") cannot "),
        _account,
    ),
    (
        re.compile(
            r"Kubernetes cluster unreachable|etcdserver: |TLS handshake timeout|"
            r"the server is currently unable to handle the request|"
            r"the apiserver is shutting down|dial tcp [^ ]+: connect: |"
            r"the server has received too many requests"
        ),
        _unreachable,
    ),
)
