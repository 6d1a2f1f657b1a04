"""The run launcher asks a real code server about runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from floe_platform.run_launcher import SupervisedRunLauncher

IMAGE = Path(__file__).parents[4] / "images" / "platform"


@pytest.fixture(scope="module")
def code_server() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [
        *(sys.executable, "-m", "dagster", "api", "grpc", "--host", "127.0.0.1"),
        *("--port", str(port), "--module-name", "floe_platform.definitions"),
    ]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(IMAGE)}
    with subprocess.Popen(command, env=environment) as process:
        client = DagsterGrpcClient(host="127.0.0.1", port=port)
        deadline = monotonic() + 90
        while client.health_check_query() != "SERVING":
            assert process.poll() is None, "the code server ended"
            assert monotonic() < deadline, "the code server does not answer"
        yield port
        # Not asked: where SIGINT is ignored, as in a shell's background, Dagster ignores SIGTERM.
        process.kill()


def run_at(port: int) -> dg.DagsterRun:
    address = json.dumps({"host": "127.0.0.1", "port": port})
    return dg.DagsterRun(job_name="orders_pipeline", tags={GRPC_INFO_TAG: address})


def test_a_run_that_the_server_does_not_know_is_lost(code_server: int) -> None:
    """Its pod was replaced; waiting would keep every other run in the queue."""
    result = SupervisedRunLauncher().check_run_worker_health(run_at(code_server))

    assert result.status is WorkerStatus.FAILED
    assert "does not execute this run" in str(result.msg)


def test_a_server_that_does_not_answer_says_nothing_about_its_runs() -> None:
    """A busy server must not have its runs failed under it."""
    result = SupervisedRunLauncher().check_run_worker_health(run_at(1))

    assert result.status is WorkerStatus.RUNNING


def test_a_run_without_an_address_has_only_just_been_launched() -> None:
    run = dg.DagsterRun(job_name="orders_pipeline")

    assert SupervisedRunLauncher().check_run_worker_health(run).status is WorkerStatus.RUNNING
