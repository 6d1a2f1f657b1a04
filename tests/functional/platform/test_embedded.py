"""The embedded platform, for real: Dagster's processes on this machine.

What runs on it is the integration suite's business; here it is started, watched and stopped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from floe_tests.core import program
from floe_tests.core.errors import PlatformError
from floe_tests.platform import embedded
from floe_tests.platform.embedded import EmbeddedPlatform
from floe_tests.platform.embedded_health import problems_of_platform
from floe_tests.platform.embedded_processes import members

ROOT = Path(__file__).parents[3]
CODE = ROOT / "images" / "platform"

pytest.importorskip("duckdb", reason="the embedded platform needs the extra `local`")

STOP = """
import json, pathlib, sys
from floe_tests.platform import embedded

record = json.loads(sys.argv[1])
record["directory"] = pathlib.Path(record["directory"])
embedded.stop(embedded.EmbeddedPlatform(**record), deadline_seconds=20)
"""


def test_a_platform_is_watched_and_stopped_from_its_record_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orchestrator may be killed; `floe-tests reap` is a new process that has the record."""
    monkeypatch.setenv("DAGSTER_HOME", "/of/the/orchestrator")
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "not for the platform")
    monkeypatch.setenv(program.RUN_VARIABLE, "of an outer run")
    lines: list[str] = []
    with program.started_for("run-1"):
        platform = embedded.start(tmp_path, code_root=CODE, deadline_seconds=120, log=lines.append)
    try:
        assert list(problems_of_platform(platform.port)) == []
        assert embedded.is_alive(platform)
        for process_id in platform.process_ids:
            environment = psutil.Process(process_id).environ()
            assert environment["DAGSTER_HOME"] == str(tmp_path / "home")
            assert "DAGSTER_PG_PASSWORD" not in environment
            assert environment[program.RUN_VARIABLE] == "run-1", "a reaper goes by this"

        daemon = psutil.Process(platform.process_ids[-1])
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait(timeout=10)
        assert not embedded.is_alive(platform), "a platform without its daemon runs nothing"

        record = json.dumps(asdict(platform), default=str)
        subprocess.run([sys.executable, "-c", STOP, record], check=True, cwd=ROOT, timeout=60)
    finally:
        remaining = members(platform.directory)
        embedded.stop(platform, deadline_seconds=20)  # and once more does no harm

    assert remaining == []
    assert lines[-1].startswith(f"embedded platform: works on http://127.0.0.1:{platform.port}")


def test_a_process_id_that_belongs_to_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1
    ) as other:
        recycled = EmbeddedPlatform(
            host="127.0.0.1", port=1, directory=tmp_path, process_ids=(other.pid,)
        )

        assert not embedded.is_alive(recycled)
        embedded.stop(recycled, deadline_seconds=1)

        assert other.poll() is None


def test_a_broken_code_location_is_named_with_its_log(tmp_path: Path) -> None:
    package = tmp_path / "code" / "floe_platform"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "definitions.py").write_text("import no_such_module\n")

    with pytest.raises(PlatformError, match="no_such_module") as caught:
        embedded.start(
            tmp_path / "run",
            code_root=tmp_path / "code",
            deadline_seconds=120,
            log=lambda _: None,
        )

    assert "the embedded code ended with exit code 1" in str(caught.value)
    assert members(tmp_path / "run") == []


def test_a_deadline_that_is_too_short_says_what_was_waited_for(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"within 0\.2 s; waiting for 'webserver answers'"):
        embedded.start(tmp_path, code_root=CODE, deadline_seconds=0.2, log=lambda _: None)

    assert members(tmp_path) == []


def test_a_folder_without_the_code_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="holds no package floe_platform"):
        embedded.start(tmp_path / "run", code_root=tmp_path, deadline_seconds=5, log=lambda _: None)

    assert not (tmp_path / "run").exists()
