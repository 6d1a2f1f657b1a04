"""A namespace that is there before a run and stays after it: what a run does and leaves in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from floe_tests.cleanup.plan import Scope
from floe_tests.cleanup.reaper import plan, reap
from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core import labels
from floe_tests.core.errors import CleanupError, ConfigurationError, LeaseError
from floe_tests.core.labels import Owner
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.environments import installed
from floe_tests.environments.cluster_holder import LEASE, held_by
from floe_tests.environments.lease import ENTRY, Lease, new_lease
from floe_tests.environments.leasing import environment_of, give_back, live_lease
from tests.support.small_cluster import JOB, NAMESPACE, Cluster

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
OTHER = "9f8e7d6c-5b4a-4392-8180-7f6e5d4c3b2a"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "test-job.yaml").write_text(JOB)
    return Workspace(
        root=tmp_path, output=tmp_path, home=tmp_path, history_url="", ref="main", commit="72c65fc"
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "runs")


@pytest.fixture(autouse=True)
def _no_renewals_left() -> Iterator[None]:
    yield
    for run_id in list(installed._renewals):  # pyright: ignore[reportPrivateUsage] - threads of this test
        installed.stop_renewing(run_id)


def tier(cluster: Cluster, **changes: Any) -> TierSettings:
    return TierSettings.model_validate(
        {
            "name": "staging-soak",
            "description": "x",
            "environments": ["context"],
            "installed": {
                "release": "floe-platform",
                "namespace": NAMESPACE,
                "wait_seconds": 1,
            },
            "context": {"kubeconfig": cluster.access.kubeconfig, "context": "test"},
            "suites": [{"name": "soak", "job": "test-job.yaml"}],
            **changes,
        }
    )


def acquired(
    cluster: Cluster, ledger: Ledger, workspace: Workspace, run_id: str = RUN, **changes: Any
) -> Lease:
    settings = tier(cluster, **changes)
    lease = new_lease(settings, workspace, run_id=run_id, provider="context")
    ledger.write(run_id, ENTRY, lease)
    environment = environment_of("context", ledger=ledger, log=print, installed=True)
    held = environment.acquire(lease, settings, workspace)
    ledger.write(run_id, ENTRY, held)
    return held


def put_job(
    cluster: Cluster, run_id: str = RUN, *, name: str = "", expires: datetime | None = None
) -> None:
    """Put a Job with its pod and its ConfigMap there, as a run makes them."""
    carried = {"labels": Owner(run_id, "staging-soak", "main", "1", expires or _later()).labels()}
    name = name or f"soak-{run_id[:8]}"
    uid = f"uid-of-{name}-j"
    mark = {labels.CREATED_UID_ANNOTATION: uid}
    cluster.put("jobs", f"{name}-j", metadata={**carried, "annotations": mark})
    owner = [{"kind": "Job", "name": f"{name}-j", "uid": uid}]
    for plural in ("pods", "configmaps"):
        cluster.put(plural, f"{name}-{plural[0]}", metadata={**carried, "ownerReferences": owner})


def put_copies(cluster: Cluster, run_id: str) -> None:
    """Put there what somebody exported from a run and applied again, under names of its own."""
    carried = {"labels": Owner(run_id, "staging-soak", "main", "1", _later()).labels()}
    mark = {labels.CREATED_UID_ANNOTATION: "uid-of-the-original"}
    owner = [{"kind": "Job", "name": f"soak-{run_id[:8]}-1", "uid": "uid-of-the-original"}]
    cluster.put("jobs", f"soak-{run_id[:8]}-1", metadata={**carried, "annotations": mark})
    cluster.put("jobs", "debug", metadata={**carried, "annotations": mark})
    cluster.put("pods", f"soak-{run_id[:8]}-1-x", metadata={**carried, "ownerReferences": owner})
    cluster.put("configmaps", f"soak-{run_id[:8]}-1-plan", metadata=carried)


def copies_of(run_id: str) -> set[str]:
    stem = f"soak-{run_id[:8]}-1"
    return {stem, "debug", f"{stem}-x", f"{stem}-plan"}


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def put_stranger(cluster: Cluster) -> None:
    for plural in ("jobs", "pods", "configmaps"):
        cluster.put(plural, f"stranger-{plural[0]}", metadata={"labels": {"app": "floe"}})


STRANGERS = {"stranger-j", "stranger-p", "stranger-c"}


def there(cluster: Cluster) -> set[str]:
    return cluster.names("jobs") | cluster.names("pods") | cluster.names("configmaps")


def test_a_lease_creates_a_claim_and_nothing_else(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    held = acquired(cluster, ledger, workspace)

    assert (held.state, held.namespace, held.installed) == ("held", NAMESPACE, True)
    written = {request for request in cluster.requests if request[0] != "GET"}
    assert written == {("POST", "leases")}
    assert live_lease(ledger, RUN, parent_run_id=None, log=print) == held


def test_a_run_takes_its_own_away_and_gives_the_cluster_back(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    acquired(cluster, ledger, workspace)
    put_job(cluster)
    put_job(cluster, OTHER)
    put_stranger(cluster)

    released = give_back(ledger, RUN, log=print)

    assert released is not None
    assert released.state == "released"
    assert there(cluster) == STRANGERS | {f"soak-{OTHER[:8]}-{letter}" for letter in "jpc"}
    assert cluster.names("namespaces") == {NAMESPACE}
    assert held_by(cluster.kube(), NAMESPACE) is None


def test_what_carries_its_labels_alone_stays_is_said_and_waited_for_by_nobody(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    """A team looks into a failure with a copy of the run's Job, in the platform's namespace."""
    acquired(cluster, ledger, workspace)
    put_job(cluster)
    put_copies(cluster, RUN)
    lines: list[str] = []

    released = give_back(ledger, RUN, log=lines.append)

    assert released is not None
    assert released.state == "released"
    assert there(cluster) == copies_of(RUN)
    said = [line for line in lines if "is left alone" in line]
    assert len(said) == len(copies_of(RUN))
    assert any("job/debug" in line and "its name" in line for line in said)
    assert any("it is a copy" in line for line in said)


def test_what_carries_a_dead_runs_labels_alone_is_listed_by_a_reaper_and_stays(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    _killed(ledger, acquired(cluster, ledger, workspace))
    put_job(cluster)
    put_copies(cluster, RUN)

    done = reap(Scope(ledger), log=print)

    assert not done.remaining
    assert there(cluster) == copies_of(RUN)
    # Clusters and processes of this machine are others' business.
    listed = {item.name.partition("/")[2]: item for item in done.staying if "/" in item.name}
    assert set(listed) == copies_of(RUN)
    assert {item.word for item in listed.values()} == {"unproved"}
    assert listed["debug"].command.endswith(f"delete job/debug --namespace {NAMESPACE}")
    lease = ledger.read(RUN, ENTRY, Lease)
    assert lease is not None
    assert lease.state == "released", "what may be anybody's keeps no run open"


def test_what_cannot_be_removed_is_said_and_the_cluster_is_free_all_the_same(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    acquired(cluster, ledger, workspace)
    put_job(cluster)
    cluster.refused["DELETE", "jobs"] = 403

    with pytest.raises(
        CleanupError, match=f"kubectl .* delete jobs,pods,configmaps -n {NAMESPACE}"
    ):
        give_back(ledger, RUN, log=print)

    lease = ledger.read(RUN, ENTRY, Lease)
    assert lease is not None
    assert lease.state == "held", "the reaper has to find it"
    assert held_by(cluster.kube(), NAMESPACE) is None


def test_what_is_kept_holds_up_nobody(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    acquired(cluster, ledger, workspace, keep="always")
    put_job(cluster)
    lines: list[str] = []

    kept = give_back(ledger, RUN, log=lines.append)

    assert kept is not None
    assert kept.state == "kept"
    job = cluster.objects["jobs", f"soak-{RUN[:8]}-j"]
    assert job["metadata"]["labels"][labels.KEPT] == "true"
    assert f"-l {labels.RUN}={RUN}" in "\n".join(lines)
    assert held_by(cluster.kube(), NAMESPACE) is None
    assert acquired(cluster, ledger, workspace, OTHER).state == "held"


def test_a_stage_does_not_go_on_when_another_run_has_the_cluster(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    acquired(cluster, ledger, workspace)
    installed.stop_renewing(RUN)
    found = cluster.objects["leases", LEASE]
    found["metadata"]["labels"][labels.RUN] = OTHER

    with pytest.raises(LeaseError):
        live_lease(ledger, RUN, parent_run_id=None, log=print)


def test_a_namespace_that_is_not_there_is_a_mistake_of_the_settings(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    cluster.objects.clear()

    with pytest.raises(ConfigurationError, match=f"namespace {NAMESPACE} .* is not there"):
        acquired(cluster, ledger, workspace)


@pytest.mark.parametrize(
    ("job", "why"),
    [
        pytest.param(
            JOB.replace("resources: {limits: {memory: 512Mi}}", "tty: false"),
            "container soak has no resources.limits.memory",
            id="no limit",
        ),
        pytest.param(
            JOB.replace("512Mi", "9Gi"), "may use 9280 MiB.*budget.memory is 8Gi", id="too much"
        ),
    ],
)
def test_memory_is_bounded_before_anything_is_created(
    cluster: Cluster, ledger: Ledger, workspace: Workspace, job: str, why: str
) -> None:
    (workspace.root / "test-job.yaml").write_text(job)

    with pytest.raises(ConfigurationError, match=why):
        acquired(cluster, ledger, workspace)

    assert cluster.requests == []


def _killed(ledger: Ledger, held: Lease) -> None:
    """Let the run's process be one that is dead; its claim stays."""
    installed.stop_renewing(held.run_id)
    ledger.write(held.run_id, ENTRY, replace(held, holder=Holder(process_id=4194300, created=1.0)))


def test_a_killed_run_is_reaped_by_its_labels_and_the_cluster_is_free(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    _killed(ledger, acquired(cluster, ledger, workspace))
    put_job(cluster)
    put_stranger(cluster)
    scope = Scope(ledger, platforms=((cluster.access, NAMESPACE),))

    (found,) = [item for item in plan(scope).removable if item.what == "owned objects"]
    assert found.name == f"job/soak-{RUN[:8]}-j, pod/soak-{RUN[:8]}-p, configmap/soak-{RUN[:8]}-c"
    done = reap(scope, log=print)

    assert not done.remaining
    assert there(cluster) == STRANGERS
    assert held_by(cluster.kube(), NAMESPACE) is None
    lease = ledger.read(RUN, ENTRY, Lease)
    assert lease is not None
    assert lease.state == "released"


def test_a_claim_alone_of_a_killed_run_is_reaped(
    cluster: Cluster, ledger: Ledger, workspace: Workspace
) -> None:
    _killed(ledger, acquired(cluster, ledger, workspace))

    done = reap(Scope(ledger), log=print)

    assert [item.name for item in done.removed if item.what == "owned objects"] == [
        f"lease/{LEASE}"
    ]
    assert held_by(cluster.kube(), NAMESPACE) is None


def test_what_a_live_run_has_stays(cluster: Cluster, ledger: Ledger, workspace: Workspace) -> None:
    acquired(cluster, ledger, workspace)
    put_job(cluster)
    before = there(cluster)

    done = reap(Scope(ledger), log=print)

    assert not done.removed
    assert there(cluster) == before
    assert held_by(cluster.kube(), NAMESPACE) is not None


def test_what_an_unknown_run_left_goes_when_its_time_is_over(
    cluster: Cluster, ledger: Ledger
) -> None:
    past = datetime.now(UTC) - timedelta(minutes=1)
    put_job(cluster, OTHER, expires=past)
    put_job(cluster, RUN)
    scope = Scope(ledger, platforms=((cluster.access, NAMESPACE),))

    done = reap(scope, log=print)

    assert [item.run_id for item in done.removed] == [OTHER]
    assert there(cluster) == {f"soak-{RUN[:8]}-{letter}" for letter in "jpc"}


def test_an_account_with_rights_beside_the_platform_alone_can_reap(
    cluster: Cluster, ledger: Ledger
) -> None:
    """A chart's account has no right to list namespaces: that is no problem of every reap."""
    cluster.refused["GET", "namespaces"] = 403
    put_job(cluster, OTHER, expires=datetime.now(UTC) - timedelta(minutes=1))
    scope = Scope(ledger, (cluster.access,), platforms=((cluster.access, NAMESPACE),))

    done = reap(scope, log=print)

    assert not done.problems
    assert there(cluster) == set()


def test_a_cluster_that_cannot_be_seen_and_was_named_is_a_problem(
    cluster: Cluster, ledger: Ledger
) -> None:
    cluster.refused["GET", "namespaces"] = 403

    assert plan(Scope(ledger, (cluster.access,))).problems
