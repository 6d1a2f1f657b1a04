"""What every suite shares: the count of collected tests, and what each needs around it.

A results file says which tests reported. Only the collection says how many should have, so a
reader can tell a complete run from one that was cut off.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_POD_RESULTS = Path("/results")
_deselected = pytest.StashKey[int]()

# Suites import what they share by its own name, `platform_suite`. Whether pytest adds this folder
# to the path hangs on its import mode, which differs between the project and the image.
_SUITES = str(Path(__file__).parent)
if _SUITES not in sys.path:
    sys.path.append(_SUITES)
pytest.register_assert_rewrite("platform_suite")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker here: a test image carries no project configuration."""
    config.addinivalue_line(
        "markers",
        "kubernetes: needs a pod in a Kubernetes cluster; skipped with the reason elsewhere",
    )
    config.stash[_deselected] = 0
    _end_in_time(config)
    _end_when_told(config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a pod where there is none, and say so."""
    if item.get_closest_marker("kubernetes") is None:
        return
    provider = os.environ.get("FLOE_TESTS_PROVIDER")
    if provider == "local":
        pytest.skip("needs a pod in a Kubernetes cluster; FLOE_TESTS_PROVIDER is local")
    # By hand, without the orchestrator's word for it: the kubelet sets this in every container.
    if provider is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        pytest.skip("needs a pod in a Kubernetes cluster; this process runs outside of one")


def _end_in_time(config: pytest.Config) -> None:
    """End the session at FLOE_TESTS_TIMEOUT_SECONDS, with every thread's stack beside the results.

    The pod's own deadline comes later and says only that time was over, not which line hung.
    """
    seconds = os.environ.get("FLOE_TESTS_TIMEOUT_SECONDS")
    directory = _results_directory(config)
    if not seconds or directory is None or hasattr(config, "workerinput"):
        return
    path = directory / "timeout-stacks.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Open for the whole session: a thread of faulthandler's own writes the stacks.
    stacks = path.open("w")

    def in_time() -> None:
        faulthandler.cancel_dump_traceback_later()
        stacks.close()
        path.unlink(missing_ok=True)

    config.add_cleanup(in_time)
    faulthandler.dump_traceback_later(float(seconds), exit=True, file=stacks)


def _end_when_told(config: pytest.Config) -> None:
    """End the session on SIGTERM with what it has: process 1 of a container would ignore it."""
    if _results_directory(config) is None or hasattr(config, "workerinput"):
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        # Once: a second signal must not interrupt the reports that the first one asks for.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pytest.exit("stopped by SIGTERM", returncode=128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    config.add_cleanup(lambda: signal.signal(signal.SIGTERM, before) and None)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what `-k`, `-m` or a shard took out of this run."""
    if items:
        items[0].config.stash[_deselected] += len(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write collection.json: how many tests this session is about to run."""
    directory = _results_directory(session.config)
    if directory is None:
        return
    counts = {
        "collected": len(session.items),
        "deselected": session.config.stash[_deselected],
    }
    _write_atomically(directory / "collection.json", json.dumps(counts) + "\n")


def _results_directory(config: pytest.Config) -> Path | None:
    """Where this session's results go, or None when it leaves none.

    FLOE_RESULTS_DIR when it is set. Otherwise /results, provided that it is there, can be written
    to, and the session writes a report at all: a plain `pytest` on a laptop leaves nothing.
    """
    if config.getoption("collectonly"):
        return None
    named = os.environ.get("FLOE_RESULTS_DIR")
    if named:
        return Path(named)
    reports = config.getoption("xmlpath", None) or config.getoption("report_log", None)
    writable = _POD_RESULTS.is_dir() and os.access(_POD_RESULTS, os.W_OK)
    return _POD_RESULTS if reports and writable else None


def _write_atomically(path: Path, text: str) -> None:
    """Write through a file beside it: who follows the directory never reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # mkstemp makes it private; the exporter may run as another user.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
