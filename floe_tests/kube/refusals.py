"""What an API server's refusal says: who refuses, and whether the cluster itself is in trouble.

The same words reach a run in three ways: as the answer to its own request, in what helm writes, and
as the event of a controller that was refused a pod. All of them are read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

RefusalKind = Literal[
    "pod security",
    "uncounted quota",
    "quota",
    "limit range",
    "silent webhook",
    "silent conversion",
    "denying webhook",
    "denying policy",
    "escalation",
    "account",
    "silent API",
]

# Source: the messages of Kubernetes 1.25 to 1.34: pod-security-admission/admission,
# apiserver/pkg/admission (resourcequota, webhook, policy/validating) and
# plugin/pkg/admission/limitranger. The first that fits counts.
_KNOWN: tuple[tuple[RefusalKind, re.Pattern[str]], ...] = (
    # "would violate" is a warning about a workload, and refuses nothing.
    ("pod security", re.compile(r"violates PodSecurity (?P<who>\"[^\"]+\")")),
    ("uncounted quota", re.compile(r"status unknown for quota: (?P<who>[^\s,]+)")),
    ("quota", re.compile(r"(?:exceeded|failed|insufficient) quota: (?P<who>[^\s,:]+)")),
    (
        "limit range",
        re.compile(
            r"(?:maximum|minimum) \S+ usage per \w+ is |\S+ max limit to request ratio per \w+ is "
        ),
    ),
    (
        "silent webhook",
        re.compile(r"(?:failed calling|failed to call) webhook \"?(?P<who>[^\s\":]+)\"?"),
    ),
    ("silent conversion", re.compile(r"conversion webhook for (?P<who>.+?) failed")),
    ("denying webhook", re.compile(r"admission webhook (?P<who>\"[^\"]+\") denied the request")),
    (
        "denying policy",
        re.compile(r"ValidatingAdmissionPolicy '(?P<who>[^']+)' .*?denied request"),
    ),
    ("escalation", re.compile(r"attempting to grant RBAC permissions not currently held")),
    ("account", re.compile(r"is forbidden: User (?P<who>\"[^\"]+\") cannot ")),
    (
        "silent API",
        re.compile(
            r"Kubernetes cluster unreachable|etcdserver: |TLS handshake timeout|"
            r"the server is currently unable to handle the request|"
            r"the apiserver is shutting down|dial tcp [^ ]+: connect: |"
            r"the server has received too many requests"
        ),
    ),
)
_GOING = "being terminated"
# Whoever refuses, and whatever for: with these words it is no judgement of the object.
_TROUBLE = (
    _GOING,
    "etcdserver",
    "context deadline exceeded",
    "connection refused",
    "i/o timeout",
    "Internal error occurred",
    "status unknown for quota",
    "the server is currently unable",
    "too many requests",
)


@dataclass(frozen=True)
class Refusal:
    """An answer of the API server that refuses something.

    Attributes:
        kind: What refuses.
        who: Its name, as the message writes it; empty where the kind says all.
        words: The message from there on.
    """

    kind: RefusalKind
    who: str
    words: str

    def is_served_from(self, namespace: str) -> bool:
        """Return whether the webhook that it is about has its service in a namespace."""
        return f".{namespace}.svc" in self.words


def refusal_of(message: str) -> Refusal | None:
    """Return what a message says of a refusal; None for one that this does not know.

    Args:
        message: What the API server said, alone or within other words.
    """
    for kind, pattern in _KNOWN:
        found = pattern.search(message)
        if found is not None:
            return Refusal(kind, found.groupdict().get("who") or "", message[found.start() :])
    return None


def is_cluster_trouble(message: str) -> bool:
    """Return whether an object was refused for the cluster's own trouble, not for what it is."""
    refusal = refusal_of(message)
    is_silent = refusal is not None and refusal.kind == "silent webhook"
    return is_silent or any(words in message for words in _TROUBLE)


def is_of_namespace_that_goes(message: str) -> bool:
    """Return whether an object was refused because its namespace is on its way out."""
    return _GOING in message
