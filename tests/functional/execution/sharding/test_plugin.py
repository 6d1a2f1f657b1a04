"""The shards of the plugin in the test image, in pytest sessions as pods have them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from floe_tests.execution.sharding.account import read_account
from floe_tests.execution.sharding.plan import balanced
from floe_tests.execution.sharding.plan import test_key as key_of
from floe_tests.results.collate import collate

SUITE = """
import pytest

@pytest.mark.parametrize("number", range(20))
def test_a(number): pass

@pytest.mark.slow
def test_slow(): pass
"""
NAMES = [f"test_suite::test_a[{n}]" for n in range(20)]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    (tmp_path / "plan").write_bytes(balanced(dict.fromkeys(NAMES, 1.0), count=3).encoded())
    return tmp_path


def run(suite: Path, shard: int, *words: str, count: int = 3, **environment: str) -> Any:
    results = suite / f"results-{shard}"
    results.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_suite.py"),
            f"--junitxml={results}/junit.xml",
            f"--report-log={results}/events.jsonl",
            *words,
        ],
        cwd=suite,
        env={
            "PATH": os.environ["PATH"],
            "FLOE_RESULTS_DIR": str(results),
            "FLOE_SHARD_INDEX": str(shard),
            "FLOE_SHARD_COUNT": str(count),
            "FLOE_SHARD_PLAN": str(suite / "plan"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done, results


def test_three_shards_run_every_test_once(suite: Path):
    names: list[str] = []
    sizes: list[int] = []
    for shard in range(3):
        done, results = run(suite, shard, "-m", "not slow")
        assert done.returncode == 0, done.stdout + done.stderr
        found, account = collate(results), read_account(results)
        assert account is not None
        assert (account.all_tests, account.count) == (20, 3)
        assert found.collected == len(account.selected) == found.reported
        assert found.deselected == 21 - len(account.selected), "and the slow one"
        assert set(account.selected) == {key_of(case.name) for case in found.cases}
        names += [case.name for case in found.cases]
        sizes.append(found.reported)
    assert sorted(names) == sorted(NAMES)
    assert sorted(sizes) == [6, 7, 7]


def test_more_shards_than_tests_is_no_error(suite: Path):
    done, results = run(suite, 2, "-k", "test_slow", FLOE_SHARD_PLAN="", count=400)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((results / "shard.json").read_text())["selected"] == []
    assert (collate(results).collected, collate(results).reported) == (0, 0)


def test_a_suite_without_tests_stays_an_error(suite: Path):
    done, _ = run(suite, 0, "-k", "no_such_test")

    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_without_a_shard_the_plugin_does_nothing(suite: Path):
    environment = {"FLOE_SHARD_PLAN": str(suite / "no-such-file")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py"],
        cwd=suite,
        env={
            "PATH": os.environ["PATH"],
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert "21 passed" in done.stdout


def test_a_shard_outside_of_its_number_is_refused(suite: Path):
    done, _ = run(suite, 3)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "FLOE_SHARD_INDEX 3 is not below FLOE_SHARD_COUNT 3" in done.stderr
