"""The exporter as a run brings it to a stock image: it starts from the files of the ConfigMap."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from floe_tests.execution.brought import exporter_program


def test_it_sends_results_from_where_it_is_mounted(tmp_path: Path):
    for path, content in exporter_program().files.items():
        file = tmp_path / "app" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    results = tmp_path / "results"
    results.mkdir()
    (results / "junit.xml").write_text("<testsuite/>")
    process = subprocess.Popen(
        [sys.executable, "-Iu", str(tmp_path / "app")],
        env={"FLOE_RESULTS_DIR": str(results), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        assert "hello" in process.stdout.readline(), "its first frame"
        process.terminate()
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()

    assert "junit.xml" in output
    assert "manifest" in output.splitlines()[-1]
