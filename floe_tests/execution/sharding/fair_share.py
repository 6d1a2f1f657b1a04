"""How many pods a sharded run may have at once, beside the other runs on its cluster.

Every orchestrator reckons by itself from what the cluster shows to all, and all by this rule; so
they agree without speaking to each other. A share is a fraction of the cluster: pods of different
sizes are compared by the resource of which each takes most.

Source: Ghodsi et al., Dominant Resource Fairness (2011); max-min fairness by filling up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """What one run would have.

    Attributes:
        run: The run.
        pods: How many pods at once it would have if it were alone.
        pod_share: What one of its pods takes of the cluster, 0 to 1, by its scarcest resource.
    """

    run: str
    pods: int
    pod_share: float


def fair_shares(claims: Iterable[Claim]) -> Mapping[str, int]:
    """Return how many pods at once each run may have.

    Nobody gets more than he asks for; what one does not need goes to the others in equal parts;
    nobody gets less than one pod.

    Args:
        claims: What each run would have; several of one run count as one.
    """
    wanted: dict[str, float] = {}
    largest: dict[str, float] = {}
    pods: dict[str, int] = {}
    for claim in claims:
        wanted[claim.run] = wanted.get(claim.run, 0.0) + claim.pods * claim.pod_share
        largest[claim.run] = max(largest.get(claim.run, 0.0), claim.pod_share)
        pods[claim.run] = pods.get(claim.run, 0) + claim.pods
    given: dict[str, float] = {}
    left = 1.0
    # The most modest first: what he leaves is there when the next one's part is reckoned.
    for place, run in enumerate(sorted(wanted, key=lambda name: (wanted[name], name))):
        given[run] = min(wanted[run], left / (len(wanted) - place))
        left -= given[run]
    return {
        run: max(1, min(pods[run], _whole(given[run], largest[run]) if largest[run] else pods[run]))
        for run in wanted
    }


def next_parallelism(*, share: int, running: int, now: int) -> int:
    """Return the parallelism to set: a pod that has a node is never taken back.

    Kubernetes ends pods when a Job's parallelism falls below their number, and their tests would
    have to begin again. So it falls as they end.

    Args:
        share: How many pods the run may have.
        running: How many of its pods have a node and have not ended.
        now: The parallelism as it is.
    """
    return share if share >= now else max(share, min(now, running))


def _whole(given: float, pod_share: float) -> int:
    return int(given / pod_share + 1e-9)  # a third of three thirds is one
