"""One run at a time on a cluster: taken, waited for, taken over, renewed, given back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import InfrastructureError
from floe_tests.core.labels import Owner
from floe_tests.environments import cluster_lock, lock_renewal
from floe_tests.environments.cluster_holder import LEASE, held_by, holder_of
from floe_tests.environments.cluster_lock import ClusterBusyError, ClusterLock
from floe_tests.environments.lock_renewal import Renewal
from tests.support.small_cluster import NAMESPACE, Cluster

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
OTHER = "9f8e7d6c-5b4a-4392-8180-7f6e5d4c3b2a"


def owner(run_id: str = RUN, tier: str = "staging-benchmark") -> Owner:
    return Owner(run_id, tier, "main", "72c65fc", datetime.now(UTC) + timedelta(hours=1))


def claim(cluster: Cluster, run_id: str = RUN, tier: str = "staging-benchmark") -> ClusterLock:
    return ClusterLock(cluster.kube(), NAMESPACE, owner(run_id, tier))


def take(lease: ClusterLock, *, seconds: float = 5) -> list[str]:
    lines: list[str] = []
    lease.take(deadline=Deadline(seconds), log=lines.append)
    return lines


def put_holder(
    cluster: Cluster, *, age_seconds: float = 0, run_id: str = OTHER, duration_seconds: int = 240
) -> None:
    renewed = datetime.now(UTC) - timedelta(seconds=age_seconds)
    cluster.put(
        "leases",
        LEASE,
        metadata={"labels": owner(run_id, "staging-soak").labels()},
        spec={
            "holderIdentity": f"staging-soak/{run_id}@another-host",
            "leaseDurationSeconds": duration_seconds,
            "renewTime": renewed.isoformat(),
            "leaseTransitions": 3,
        },
    )


@pytest.fixture
def quick(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.watch_seconds = 0.05
    monkeypatch.setattr(cluster_lock, "_LEAST_SECONDS", 0.2)
    monkeypatch.setattr(cluster_lock, "_TICK_SECONDS", 0.1)
    monkeypatch.setattr(lock_renewal, "RENEW_SECONDS", 0.05)


def spec_of(cluster: Cluster) -> dict[str, Any]:
    return cluster.objects["leases", LEASE]["spec"]


def test_a_free_cluster_is_taken_and_says_whose_it_is(cluster: Cluster) -> None:
    take(claim(cluster))

    lease = cluster.objects["leases", LEASE]
    assert lease["metadata"]["labels"][labels.RUN] == RUN
    assert spec_of(cluster)["holderIdentity"].startswith(f"staging-benchmark/{RUN}@")
    holder = held_by(cluster.kube(), NAMESPACE)
    assert holder is not None
    assert holder.tier == "staging-benchmark"
    assert holder.expires_at is not None
    assert holder.expires_at > datetime.now(UTC)


def test_a_lease_that_was_given_back_is_taken_again(cluster: Cluster) -> None:
    first = claim(cluster)
    take(first)
    first.release()
    assert held_by(cluster.kube(), NAMESPACE) is None

    take(claim(cluster, OTHER))

    assert spec_of(cluster)["leaseTransitions"] == 1
    assert OTHER in spec_of(cluster)["holderIdentity"]


def test_a_run_that_is_resumed_finds_the_cluster_its_own(cluster: Cluster) -> None:
    take(claim(cluster))

    assert "Waiting" not in "".join(take(claim(cluster)))
    assert spec_of(cluster)["leaseTransitions"] == 0


@pytest.mark.usefixtures("quick")
def test_who_waits_in_vain_is_told_whom_for(cluster: Cluster) -> None:
    put_holder(cluster)

    with pytest.raises(ClusterBusyError, match="staging-soak/9f8e7d6c") as error:
        take(claim(cluster), seconds=0.3)

    assert "another-host" in str(error.value.evidence[0])
    assert OTHER in spec_of(cluster)["holderIdentity"], "who holds it is left alone"


def test_who_waits_gets_the_cluster_as_soon_as_it_is_given_back(cluster: Cluster) -> None:
    holder = claim(cluster, OTHER, "staging-soak")
    take(holder)
    waits = threading.Event()

    def log(line: str) -> None:
        if "Waiting" in line:
            waits.set()

    waiting = threading.Thread(
        target=lambda: claim(cluster).take(deadline=Deadline(30), log=log), daemon=True
    )
    waiting.start()
    assert waits.wait(10)

    holder.release()
    waiting.join(timeout=4)  # less than a tick: the watch says so

    assert not waiting.is_alive()
    assert RUN in spec_of(cluster)["holderIdentity"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("hours", [-1, 0, 1], ids=["an hour late", "right", "an hour early"])
def test_what_a_killed_run_holds_is_taken_over_once_nobody_has_renewed_it_for_its_time(
    cluster: Cluster, hours: int
) -> None:
    """Whatever time is written in it: the clocks of two machines are not compared."""
    put_holder(cluster, age_seconds=-3600 * hours, duration_seconds=0)

    lines = take(claim(cluster))

    assert any("taken over" in line for line in lines)
    assert spec_of(cluster)["leaseTransitions"] == 4


@pytest.mark.usefixtures("quick")
def test_one_that_looks_expired_is_watched_for_its_whole_time_before_it_is_taken_over(
    cluster: Cluster,
) -> None:
    """The holder's clock is an hour late, or this machine's was just set ahead."""
    put_holder(cluster, age_seconds=3600, duration_seconds=2)

    with pytest.raises(ClusterBusyError):
        take(claim(cluster), seconds=0.3)

    assert OTHER in spec_of(cluster)["holderIdentity"]


def test_the_time_in_a_lease_is_the_servers(
    cluster: Cluster, step_clock: Callable[[float], None]
) -> None:
    step_clock(1)
    take(claim(cluster))

    renewed = datetime.fromisoformat(spec_of(cluster)["renewTime"])

    assert abs(renewed - datetime.now(UTC)) < timedelta(minutes=1)
    assert held_by(cluster.kube(), NAMESPACE) is not None


@pytest.mark.usefixtures("quick")
def test_a_holder_whose_clock_is_late_and_who_renews_keeps_the_cluster(cluster: Cluster) -> None:
    put_holder(cluster, age_seconds=600, duration_seconds=0)
    stopped = threading.Event()

    def renew() -> None:
        late = 600.0
        while not stopped.wait(0.05):
            late -= 0.01
            put_holder(cluster, age_seconds=late, duration_seconds=0)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(ClusterBusyError):
            take(claim(cluster), seconds=0.8)
    finally:
        stopped.set()
        thread.join()


@pytest.mark.usefixtures("quick")
def test_of_two_that_take_a_free_cluster_at_once_one_gets_it(cluster: Cluster) -> None:
    taken: list[str] = []

    def run(run_id: str) -> None:
        try:
            take(claim(cluster, run_id), seconds=0.3)
        except ClusterBusyError:
            return
        taken.append(run_id)

    threads = [threading.Thread(target=run, args=(run_id,)) for run_id in (RUN, OTHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 1
    assert taken[0] in spec_of(cluster)["holderIdentity"]


def test_a_cluster_that_is_anothers_by_now_is_not_given_back(cluster: Cluster) -> None:
    mine = claim(cluster)
    take(mine)
    put_holder(cluster)

    mine.release()

    assert OTHER in spec_of(cluster)["holderIdentity"]
    assert not mine.is_held()


def test_an_account_without_the_right_is_told_so_at_once(cluster: Cluster) -> None:
    cluster.refused["POST", "leases"] = 403

    with pytest.raises(InfrastructureError, match="403"):
        take(claim(cluster), seconds=30)


def until(true: Callable[[], object]) -> bool:
    deadline, pause = Deadline(5), threading.Event()
    while not true() and not deadline.passed:
        pause.wait(0.02)
    return bool(true())


@pytest.mark.usefixtures("quick")
def test_a_claim_is_renewed_until_it_is_stopped(cluster: Cluster) -> None:
    lease = claim(cluster)
    take(lease)
    first = spec_of(cluster)["renewTime"]
    renewal = Renewal(lease)

    assert until(lambda: spec_of(cluster)["renewTime"] != first)
    renewal.stop()

    last = spec_of(cluster)["renewTime"]
    assert not until_quickly(lambda: spec_of(cluster)["renewTime"] != last)
    assert renewal.lost == ""


def until_quickly(true: Callable[[], object]) -> bool:
    deadline, pause = Deadline(0.3), threading.Event()
    while not true() and not deadline.passed:
        pause.wait(0.02)
    return bool(true())


@pytest.mark.usefixtures("quick")
def test_a_run_learns_that_another_has_taken_its_cluster_over(cluster: Cluster) -> None:
    lease = claim(cluster)
    take(lease)
    renewal = Renewal(lease)

    put_holder(cluster)

    assert until(lambda: renewal.lost)
    assert OTHER in renewal.lost
    renewal.stop()


@pytest.mark.usefixtures("quick")
def test_an_api_that_is_away_for_a_moment_takes_nothing_away(cluster: Cluster) -> None:
    lease = claim(cluster)
    take(lease)
    cluster.refused["GET", "leases"] = 503
    renewal = Renewal(lease)
    asked = len(cluster.requests)
    assert until(lambda: len(cluster.requests) > asked + 2)
    assert renewal.lost == ""

    first = spec_of(cluster)["renewTime"]
    cluster.refused.clear()

    assert until(lambda: spec_of(cluster)["renewTime"] != first)
    renewal.stop()


@pytest.mark.parametrize(
    ("lease", "expected"),
    [
        pytest.param(None, None, id="no lease"),
        pytest.param({"metadata": {}, "spec": {}}, None, id="a lease that nobody holds"),
        pytest.param(
            {"metadata": {}, "spec": {"holderIdentity": "kubectl"}}, "kubectl", id="a stranger"
        ),
    ],
)
def test_a_holder_is_read_from_a_lease(lease: dict[str, Any] | None, expected: str | None) -> None:
    holder = holder_of(lease)
    assert (holder and holder.identity) == expected
    assert holder is None or holder.has_expired(datetime.now(UTC)), "what names no time has none"
