"""The reaper on this machine: a real ledger, real orchestrators, real orphans."""

from __future__ import annotations

import os
import shutil
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

from floe_tests.cleanup.plan import Scope
from floe_tests.cleanup.processes import processes_of_runs
from floe_tests.cleanup.reaper import plan, reap
from floe_tests.core.errors import InfrastructureError
from floe_tests.core.labels import Owner
from floe_tests.core.ledger import Ledger
from floe_tests.core.process_identity import Holder
from floe_tests.core.program import RUN_VARIABLE
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.kube.access import ClusterAccess

from .conftest import CHILD, STUBBORN

if TYPE_CHECKING:
    from .conftest import Orchestrator

    Start = Callable[..., Orchestrator]

pytestmark = pytest.mark.usefixtures("no_programs")
FAKETIME = shutil.which("faketime") or "faketime"


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
    monkeypatch.setattr("floe_tests.cleanup.reaper._END_SECONDS", 0.5)
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
    write_lease(ledger, run_id, live.holder, expires_at=datetime.now(UTC) - timedelta(hours=3))

    done = reap(Scope(ledger), log=print)

    assert done.removed == ()
    (hung,) = done.staying
    assert (hung.word, hung.name) == ("hung", str(live.child.pid))
    assert not has_ended(live.child)


REAP = (
    "import sys; from pathlib import Path; from floe_tests.core.ledger import Ledger\n"
    "from floe_tests.cleanup.plan import Scope\n"
    "from floe_tests.cleanup.reaper import reap\n"
    "done = reap(Scope(Ledger(Path(sys.argv[1]))), log=print)\n"
    "print('removed', [item.what for item in done.removed])\n"
)


@pytest.mark.parametrize("hours", [-1, -1 / 3600, 1 / 3600, 1])
def test_nothing_of_a_live_run_goes_when_the_clock_steps(
    ledger: Ledger,
    run_id: str,
    orchestrator: Start,
    step_clock: Callable[[float], None],
    hours: float,
):
    """NTP set the clock by a second: the run's process counted as dead, and was ended."""
    live = orchestrator(run_id)
    write_lease(ledger, run_id, live.holder, expires_at=datetime.now(UTC) + timedelta(minutes=5))
    in_a_container = str(uuid4())
    elsewhere = replace(live.holder, pid_namespace="pid:[4026599999]")
    soon = datetime.now(UTC) + timedelta(minutes=5)
    write_lease(ledger, in_a_container, elsewhere, expires_at=soon)

    step_clock(hours)
    done = reap(Scope(ledger), log=print)

    assert (done.removed, done.remaining, done.problems) == ((), (), ())
    assert not has_ended(live.child)
    assert (state(ledger, run_id), state(ledger, in_a_container)) == ("held", "held")


@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs faketime (Debian)")
@pytest.mark.parametrize("step", ["+1h", "-1h"])
def test_a_reaper_whose_clock_is_an_hour_off_touches_no_live_run(
    ledger: Ledger, run_id: str, orchestrator: Start, step: str
):
    live = orchestrator(run_id)
    write_lease(ledger, run_id, live.holder, expires_at=datetime.now(UTC) + timedelta(minutes=5))

    done = subprocess.run(
        [FAKETIME, "-f", step, sys.executable, "-c", REAP, str(ledger.directory)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "removed []" in done.stdout
    assert not has_ended(live.child)
    assert state(ledger, run_id) == "held"


def test_a_process_of_a_dead_run_with_a_terminal_is_a_persons(
    ledger: Ledger, run_id: str, orchestrator: Start
):
    """Somebody repeats a command of the run, with its variables, to look into it."""
    killed = orchestrator(run_id)
    write_lease(ledger, run_id, killed.holder)
    killed.kill()
    ours, theirs = os.openpty()
    take_terminal = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    with subprocess.Popen(
        [sys.executable, "-c", take_terminal + CHILD],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, RUN_VARIABLE: run_id},
        start_new_session=True,
    ) as person:
        assert person.stdout is not None
        assert "child runs" in person.stdout.readline()

        done = reap(Scope(ledger), log=print)

        (stays,) = [item for item in done.staying if item.name == str(person.pid)]
        assert stays.word == "unproved"
        assert "a person may have started it" in stays.reason
        assert person.poll() is None
        person.kill()
    os.close(ours)
    os.close(theirs)
    assert has_ended(killed.child)


@pytest.mark.parametrize("changed", ["/etc", "../elsewhere", "another-run"])
def test_a_lease_that_names_another_run_than_its_folder_is_not_followed(
    ledger: Ledger, run_id: str, tmp_path: Path, changed: str
):
    """A file that was changed by hand must not lead the reaper out of the ledger."""
    lease = write_lease(ledger, run_id, replace(Holder.this_process(), start_ticks=1))
    elsewhere = replace(lease, owner=replace(lease.owner, run_id=changed))
    ledger.write(run_id, ENTRY, elsewhere)
    before = sorted(tmp_path.rglob("*"))

    done = reap(Scope(ledger), log=print)

    assert done.removed == ()
    assert "was changed by hand and is not followed" in done.problems[0]
    assert sorted(tmp_path.rglob("*")) == before


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
    dead = replace(Holder.this_process(), start_ticks=1)
    write_lease(ledger, run_id, dead)
    ancestor = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"

    done = subprocess.run(
        [sys.executable, "-c", ancestor, "-c", REAP, str(ledger.directory)],
        env={**os.environ, RUN_VARIABLE: run_id, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "removed ['lease']" in done.stdout


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
    past = datetime.now(UTC) - timedelta(hours=3)
    write_lease(ledger, run_id, run.holder, state="kept", expires_at=past)
    run.kill()
    told: list[str] = []

    done = reap(Scope(ledger), log=print, on_killed=lambda lease: told.append(lease.run_id))

    assert has_ended(run.child)
    assert {item.word for item in done.removed} == {"expired"}
    assert told == [], "it was not killed: it has its verdict"


def test_a_killed_run_that_left_nothing_is_settled(ledger: Ledger, run_id: str):
    write_lease(ledger, run_id, replace(Holder.this_process(), start_ticks=1))

    (item,) = plan(Scope(ledger)).removable
    assert (item.what, item.name) == ("lease", run_id)
    assert "nothing else is left of it" in item.reason

    assert reap(Scope(ledger), log=print).removed == (item,)
    assert state(ledger, run_id) == "released"


def test_a_history_that_cannot_be_written_is_an_error_and_the_run_stays_known(
    ledger: Ledger, run_id: str
):
    write_lease(ledger, run_id, replace(Holder.this_process(), start_ticks=1))

    def refuse(_lease: Lease) -> None:
        raise InfrastructureError("the history is away")

    (left,) = reap(Scope(ledger), log=print, on_killed=refuse).remaining

    assert left.error == "the history is away"
    assert left.item.command == f"rm -r {ledger.directory / run_id}"
    assert state(ledger, run_id) == "held"


def test_a_kind_cluster_that_cannot_be_looked_for_is_a_problem_if_a_killed_run_had_one(
    ledger: Ledger, run_id: str
):
    dead = replace(Holder.this_process(), start_ticks=1)
    assert plan(Scope(ledger)).problems == ()

    write_lease(ledger, run_id, dead, provider="kind", namespace="x", cluster="floe-x")
    done = reap(Scope(ledger), log=print)

    (problem,) = done.problems
    assert "kind cluster floe-x cannot be looked into: docker and kind not on PATH" in problem
    assert state(ledger, run_id) == "held"


def test_a_cluster_that_cannot_be_reached_is_a_problem_only_for_what_may_go(
    ledger: Ledger, run_id: str, tmp_path: Path
):
    gone = ClusterAccess(str(tmp_path / "no-kubeconfig"), "staging")
    holder = replace(Holder.this_process(), start_ticks=1)
    lease = write_lease(ledger, run_id, holder, provider="context", namespace="x", access=gone)

    found = plan(Scope(ledger))
    assert "context staging in" in found.problems[0]
    assert found.removable == ()

    ledger.write(run_id, ENTRY, replace(lease, state="released"))
    found = plan(Scope(ledger))
    assert found.problems == ()
    assert any("not cluster of context staging" in place for place in found.looked_at)


def test_a_lease_that_cannot_be_read_does_not_stop_the_others(ledger: Ledger, run_id: str):
    write_lease(ledger, run_id, replace(Holder.this_process(), start_ticks=1))
    (ledger.folder("broken") / "lease.json").write_text("{")

    done = reap(Scope(ledger), log=print)

    assert [item.run_id for item in done.removed] == [run_id]
    (problem,) = done.problems
    assert f"rm -r {ledger.directory / 'broken'}" in problem


def test_processes_of_a_run_whose_lease_cannot_be_read_are_listed_and_stay(
    ledger: Ledger, run_id: str, orchestrator: Start
):
    """Without its lease nobody would find them again: they have no expiry."""
    killed = orchestrator(run_id)
    (ledger.folder(run_id) / "lease.json").write_text("{")
    killed.kill()

    done = reap(Scope(ledger), log=print)

    assert not has_ended(killed.child)
    (item,) = done.staying
    assert (item.what, item.word, item.command) == (
        "process",
        "unproved",
        f"kill -9 {killed.child.pid}",
    )
    (problem,) = done.problems
    for said in ("Put back what was there", "processes on this machine stay", "when it expires"):
        assert said in problem
    assert problem.index("Only when nothing of it is left") < problem.index("rm -r")


def test_a_process_says_what_it_is_and_since_when(run_id: str, orchestrator: Start):
    run = orchestrator(run_id)

    (found,) = [item for item in processes_of_runs() if item.run_id == run_id]

    assert found.process_id == run.child.pid
    assert "signal.pause()" in found.command
    assert abs(found.started_at.timestamp() - run.child.create_time()) < 1
