"""The files of an embedded platform: its DAGSTER_HOME, its folders, an empty history."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import yaml

from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.platform.embedded_health import (
    HOST,
    JsonObject,
)
from floe_tests.platform.embedded_processes import (
    MARKER,
)

CODE_LOCATION = "floe"
# What of this process's environment a platform needs; the rest could change what it does.
_INHERITED = (
    *("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_FILE", "TMPDIR", "TZ"),
    program.RUN_VARIABLE,  # of an outer run, whose test started this platform
)


def lay_out(directory: Path, *, code_root: Path, code_port: int) -> dict[str, str]:
    """Write what a platform starts with, and return the environment of its processes."""
    home = directory / "home"
    for folder in (home, directory / "data", directory / "logs", directory / "scratch"):
        folder.mkdir(parents=True, exist_ok=True)
    server = {"host": HOST, "port": code_port, "location_name": CODE_LOCATION}
    workspace = {"load_from": [{"grpc_server": server}]}
    (home / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    (home / "dagster.yaml").write_text(yaml.safe_dump(_instance_settings(directory)))
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **program.run_variable(),
        MARKER: str(directory),
        "DAGSTER_HOME": str(home),
        "FLOE_DATA_DIR": str(directory / "data"),
        "PYTHONPATH": str(code_root),
        "PYTHONUNBUFFERED": "1",
    }


def _instance_settings(directory: Path) -> JsonObject:
    """The same as the chart's minimal form, so that `local` and a cluster behave alike."""
    return {
        "storage": {"sqlite": {"base_dir": str(directory / "home")}},
        "run_launcher": {
            "module": "floe_platform.run_launcher",
            "class": "SupervisedRunLauncher",
        },
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1},
        },
        # DuckDB has one writer at a time.
        "concurrency": {"runs": {"max_concurrent_runs": 1}},
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 10,
            "start_timeout_seconds": 120,
            "cancel_timeout_seconds": 60,
            "max_runtime_seconds": 3600,
        },
        "local_artifact_storage": {
            "module": "dagster.core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(directory / "scratch")},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def prepare_history(directory: Path, *, environment: dict[str, str], deadline: Deadline) -> None:
    """Make the SQLite files of a new history, alone.

    Two of Dagster's processes that make them at the same time end with "table already exists".
    """
    if (directory / "home" / "history").exists():
        return
    # Out of time or failed: the processes that come next say so, each with its own log.
    with (
        contextlib.suppress(subprocess.TimeoutExpired),
        (directory / "logs" / "history.log").open("ab") as output,
    ):
        subprocess.run(
            [sys.executable, "-m", "dagster", "instance", "migrate"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=deadline.remaining_seconds,
            check=False,
        )
