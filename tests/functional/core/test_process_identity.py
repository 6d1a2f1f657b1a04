"""Whether the process that holds a lease still runs: that very one, whatever a clock says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from pydantic import TypeAdapter

from floe_tests.core import process_identity
from floe_tests.core.process_identity import Holder

HERE = Holder.this_process()
WAITS = "import signal; print('runs', flush=True); signal.pause()"
ON_LINUX = pytest.mark.skipif(not psutil.LINUX, reason="without /proc there are no ticks")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline()
        yield started
        started.kill()


def holder_of(process: subprocess.Popen[str]) -> Holder:
    holder = Holder.of(process.pid)
    assert holder is not None
    return holder


@pytest.mark.parametrize("hours", [-1, -1 / 3600, 0, 1 / 3600, 1])
def test_a_step_of_the_clock_changes_nothing(
    process: subprocess.Popen[str], step_clock: Callable[[float], None], hours: float
):
    """NTP set the clock by a second, and the live run was reaped as dead."""
    holder = holder_of(process)

    step_clock(hours)

    again = holder_of(process)
    assert abs(again.created - holder.created - hours * 3600) < 0.1, "its time did move"
    assert again == holder, "a run does not take itself for another process"
    assert holder.liveness == "alive"


def test_a_process_that_has_ended_is_dead_also_before_anybody_asked_for_its_exit_code(
    process: subprocess.Popen[str],
):
    holder = holder_of(process)

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie

    assert Path(f"/proc/{process.pid}").exists() or not psutil.LINUX
    assert holder.liveness == "dead"
    process.wait()
    assert (holder.liveness, Holder.of(process.pid)) == ("dead", None)


def test_another_process_that_was_given_its_id_is_not_it(process: subprocess.Popen[str]):
    holder = holder_of(process)
    assert holder.start_ticks is not None

    assert replace(holder, start_ticks=holder.start_ticks - 1).liveness == "dead"


@ON_LINUX
def test_after_a_boot_of_its_machine_it_is_dead_although_its_id_is_taken_again():
    assert HERE.machine_id, "the test needs /etc/machine-id"
    of_itself = replace(HERE, pid_namespace=process_identity._FIRST_NAMESPACE)  # pyright: ignore[reportPrivateUsage] - as on a machine itself

    before = replace(of_itself, boot_id="11111111-1111-4111-8111-111111111111")

    is_first = HERE.pid_namespace == of_itself.pid_namespace
    assert before.liveness == ("dead" if is_first else "unknown")


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param({"host": "another-machine"}, id="another machine with this folder"),
        pytest.param(
            {"machine_id": "of-another", "boot_id": "of-another"}, id="another of the same name"
        ),
        pytest.param({"pid_namespace": "pid:[4026599999]"}, id="a container of this machine"),
        pytest.param(
            {"pid_namespace": "pid:[4026599999]", "boot_id": "of-another"},
            id="a container of another machine, of one image and name",
        ),
        pytest.param(
            {"start_ticks": None, "boot_id": "", "machine_id": "", "host": "another-machine"},
            id="another machine, before ticks were written",
        ),
    ],
)
@pytest.mark.parametrize("process_id", [os.getpid(), 4194300], ids=["its id is taken", "free"])
def test_of_a_process_that_cannot_be_seen_from_here_nothing_is_known(
    elsewhere: dict[str, str | None], process_id: int
):
    """Its id means something else here, or nothing: neither proves anything."""
    changes: dict[str, object] = {**elsewhere, "process_id": process_id}
    holder = TypeAdapter(Holder).validate_python({**asdict(HERE), **changes})

    assert holder.liveness == "unknown"
    assert not holder.signal(signal.SIGTERM)


@pytest.mark.skipif(not shutil.which("unshare") or os.getuid() != 0, reason="needs root, unshare")
def test_a_container_with_ids_of_its_own_knows_nothing_of_a_process_outside_and_the_reverse():
    program = (
        "import json, sys; from dataclasses import asdict\n"
        "from floe_tests.core.process_identity import Holder\n"
        "outside = Holder(**json.loads(sys.argv[1]))\n"
        "print(json.dumps([outside.liveness, asdict(Holder.this_process())]))\n"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", program]
    ended = subprocess.run(
        [*command, json.dumps(asdict(HERE))], capture_output=True, text=True, check=True
    )

    seen_inside, inside = json.loads(ended.stdout)

    assert seen_inside == "unknown"
    assert Holder(**inside).liveness == "unknown"


def test_a_lease_of_before_is_read_and_its_time_proves_life_alone():
    """Ledgers outlive an upgrade: entries have a process id and a time by the clock of then."""
    old = json.dumps({"process_id": HERE.process_id, "created": HERE.created, "host": HERE.host})
    holder = TypeAdapter(Holder).validate_json(old)

    assert holder.liveness == "alive"
    assert replace(holder, host="").liveness == "alive", "of before hosts were written"
    stepped = replace(holder, created=HERE.created + 1)
    assert stepped.liveness == "unknown", "a second's step, or another process: who can tell"
    assert replace(holder, process_id=4194300).liveness == "dead"


def test_it_is_written_as_a_plain_entry_and_read_again():
    adapter = TypeAdapter(Holder)

    again = adapter.validate_json(adapter.dump_json(HERE))

    assert (again, again.created) == (HERE, HERE.created)


def test_a_signal_reaches_that_very_process_and_no_later_one(process: subprocess.Popen[str]):
    holder = holder_of(process)
    later = replace(holder, start_ticks=1)

    assert later.signal(signal.SIGKILL) is False
    assert process.poll() is None
    assert holder.signal(signal.SIGTERM) is True
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert holder.signal(signal.SIGTERM) is False


def test_a_name_with_parentheses_and_spaces_does_not_shift_the_fields(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    folder = tmp_path / "77"
    folder.mkdir()
    numbers = " ".join(str(number) for number in range(5, 23))
    (folder / "stat").write_text(f"77 (a) R (b c) S 1 {numbers}\n")
    monkeypatch.setattr(process_identity, "_PROC", tmp_path)
    monkeypatch.setattr("psutil.LINUX", True)

    assert process_identity._start_ticks(77) == 22  # pyright: ignore[reportPrivateUsage] - a recorded file
