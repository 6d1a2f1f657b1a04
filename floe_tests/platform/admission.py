"""What an API server's refusal means: who has to do something about it, and whether waiting helps.

Who refuses is read in `kube/refusals.py`; here stands what a release does about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from floe_tests.core.errors import (
    ConfigurationError,
    FloeTestsError,
    InfrastructureError,
    PlatformError,
)
from floe_tests.kube import refusals
from floe_tests.kube.refusals import Refusal

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
class Meaning:
    """What a refusal means for a release.

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


def meaning_of(message: str, *, namespace: str) -> Meaning | None:
    """Return what a refusal means; None for a message that is no known refusal.

    Args:
        message: What the API server said, alone or within other words.
        namespace: The release's namespace: a webhook in it is a part of the platform.
    """
    refusal = refusals.refusal_of(message)
    return None if refusal is None else _meaning(refusal, namespace)


def _meaning(refusal: Refusal, namespace: str) -> Meaning:
    match refusal.kind:
        case "silent webhook" | "silent conversion" | "silent API":
            return _silent(refusal, namespace)
        case "quota" | "uncounted quota" | "limit range":
            return _about_amounts(refusal)
        case "account" | "escalation":
            return _about_rights(refusal)
        case "pod security":
            return Meaning(
                f"Pod Security {refusal.who}",
                "configuration",
                "Change the chart's security context, or the tier's `pod_security` (of an "
                "installed platform: its namespace's label pod-security.kubernetes.io/enforce). "
                "`floe-tests doctor` names every field.",
            )
        case "denying webhook" | "denying policy":
            is_webhook = refusal.kind == "denying webhook"
            return Meaning(
                f"{'webhook' if is_webhook else 'ValidatingAdmissionPolicy'} {refusal.who}",
                "configuration",
                "The cluster's policy refuses the object: change the chart or the policy.",
            )


def _about_amounts(refusal: Refusal) -> Meaning:
    if refusal.kind == "uncounted quota":
        return Meaning(
            f"quota {refusal.who}, which is not counted yet",
            "infrastructure",
            "Look at kube-controller-manager: it counts quotas.",
            _BACK_SECONDS,
        )
    if refusal.kind == "quota":
        return Meaning(
            f"quota {refusal.who}",
            "configuration",
            "Lower the chart's requests and limits, or raise the tier's budget.memory.",
            _QUOTA_SECONDS,
        )
    return Meaning(
        "a LimitRange",
        "configuration",
        "Change the chart's requests and limits, or the namespace's LimitRange.",
    )


def _about_rights(refusal: Refusal) -> Meaning:
    if refusal.kind == "escalation":
        return Meaning(
            "the rights of the account, which gives nobody more than it has",
            "configuration",
            "Grant the account what the chart's roles grant, or the verb `escalate` on roles.",
        )
    return Meaning(
        f"the rights of {refusal.who}",
        "configuration",
        "`floe-tests doctor` names the missing rights, with the command that grants them.",
        # Roles of a chart and of an API server that has just started take a moment.
        _BACK_SECONDS,
    )


def _silent(refusal: Refusal, namespace: str) -> Meaning:
    is_own = refusal.is_served_from(namespace)
    if refusal.kind == "silent API":
        return Meaning(
            "the API server, which does not answer",
            "infrastructure",
            "Look at the cluster's control plane, then start the run again.",
            _BACK_SECONDS,
        )
    party: RefusedParty = "platform" if is_own else "infrastructure"
    if refusal.kind == "silent conversion":
        return Meaning(
            f"conversion webhook for {refusal.who}, which does not answer",
            party,
            "See why the pods of the operator that serves it do not answer.",
            _BACK_SECONDS,
        )
    remedy = (
        "The webhook is a part of this platform: see why its own pods do not answer."
        if is_own
        else "Repair the webhook's service, or remove its configuration: `kubectl get "
        "validatingwebhookconfigurations,mutatingwebhookconfigurations`."
    )
    by = f'webhook "{refusal.who}", which does not answer'
    return Meaning(by, party, remedy, _BACK_SECONDS)
