"""What a run has done so far, on disk: written whole, read back as it was, one lock a name."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.core.errors import ConfigurationError, HarnessError
from floe_tests.core.ledger import Ledger, as_json


@dataclass(frozen=True)
class Entry:
    name: str
    at: datetime
    path: Path
    parts: tuple[tuple[str, float], ...] = ()


ENTRY = Entry("a", datetime(2026, 11, 23, 9, tzinfo=UTC), Path("/x"), (("b", 1.5),))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "runs")


def test_an_entry_is_read_back_as_it_was_written(ledger: Ledger):
    ledger.write("run", "stage", ENTRY)

    assert ledger.read("run", "stage", Entry) == ENTRY


def test_what_was_never_written_is_none(ledger: Ledger):
    assert ledger.read("run", "stage", Entry) is None


def test_a_later_entry_replaces_the_earlier_and_leaves_nothing_beside_it(ledger: Ledger):
    ledger.write("run", "stage", ENTRY)
    ledger.write("run", "stage", Entry("later", ENTRY.at, ENTRY.path))

    found = ledger.read("run", "stage", Entry)
    assert found is not None
    assert found.name == "later"
    assert [path.name for path in ledger.folder("run").iterdir()] == ["stage.json"]


def test_runs_do_not_see_each_other(ledger: Ledger):
    ledger.write("one", "stage", ENTRY)

    assert ledger.read("two", "stage", Entry) is None


def test_entries_of_all_runs_are_found_and_runs_without_one_are_left_out(ledger: Ledger):
    ledger.write("b", "lease", Entry("second", ENTRY.at, ENTRY.path))
    ledger.write("a", "lease", Entry("first", ENTRY.at, ENTRY.path))
    ledger.write("c", "stage", ENTRY)

    assert [entry.name for entry in ledger.entries("lease", Entry)] == ["first", "second"]
    ledger.write("_kind", "lease", Entry("a cluster", ENTRY.at, ENTRY.path))
    assert len(ledger.runs("lease")) == 2, "what belongs to no run is no run's"


def test_an_empty_ledger_has_no_entries(ledger: Ledger):
    assert list(ledger.entries("lease", Entry)) == []


def test_an_entry_is_forgotten_twice_without_harm(ledger: Ledger):
    ledger.write("run", "stage", ENTRY)

    ledger.forget("run", "stage")
    ledger.forget("run", "stage")

    assert ledger.read("run", "stage", Entry) is None


@pytest.mark.parametrize("text", ["", "{", '{"name": "a"}', "[]"], ids=repr)
def test_a_file_that_is_not_what_was_written_is_named(ledger: Ledger, text: str):
    (ledger.folder("run") / "stage.json").write_text(text)

    with pytest.raises(HarnessError, match=r"run/stage\.json cannot be read"):
        ledger.read("run", "stage", Entry)


def test_a_dataclass_is_plain_json():
    assert as_json(ENTRY) == {
        "name": "a",
        "at": "2026-11-23T09:00:00Z",
        "path": "/x",
        "parts": [["b", 1.5]],
    }


HOLD_UNTIL_STDIN_CLOSES = """
import sys
from pathlib import Path
from floe_tests.core.ledger import Ledger
with Ledger(Path(sys.argv[1])).locked("kind", timeout_seconds=10):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.functional
def test_a_lock_that_another_process_holds_is_waited_for_only_so_long(ledger: Ledger):
    command = [sys.executable, "-c", HOLD_UNTIL_STDIN_CLOSES, str(ledger.directory)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        with (
            pytest.raises(HarnessError, match=r"has held .*kind\.lock for 0.1 s; see `fuser"),
            ledger.locked("kind", timeout_seconds=0.1),
        ):
            pytest.fail("two processes hold one lock")
        with ledger.locked("another", timeout_seconds=0.1):
            pass

        other.communicate()
    with ledger.locked("kind", timeout_seconds=10):
        pass


def test_a_lock_is_free_again_after_an_error(ledger: Ledger):
    with pytest.raises(KeyError), ledger.locked("kind", timeout_seconds=1):
        raise KeyError

    taken: list[bool] = []

    def take() -> None:
        with ledger.locked("kind", timeout_seconds=5):
            taken.append(True)

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert taken == [True]


@pytest.mark.parametrize("run_id", ["../elsewhere", "/etc", "", "..", "a/b", "a\0b", ".hidden"])
def test_no_run_leads_out_of_the_ledger(tmp_path: Path, run_id: str) -> None:
    """A launch may name any run as its parent."""
    ledger = Ledger(tmp_path / "runs")
    for use in (
        lambda: ledger.read(run_id, "lease", dict),
        lambda: ledger.write(run_id, "lease", {}),
        lambda: ledger.folder(run_id),
        lambda: ledger.forget(run_id, "lease"),
    ):
        with pytest.raises(ConfigurationError, match="the run's id"):
            use()
    assert list(tmp_path.iterdir()) == []
