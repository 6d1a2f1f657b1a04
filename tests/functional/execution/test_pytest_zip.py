"""pytest as a run brings it: a bare Python runs tests with it, and writes what is read here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from floe_tests.execution.brought import MOST_BYTES
from floe_tests.execution.pytest_zip import pytest_zip


def test_a_python_without_packages_runs_tests_with_it(tmp_path: Path):
    zipped = tmp_path / "pytest.zip"
    zipped.write_bytes(pytest_zip())
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert [1, 2] == [1, 3]\n")

    done = subprocess.run(
        # -S: without the packages that are installed here.
        [
            sys.executable,
            "-S",
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--junitxml=junit.xml",
            "--report-log=events.jsonl",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(zipped)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert "At index 1 diff: 2 != 3" in done.stdout
    assert 'failures="1"' in (tmp_path / "junit.xml").read_text()
    assert '"outcome": "failed"' in (tmp_path / "events.jsonl").read_text()
    assert len(pytest_zip()) < 0.9 * MOST_BYTES, "the account of the releases is beside it"
