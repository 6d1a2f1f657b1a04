"""Sessions of the real pytest with the real plugin, as a pod has them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Session = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Run pytest in `tmp_path/suite`; its results go to `tmp_path/results`."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
            cwd=tmp_path / "suite",
            env={
                "PATH": os.environ["PATH"],
                "FLOE_RESULTS_DIR": str(tmp_path / "results"),
                # Loading every plugin of this environment takes longer than the tests.
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_PLUGINS": "floe_tests_pytest",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    (tmp_path / "suite").mkdir()
    return run
