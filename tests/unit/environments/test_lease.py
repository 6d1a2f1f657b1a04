"""A lease's life: taken, worked on, kept or given back; and never worked on when it is over."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.providers import capabilities_of, environment_names
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import LeaseError
from floe_tests.core.ledger import Ledger
from floe_tests.environments.lease import ENTRY, Lease, new_lease
from floe_tests.environments.leasing import environment_of, give_back, live_lease
from floe_tests.kube.access import ClusterAccess

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "runs")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(
        root=tmp_path, output=tmp_path, home=tmp_path, history_url="", ref="main", commit="72c65fc"
    )


def tier(**changes: Any) -> TierSettings:
    return TierSettings.model_validate(
        {
            "name": "unit",
            "description": "x",
            "environments": ["local", "kind"],
            "suites": [{"name": "one", "job": "a.yaml"}, {"name": "two", "job": "b.yaml"}],
            **changes,
        }
    )


@pytest.fixture
def lease(workspace: Workspace) -> Lease:
    return new_lease(tier(), workspace, run_id=RUN, provider="local", now=NOW)


def test_a_new_lease_is_acquiring_and_names_the_process_that_holds_it(lease: Lease):
    assert (lease.state, lease.run_id, lease.failed) == ("acquiring", RUN, False)
    assert lease.holder.liveness == "alive"
    assert (lease.owner.ref, lease.owner.commit) == ("main", "72c65fc")


def test_each_run_gets_a_namespace_of_its_own_and_local_none(workspace: Workspace):
    def namespace(provider: Any) -> str:
        return new_lease(tier(), workspace, run_id=RUN, provider=provider).namespace

    assert (namespace("kind"), namespace("local")) == ("floe-test-1a2b3c4d", "")


def test_it_expires_after_every_deadline_of_each_attempt_has_passed(workspace: Workspace):
    """A reaper must not take the environment of a run that is merely late, or at its last try."""
    settings = tier(
        deadlines={
            "cluster_seconds": 100,
            "start_seconds": 10,
            "tests_seconds": 20,
            "pod_seconds": 30,
            "job_seconds": 1000,
            "release_seconds": 50,
        },
        releases=[
            {"name": "a", "chart": "a", "ready_seconds": 300},
            {"name": "b", "chart": "b", "ready_seconds": 40},
        ],
        embedded={"code": "x"},
    )

    lease = new_lease(settings, workspace, run_id=RUN, provider="kind", now=NOW)

    all_deadlines = timedelta(seconds=100 + 340 + 2 * 4 * (10 + 1000) + 50)
    assert all_deadlines < lease.owner.expires_at - NOW < all_deadlines + timedelta(hours=1)


@pytest.mark.parametrize(
    ("keep", "failed", "stays"),
    [
        ("never", False, False),
        ("never", True, False),
        ("on_failure", False, False),
        ("on_failure", True, True),
        ("always", False, True),
        ("always", True, True),
    ],
)
def test_an_environment_stays_as_keep_says(lease: Lease, keep: Any, failed: bool, stays: bool):  # noqa: FBT001 - the row
    assert replace(lease, keep=keep, failed=failed).stays is stays


def test_the_runs_choice_of_keep_wins_over_the_tiers(workspace: Workspace):
    lease = new_lease(tier(keep="always"), workspace, run_id=RUN, provider="local", keep="never")

    assert lease.keep == "never"


def test_a_held_lease_can_be_worked_on(ledger: Ledger, lease: Lease):
    held = replace(lease, state="held")
    ledger.write(RUN, ENTRY, held)

    assert live_lease(ledger, RUN, parent_run_id=None, log=print) == held


@pytest.mark.parametrize("state", ["acquiring", "kept", "released"])
def test_a_lease_in_another_state_cannot(ledger: Ledger, lease: Lease, state: Any):
    ledger.write(RUN, ENTRY, replace(lease, state=state))

    with pytest.raises(LeaseError, match=f"is {state} and not live any more. Launch the whole job"):
        live_lease(ledger, RUN, parent_run_id=None, log=print)


def test_a_run_without_a_lease_says_so(ledger: Ledger):
    with pytest.raises(LeaseError, match="this run has no environment"):
        live_lease(ledger, RUN, parent_run_id=None, log=print)


def test_a_re_execution_says_that_its_parent_gave_the_environment_back(
    ledger: Ledger, lease: Lease
):
    """Dagster skips the cluster step; without this, tests would run against nothing, or pass."""
    ledger.write(RUN, ENTRY, replace(lease, state="released"))

    with pytest.raises(LeaseError) as raised:
        live_lease(ledger, "another-run", parent_run_id=RUN, log=print)

    message = str(raised.value)
    assert f"run {RUN} gave its environment back" in message
    assert "Re-execution from failure cannot bring a cluster back; launch the whole job" in message


def test_a_lease_is_released_once_and_giving_it_back_again_does_nothing(
    ledger: Ledger, lease: Lease
):
    ledger.write(RUN, ENTRY, replace(lease, state="held"))

    first = give_back(ledger, RUN, log=print)
    second = give_back(ledger, RUN, log=print)

    assert first == second == ledger.read(RUN, ENTRY, Lease)
    assert first is not None
    assert first.state == "released"


def test_a_run_that_never_had_a_lease_has_nothing_to_return(ledger: Ledger):
    assert give_back(ledger, RUN, log=print) is None


def test_a_kept_environment_expires_in_a_day_and_tells_how_to_look_into_it(
    ledger: Ledger, lease: Lease
):
    lines: list[str] = []
    ledger.write(RUN, ENTRY, replace(lease, state="held", keep="always"))

    kept = give_back(ledger, RUN, log=lines.append)

    assert kept is not None
    assert kept.state == "kept"
    assert kept.owner.expires_at > datetime.now(UTC) + timedelta(hours=23)
    assert "kept as `keep: always` says" in lines[0]


def test_an_environment_that_cannot_be_labelled_is_kept_all_the_same_and_says_so(
    ledger: Ledger, lease: Lease, tmp_path: Path
):
    lines: list[str] = []
    access = ClusterAccess(str(tmp_path / "no-kubeconfig"), "staging")
    held = replace(lease, provider="context", access=access, state="held", keep="always")
    ledger.write(RUN, ENTRY, held)

    kept = give_back(ledger, RUN, log=lines.append)

    assert kept is not None
    assert kept.state == "kept"
    assert lines[0].startswith("kept, but not so labelled: no cluster to speak to")


def test_what_never_came_up_is_removed_even_when_it_should_be_kept(ledger: Ledger, lease: Lease):
    ledger.write(RUN, ENTRY, replace(lease, keep="always", state="acquiring"))

    released = give_back(ledger, RUN, log=print)

    assert released is not None
    assert released.state == "released"


@pytest.mark.parametrize("provider", environment_names())
def test_every_provider_gives_back_a_lease_that_created_nothing(
    ledger: Ledger, lease: Lease, provider: Any
):
    """An interrupt can come before a provider's first step; nothing is there to remove then."""
    environment = environment_of(provider, ledger=ledger, log=print)
    nothing = replace(lease, provider=provider, namespace="floe-test-1a2b3c4d")

    environment.release(nothing)
    environment.release(nothing)

    assert environment.is_live(nothing) is not capabilities_of(provider).is_cluster


@pytest.mark.parametrize(
    ("older", "read"),
    [
        pytest.param({"persistent": True}, (True, None), id="an installed platform"),
        pytest.param({"kind_cluster": "floe-x"}, (False, "floe-x"), id="a kind cluster"),
        pytest.param({}, (False, None), id="neither"),
    ],
)
def test_a_lease_that_an_older_version_wrote_is_read(
    ledger: Ledger, lease: Lease, older: dict[str, Any], read: tuple[bool, str | None]
):
    """Or its reaper would take a platform's namespace for a run's own."""
    ledger.write(RUN, ENTRY, lease)
    file = ledger.folder(RUN) / f"{ENTRY}.json"
    written = json.loads(file.read_text())
    for name in ("installed", "cluster"):
        del written[name]
    file.write_text(json.dumps({**written, **older}))

    found = ledger.read(RUN, ENTRY, Lease)

    assert found is not None
    assert (found.installed, found.cluster) == read
