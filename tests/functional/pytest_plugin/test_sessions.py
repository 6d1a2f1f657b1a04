"""Several pytest sessions in one pod: no test of any is forgotten, and none is counted twice."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.results.collate import collate

if TYPE_CHECKING:
    from .conftest import Session

TWO = "def test_1(): pass\n\ndef test_2(): pass\n"
DYING = "import os\n\ndef test_1(): os._exit(0)\n\ndef test_2(): pass\n"


def report(folder: Path, name: str) -> str:
    return f"--junitxml={folder}/results/{name}.xml"


def told(folder: Path) -> dict[str, int | None]:
    return json.loads((folder / "results" / "collection.json").read_text())


def counted(folder: Path) -> tuple[int | None, int]:
    found = collate(folder / "results")
    return found.collected, found.reported


@pytest.mark.parametrize(
    ("first", "second", "at_once", "reported"),
    [(TWO, TWO, False, 4), (DYING, TWO, False, 2), (TWO, DYING, True, 2)],
)
def test_two_sessions_are_about_to_run_the_tests_of_both(
    tmp_path: Path, session: Session, first: str, second: str, reported: int, *, at_once: bool
):
    """Whichever writes its count last, and whichever ends without a report."""
    (tmp_path / "suite" / "test_a.py").write_text(first)
    (tmp_path / "suite" / "test_b.py").write_text(second)

    with ThreadPoolExecutor(2 if at_once else 1) as sessions:
        list(sessions.map(lambda n: session(f"test_{n}.py", report(tmp_path, n)), "ab"))

    assert counted(tmp_path) == (4, reported)
    assert told(tmp_path) == {"collected": 4, "deselected": 0, "sessions": 2}


def test_tries_that_report_to_one_file_are_of_the_same_tests(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_a.py").write_text("def test_1(): assert 0\n\ndef test_2(): pass\n")

    for words in ((), ("--lf",), ("-k", "test_1")):
        session("-p", "cacheprovider", *words, report(tmp_path, "junit"))

    assert told(tmp_path) == {"collected": 2, "deselected": 0, "sessions": 3}


def test_a_session_that_ends_while_it_collects_is_missed(tmp_path: Path, session: Session):
    """Unless another try of the same tests comes so far."""
    (tmp_path / "suite" / "test_a.py").write_text(TWO)
    (tmp_path / "suite" / "test_b.py").write_text("import os\n\nos._exit(0)\n")

    session("test_a.py", report(tmp_path, "a"))
    session("test_b.py", report(tmp_path, "b"))

    told_so = "1 pytest session ended before it had collected any test"
    assert collate(tmp_path / "results").contradictions == (told_so,)
    (tmp_path / "suite" / "test_b.py").write_text(TWO)
    session("test_b.py", report(tmp_path, "b"))
    assert collate(tmp_path / "results").contradictions == ()
    assert counted(tmp_path) == (4, 4)


def test_what_one_session_leaves_out_and_no_other_runs_is_deselected(
    tmp_path: Path, session: Session
):
    (tmp_path / "suite" / "test_a.py").write_text(TWO + "\ndef test_3(): pass\n")

    session("-k", "test_1", report(tmp_path, "fast"))
    session("-k", "test_2", report(tmp_path, "slow"))

    assert told(tmp_path) == {"collected": 2, "deselected": 1, "sessions": 2}


def test_tests_of_one_name_count_by_report_and_by_folder(tmp_path: Path, session: Session):
    """One suite by two Pythons; two projects with tests of the same names."""
    for folder in ("suite/a", "suite/b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_x.py").write_text(TWO)

    session("--rootdir=a", "a", report(tmp_path, "a-1"))
    session("--rootdir=a", "a", report(tmp_path, "a-2"))
    session("--rootdir=b", "b", report(tmp_path, "b"))

    assert counted(tmp_path) == (6, 6)


def test_with_xdist_the_controllers_counts_are_added_up(tmp_path: Path, session: Session):
    for name in "ab":
        (tmp_path / "suite" / f"test_{name}.py").write_text(TWO)
        session("-p", "xdist.plugin", "-n", "1", f"test_{name}.py", report(tmp_path, name))

    assert counted(tmp_path) == (4, 4)
    assert told(tmp_path) == {"collected": 4, "deselected": None, "sessions": 2}


def test_a_session_that_was_cut_off_while_it_wrote_costs_no_other(tmp_path: Path, session: Session):
    for name in "abc":
        (tmp_path / "suite" / f"test_{name}.py").write_text(TWO)
    session("test_a.py", report(tmp_path, "a"))
    with (tmp_path / "results" / ".collection.jsonl").open("a") as file:
        file.write('["b","b.xml",["0123')

    session("test_c.py", report(tmp_path, "c"))

    assert counted(tmp_path) == (4, 4)


def test_where_sessions_cannot_be_kept_each_counts_for_itself(tmp_path: Path, session: Session):
    (tmp_path / "results" / ".collection.jsonl").mkdir(parents=True)
    (tmp_path / "suite" / "test_a.py").write_text(TWO)

    assert session(report(tmp_path, "junit")).returncode == 0

    assert told(tmp_path) == {"collected": 2, "deselected": 0}
