"""What the plugin writes, beside other plugins and in the conditions of a pod."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.results.collate import collate

if TYPE_CHECKING:
    from .conftest import Session

SUITE = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_a(number): pass

def test_slow(): pass
"""

# What pytest-randomly does to the order.
SHUFFLING = """
import random

def pytest_collection_modifyitems(items):
    random.Random(7).shuffle(items)
"""

WAVERING = """
import pathlib

def test_wavers():
    path = pathlib.Path(__file__).with_name("tried")
    first = not path.exists()
    path.write_text("")
    assert not first

def test_b(): pass
"""


def counts(folder: Path) -> dict[str, int | None]:
    return json.loads((folder / "results" / "collection.json").read_text())


def test_a_session_says_how_many_tests_it_is_about_to_run(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(SUITE)

    done = session("-k", "not slow")

    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(tmp_path) == {"collected": 6, "deselected": 1, "sessions": 1}
    mode = stat.S_IMODE((tmp_path / "results" / "collection.json").stat().st_mode)
    assert mode & 0o044 == 0o044, "the exporter may run as another user"
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == [".collection.jsonl", "collection.json"]


@pytest.mark.parametrize("workers", ["2", "0"])
def test_with_xdist_the_controller_counts(tmp_path: Path, session: Session, workers: str):
    (tmp_path / "suite" / "test_x.py").write_text(SUITE)

    junit = f"--junitxml={tmp_path}/results/junit.xml"
    done = session("-p", "xdist.plugin", "-n", workers, "-k", "not slow", junit)

    assert done.returncode == 0, done.stdout + done.stderr
    found = collate(tmp_path / "results")
    assert (found.collected, found.reported) == (6, 6)


def test_a_shard_may_use_xdist_and_be_empty(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(SUITE)
    words = ["-p", "xdist.plugin", "-n", "1", f"--junitxml={tmp_path}/results/junit.xml"]

    shards = {"FLOE_SHARD_INDEX": "1", "FLOE_SHARD_COUNT": "2"}
    half = session(*words, **shards)
    account = json.loads((tmp_path / "results" / "shard.json").read_text())
    found = collate(tmp_path / "results")

    assert half.returncode == 0, half.stdout + half.stderr
    assert 0 < len(account["selected"]) < account["all"] == 7
    assert found.collected == found.reported == len(account["selected"])
    empty = session(*words, "-k", "slow", FLOE_SHARD_INDEX="399", FLOE_SHARD_COUNT="400")
    assert empty.returncode == 0, empty.stdout + empty.stderr


def test_a_test_that_is_run_again_is_counted_once(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(WAVERING)

    junit = f"--junitxml={tmp_path}/results/junit.xml"
    done = session("-p", "pytest_rerunfailures", "--reruns", "2", junit)

    assert done.returncode == 0, done.stdout + done.stderr
    found = collate(tmp_path / "results")
    assert (found.collected, found.reported) == (2, 2)


def test_another_order_changes_no_count(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(SUITE)
    (tmp_path / "suite" / "conftest.py").write_text(SHUFFLING)

    assert session().returncode == 0
    assert counts(tmp_path)["collected"] == 7


def test_a_pytest_that_a_test_starts_leaves_the_count_alone(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(
        "import pathlib, subprocess, sys, pytest\n"
        "def inner(folder):\n"
        "    (folder / 'test_inner.py').write_text('def test_inner(): pass')\n"
        "    return ['-q', '-p', 'no:cacheprovider', str(folder)]\n"
        "def test_by_process(tmp_path):\n"
        "    subprocess.run([sys.executable, '-m', 'pytest', *inner(tmp_path)], check=True)\n"
        "def test_here(tmp_path):\n"
        "    assert pytest.main(inner(tmp_path)) == 0\n"
    )

    done = session(FLOE_SHARD_INDEX="0", FLOE_SHARD_COUNT="1")

    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(tmp_path)["collected"] == 2
    assert json.loads((tmp_path / "results" / "shard.json").read_text())["all"] == 2


def test_outside_of_a_run_nothing_is_written(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(SUITE)

    done = session(FLOE_RESULTS_DIR="", FLOE_TESTS_TIMEOUT_SECONDS="100")

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*") if "__pycache__" not in str(path)) == [
        "suite",
        "test_x.py",
    ]


def test_looking_at_a_collection_is_no_session_with_results(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(SUITE)

    assert session("--collect-only").returncode == 0
    assert session("--fixtures").returncode == 0
    assert not (tmp_path / "results").exists()
    assert session("--markers").returncode == 0
    assert list((tmp_path / "results").iterdir()) == []


def test_a_results_folder_that_cannot_be_written_is_named(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(SUITE)
    (tmp_path / "a-file").write_text("")

    done = session(FLOE_RESULTS_DIR=f"{tmp_path}/a-file")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"FLOE_RESULTS_DIR={tmp_path}/a-file" in done.stderr


def test_a_session_that_is_told_to_end_reports_what_has_run(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text(
        "import os, signal, time\n"
        "def test_before(): pass\n"
        "def test_told():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(30)\n"
        "def test_after(): pass\n"
    )

    done = session(f"--junitxml={tmp_path}/results/junit.xml")

    assert done.returncode == 128 + signal.SIGTERM, done.stdout + done.stderr
    found = collate(tmp_path / "results")
    assert found.collected == 3
    assert "test_x::test_before" in {case.name for case in found.cases}


def test_a_session_that_hangs_ends_in_time_and_says_where(tmp_path: Path, session: Session):
    (tmp_path / "suite" / "test_x.py").write_text("import time\ndef test_hangs(): time.sleep(30)\n")

    began = time.monotonic()
    done = session(FLOE_TESTS_TIMEOUT_SECONDS="0.5")

    assert done.returncode == 1
    assert time.monotonic() - began < 20
    assert "test_hangs" in (tmp_path / "results" / "timeout-stacks.txt").read_text()


def test_it_is_loaded_by_its_entry_point_and_beside_itself(tmp_path: Path):
    """An image may name the plugin and have its wheel."""
    (tmp_path / "test_x.py").write_text(SUITE)
    (entry,) = (
        each
        for each in importlib.metadata.entry_points(group="pytest11")
        if each.value == "floe_tests_pytest"
    )

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", entry.name],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "FLOE_RESULTS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "collection.json").read_text())["collected"] == 7
