"""Which tests of the e2e suite run: its phases wait for `-m`, wherever that comes from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def collected(addopts: str, *words: str) -> set[str]:
    """Return the files that the suite's tests are collected from."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/e2e", "--collect-only", "-q", *words],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": f"-p no:cacheprovider {addopts}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        line.partition("::")[0].removeprefix("tests/e2e/")
        for line in done.stdout.splitlines()
        if "::" in line
    }


@pytest.mark.parametrize(
    "addopts",
    [
        pytest.param("", id="by hand"),
        pytest.param('-m "not after_upgrade and not after_rollback"', id="excluded by the run"),
        pytest.param('-m "not polaris"', id="about something else"),
    ],
)
def test_phases_that_nobody_asks_for_are_left_out(addopts: str) -> None:
    found = collected(addopts)
    assert "test_pipeline.py" in found
    assert not {file for file in found if "after" in file}


@pytest.mark.parametrize(
    ("phase", "its_own"),
    [
        ("after_upgrade", "test_after_upgrade.py"),
        ("after_rollback", "test_after_rollback.py"),
    ],
)
@pytest.mark.parametrize("by_command", [True, False], ids=["by command", "by environment"])
def test_a_phase_that_is_asked_for_runs_alone(
    phase: str, its_own: str, *, by_command: bool
) -> None:
    found = collected("", "-m", phase) if by_command else collected(f"-m {phase}")
    assert found == {"test_after_helm.py", its_own}
