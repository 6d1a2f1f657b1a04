"""The proof of staging's verdicts, at an orchestrator whose answers a test has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
REPOSITORY = {
    "name": "__repository__",
    "location": {"name": "floe-tests"},
    "jobs": [{"name": "staging_soak"}, {"name": "staging_benchmark"}],
}


class Dagster:
    """Runs that end at once, with the causes that a test wants, in order."""

    def __init__(self, causes: list[str]) -> None:
        self.causes = causes
        self.launched: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "repositoriesOrError" in query:
            return {"repositoriesOrError": {"__typename": "X", "nodes": [REPOSITORY]}}
        if "launchRun" in query:
            self.launched.append(variables["params"])
            run = {"runId": f"run-{len(self.launched)}"}
            return {"launchRun": {"__typename": "LaunchRunSuccess", "run": run}}
        return {"runOrError": self._run(variables["id"])}

    def _run(self, run_id: str) -> dict[str, Any]:
        number = int(run_id.removeprefix("run-"))
        if number > len(self.causes):
            return {"__typename": "RunNotFoundError"}
        cause = self.causes[number - 1]
        entry = {"label": "verdict", "text": f"{cause}: so it was"}
        return {
            "__typename": "Run",
            "status": "SUCCESS" if cause == "PASS" else "FAILURE",
            "startTime": 100.0,
            "endTime": 190.0,
            "tags": [{"key": "floe-tests/cause", "value": cause}],
            "assetMaterializations": [
                {"assetKey": {"path": ["staging_soak", "results"]}, "metadataEntries": [entry]}
            ],
        }


@pytest.fixture
def dagster() -> Iterator[Dagster]:
    state = Dagster([])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"data": state.answer(asked["query"], asked["variables"])}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield state
        server.shutdown()


def prove(
    dagster: Dagster, folder: Path, *words: str, path: str = ""
) -> subprocess.CompletedProcess[str]:
    state = folder / "state.jsonl"
    program = [sys.executable, str(ROOT / "benchmarks" / "staging_proof.py")]
    return subprocess.run(
        [*program, *words, "--url", dagster.url, "--state", str(state)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]},
    )


def test_healthy_soak_that_passes_is_a_row_and_exit_code_0(
    dagster: Dagster, tmp_path: Path
) -> None:
    dagster.causes = ["PASS"]
    done = prove(dagster, tmp_path, "healthy", "--minutes", "10")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "| healthy 1 | PASS | PASS | none | 90 | run-1 | PASS: so it was |" in done.stdout
    (params,) = dagster.launched
    assert params["selector"]["jobName"] == "staging_soak"
    config = params["runConfigData"]["ops"]["staging_soak__cluster"]["config"]
    assert config["variables"]["FLOE_SOAK_MINUTES"] == "10"


def test_false_alarms_are_counted_and_what_has_ended_is_not_run_again(
    dagster: Dagster, tmp_path: Path
) -> None:
    dagster.causes = ["PASS", "PASS", "REGRESSION", "PASS"]
    first = prove(dagster, tmp_path, "equal", "--comparisons", "2")
    again = prove(dagster, tmp_path, "equal", "--comparisons", "3")

    assert first.returncode == again.returncode == 1, "a false alarm is nothing to pass with"
    assert "false alarms: 1 of 2 comparisons" in first.stdout
    assert "false alarms: 1 of 3 comparisons" in again.stdout
    assert len(dagster.launched) == 4


def test_run_that_was_under_way_is_waited_for_and_not_launched_again(
    dagster: Dagster, tmp_path: Path
) -> None:
    dagster.causes = ["REGRESSION"]
    dagster.launched.append({})
    line = {"proof": "slowed", "run_id": "run-1", "size": "a=1.2", "expected": "REGRESSION"}
    (tmp_path / "state.jsonl").write_text(json.dumps(line) + "\n")

    done = prove(dagster, tmp_path, "slowed")

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(dagster.launched) == 1


def test_leak_begins_in_a_container_of_the_platform_and_is_ended(
    dagster: Dagster, tmp_path: Path
) -> None:
    dagster.causes = ["SOAK_DRIFT"]
    calls = tmp_path / "calls"
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\ncase "$*" in *get*) echo pod/webserver-1;; esac\n'
    )
    kubectl.chmod(0o755)

    done = prove(dagster, tmp_path, "leak", path=str(kubectl.parent))

    assert done.returncode == 0, done.stdout + done.stderr
    said = calls.read_text()
    assert "--selector app.kubernetes.io/component=webserver" in said
    assert said.count("exec pod/webserver-1") == 3, "ended before, begun, ended after"
    assert said.count("os.kill") == 2
    assert "25 MiB/min in webserver" in done.stdout
