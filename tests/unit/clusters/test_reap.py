"""The reaper on this machine: a real ledger, real orchestrators, real orphans."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psutil
import pytest

from floe_tests.clusters.lease import ENTRY, Holder, Lease
from floe_tests.clusters.leftovers import Scope
from floe_tests.clusters.processes import processes_of_runs
from floe_tests.clusters.reap import plan, reap
from floe_tests.errors import InfrastructureError
from floe_tests.kube import ClusterAccess
from floe_tests.labels import Owner
from floe_tests.ledger import Ledger
from floe_tests.program import RUN_VARIABLE

from .conftest import STUBBORN

if TYPE_CHECKING:
    from .conftest import Orchestrator

    Start = Callable[..., Orchestrator]

pytestmark = pytest.mark.usefixtures("no_programs")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "runs")


@pytest.fixture
def run_id() -> str:
    return str(uuid4())


def write_lease(ledger: Ledger, run_id: str, holder: Holder, **changes: Any) -> Lease:
    later = datetime.now(UTC) + timedelta(hours=1)
    lease = Lease(
        **{
            "provider": "local",
            "owner": Owner(run_id, "unit", "main", "72c65fc", changes.pop("expires_at", later)),
            "namespace": "",
            "keep": "never",
            "release_seconds": 60,
            "state": "held",
            "holder": holder,
            **changes,
        }
    )
    ledger.write(run_id, ENTRY, lease)
    return lease


def state(ledger: Ledger, run_id: str) -> str:
    lease = ledger.read(run_id, ENTRY, Lease)
    assert lease is not None
    return lease.state


def has_ended(process: psutil.Process) -> bool:
    # Nobody may collect an orphan's exit code here: a zombie has ended.
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("child", [None, STUBBORN], ids=["obedient", "ignores SIGTERM"])
def test_an_orphan_of_a_killed_run_is_named_by_a_dry_run_and_then_ended(
    ledger: Ledger,
    run_id: str,
    orchestrator: Start,
    child: str | None,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("floe_tests.clusters.reap._END_SECONDS", 0.5)
    killed = orchestrator(run_id, **({"child": child} if child else {}))
    write_lease(ledger, run_id, killed.holder)
    killed.kill()

    (item,) = plan(Scope(ledger)).removable
    assert (item.what, item.name, item.run_id) == ("process", str(killed.child.pid), run_id)
    assert (item.tier, item.word) == ("unit", "over")
    assert f"process {killed.holder.process_id}) is gone" in item.reason
    assert not has_ended(killed.child), "a dry run changes nothing"
    assert state(ledger, run_id) == "held"

    told: list[str] = []
    done = reap(Scope(ledger), log=print, on_killed=lambda lease: told.append(lease.run_id))

    assert has_ended(killed.child)
    assert [gone.what for gone in done.removed] == ["process", "lease"]
    assert (done.remaining, done.problems) == ((), ())
    assert (state(ledger, run_id), told) == ("released", [run_id])
    assert plan(Scope(ledger)).removable == ()


def test_a_live_runs_processes_stay_also_past_its_time(
    ledger: Ledger, run_id: str, orchestrator: Start
):
    live = orchestrator(run_id)
    write_lease(ledger, run_id, live.holder, expires_at=datetime.now(UTC) - timedelta(hours=1))

    done = reap(Scope(ledger), log=print)

    assert done.removed == ()
    (hung,) = done.staying
    assert (hung.word, hung.name) == ("hung", str(live.child.pid))
    assert not has_ended(live.child)


def test_only_the_variable_of_the_process_itself_counts(
    ledger: Ledger, orchestrator: Start, run_id: str
):
    """This project's own tests run inside a run, and start further ones."""
    outer = str(uuid4())
    inner = orchestrator(run_id, **{RUN_VARIABLE: outer})
    write_lease(ledger, run_id, inner.holder)
    write_lease(ledger, outer, Holder.this_process())

    inner.kill()
    done = reap(Scope(ledger), log=print)

    assert [item.run_id for item in done.removed if item.what == "process"] == [run_id]
    assert state(ledger, outer) == "held"


def test_the_reapers_own_ancestors_are_spared(ledger: Ledger, run_id: str, tmp_path: Path):
    """A test of a killed run may be what calls the reaper."""
    dead = replace(Holder.this_process(), created=1.0)
    write_lease(ledger, run_id, dead)
    program = (
        "import sys; from pathlib import Path; from floe_tests.ledger import Ledger\n"
        "from floe_tests.clusters.leftovers import Scope\n"
        "from floe_tests.clusters.reap import reap\n"
        "done = reap(Scope(Ledger(Path(sys.argv[1]))), log=print)\n"
        "print('spared', [item.what for item in done.removed])\n"
    )
    ancestor = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"

    done = subprocess.run(
        [sys.executable, "-c", ancestor, "-c", program, str(ledger.directory)],
        env={**os.environ, RUN_VARIABLE: run_id, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "spared ['lease']" in done.stdout


@pytest.mark.parametrize(
    "known", ["unknown", "of another machine", "kept", "released, and its orchestrator runs"]
)
def test_a_process_stays_when_its_run_is(
    ledger: Ledger, run_id: str, orchestrator: Start, known: str
):
    run = orchestrator(run_id)
    if known == "of another machine":
        past = datetime.now(UTC) - timedelta(hours=1)
        holder = replace(run.holder, host="another-machine")
        write_lease(ledger, run_id, holder, expires_at=past)
    elif known == "kept":
        write_lease(ledger, run_id, run.holder, state="kept")
    elif known != "unknown":
        write_lease(ledger, run_id, run.holder, state="released")
    if not known.startswith("released"):
        run.kill()

    removed = reap(Scope(ledger), log=print).removed

    assert [item for item in removed if item.what == "process"] == []
    assert not has_ended(run.child)


def test_what_was_kept_too_long_goes(ledger: Ledger, run_id: str, orchestrator: Start):
    run = orchestrator(run_id)
    past = datetime.now(UTC) - timedelta(minutes=1)
    write_lease(ledger, run_id, run.holder, state="kept", expires_at=past)
    run.kill()
    told: list[str] = []

    done = reap(Scope(ledger), log=print, on_killed=lambda lease: told.append(lease.run_id))

    assert has_ended(run.child)
    assert {item.word for item in done.removed} == {"expired"}
    assert told == [], "it was not killed: it has its verdict"


def test_a_killed_run_that_left_nothing_is_settled(ledger: Ledger, run_id: str):
    write_lease(ledger, run_id, replace(Holder.this_process(), created=1.0))

    (item,) = plan(Scope(ledger)).removable
    assert (item.what, item.name) == ("lease", run_id)
    assert "nothing else is left of it" in item.reason

    assert reap(Scope(ledger), log=print).removed == (item,)
    assert state(ledger, run_id) == "released"


def test_a_history_that_cannot_be_written_is_an_error_and_the_run_stays_known(
    ledger: Ledger, run_id: str
):
    write_lease(ledger, run_id, replace(Holder.this_process(), created=1.0))

    def refuse(_lease: Lease) -> None:
        raise InfrastructureError("the history is away")

    (left,) = reap(Scope(ledger), log=print, on_killed=refuse).remaining

    assert left.error == "the history is away"
    assert left.item.command == f"rm -r {ledger.directory / run_id}"
    assert state(ledger, run_id) == "held"


def test_a_kind_cluster_that_cannot_be_looked_for_is_a_problem_if_a_killed_run_had_one(
    ledger: Ledger, run_id: str
):
    dead = replace(Holder.this_process(), created=1.0)
    assert plan(Scope(ledger)).problems == ()

    write_lease(ledger, run_id, dead, provider="kind", namespace="x", kind_cluster="floe-x")
    done = reap(Scope(ledger), log=print)

    (problem,) = done.problems
    assert "kind cluster floe-x cannot be looked into: docker and kind not on PATH" in problem
    assert state(ledger, run_id) == "held"


def test_a_cluster_that_cannot_be_reached_is_a_problem_only_for_what_may_go(
    ledger: Ledger, run_id: str, tmp_path: Path
):
    gone = ClusterAccess(str(tmp_path / "no-kubeconfig"), "staging")
    holder = replace(Holder.this_process(), created=1.0)
    lease = write_lease(ledger, run_id, holder, provider="context", namespace="x", access=gone)

    found = plan(Scope(ledger))
    assert "context staging in" in found.problems[0]
    assert found.removable == ()

    ledger.write(run_id, ENTRY, replace(lease, state="released"))
    found = plan(Scope(ledger))
    assert found.problems == ()
    assert any("not cluster of context staging" in place for place in found.looked_at)


def test_a_lease_that_cannot_be_read_does_not_stop_the_others(ledger: Ledger, run_id: str):
    write_lease(ledger, run_id, replace(Holder.this_process(), created=1.0))
    (ledger.folder("broken") / "lease.json").write_text("{")

    done = reap(Scope(ledger), log=print)

    assert [item.run_id for item in done.removed] == [run_id]
    (problem,) = done.problems
    assert f"rm -r {ledger.directory / 'broken'}" in problem


def test_a_process_says_what_it_is_and_since_when(run_id: str, orchestrator: Start):
    run = orchestrator(run_id)

    (found,) = [item for item in processes_of_runs() if item.run_id == run_id]

    assert found.process_id == run.child.pid
    assert "signal.pause()" in found.command
    assert abs(found.started_at.timestamp() - run.child.create_time()) < 1
