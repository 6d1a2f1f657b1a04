"""The labels on everything this project creates: whose it is, and when it may be removed.

Cleaning up finds things by them. Anybody can write labels: that a run created a thing is proved
otherwise (environments/ownership.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

RUN = "floe-tests/run"
TIER = "floe-tests/tier"
SUITE = "floe-tests/suite"
ATTEMPT = "floe-tests/attempt"
SHARD = "floe-tests/shard"
SHARD_ATTEMPT = "floe-tests/shard-attempt"
REF = "floe-tests/ref"
COMMIT = "floe-tests/commit"
TRIGGER = "floe-tests/trigger"
ENVIRONMENT = "floe-tests/environment"
CAUSE = "floe-tests/cause"
FAULT = "floe-tests/fault"
CLUSTER = "floe-tests/cluster"
PLATFORM = "floe-tests/platform"
EXPIRES = "floe-tests/expires"
KEPT = "floe-tests/kept"
CREATED_BY = "floe-tests/created-by"
ROLE = "floe-tests/role"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "floe-tests"
ROLE_TEST_RUNNER = "test-runner"

# The UID of the very object that carries it, written by its creator.
CREATED_UID_ANNOTATION = "floe-tests/created-uid"
CANCELLED_ANNOTATION = "floe-tests/cancelled"
# How many pods at once a sharded suite would run if it were alone.
WANTED_ANNOTATION = "floe-tests/wanted-parallelism"

# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_LABEL_CHARACTERS = 63


@dataclass(frozen=True)
class Owner:
    """What a run writes on all that it creates.

    Attributes:
        run_id: The Dagster run.
        tier: Name of the tier.
        ref: The git ref under test.
        commit: The commit under test.
        expires_at: When it may be removed by anybody (UTC).
    """

    run_id: str
    tier: str
    ref: str
    commit: str
    expires_at: datetime

    def labels(self) -> dict[str, str]:
        """Return the labels; a value that Kubernetes does not take is cut to what it does."""
        return {
            MANAGED_BY: MANAGER,
            RUN: label_value(self.run_id),
            TIER: label_value(self.tier),
            REF: label_value(self.ref),
            COMMIT: label_value(self.commit),
            EXPIRES: str(int(self.expires_at.timestamp())),
        }


def label_value(text: str) -> str:
    """Cut a text to a legal label value: letters, digits, `-`, `_`, `.`, at most 63 characters."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:_LABEL_CHARACTERS].strip("-_.")


def kept_labels(expires_at: datetime) -> dict[str, str]:
    """Return the labels of what is kept after its run: it goes when it expires, and not before."""
    return {KEPT: "true", EXPIRES: str(int(expires_at.timestamp()))}


def has_expired(labels: Mapping[str, str], *, now: datetime) -> bool:
    """Return whether an object's own label says that its time is over; no label means no."""
    text = labels.get(EXPIRES, "")
    # As numbers: others may write a time that no calendar has.
    return text.isdecimal() and int(text) < now.timestamp()
