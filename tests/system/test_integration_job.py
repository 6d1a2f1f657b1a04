"""The integration tier as its users run it: in CI, and interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from floe_tests.results.formats import junit
from floe_tests.results.history.store import History

from .conftest import ROOT

JOB = ["-m", "floe_tests.definitions", "-j", "integration"]
OWN_CLUSTER = "floe-tests"


class Project:
    """The project's own command line, with its state and results in a folder of the test."""

    def __init__(self, directory: Path) -> None:
        self.output = directory / "output"
        self.history = f"sqlite:///{directory / 'history.db'}"
        home = directory / "home"
        home.mkdir()
        self.variables = {
            **os.environ,
            "FLOE_TESTS_CLUSTER": "kind",
            "FLOE_TESTS_OUTPUT": str(self.output),
            "FLOE_TESTS_HISTORY": self.history,
            "DAGSTER_HOME": str(home),
        }

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("dagster")), "job", "execute", *JOB],
            cwd=ROOT,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def interrupt_at(self, words: str) -> tuple[int, str]:
        """Run the job, send it SIGINT when its log says some words, and wait for its end."""
        lines: list[str] = []
        sent = False
        with self.start() as process:
            for line in process.stdout or ():
                lines.append(line)
                if words in line and not sent:
                    process.send_signal(signal.SIGINT)
                    sent = True
        assert sent, "".join(lines)
        return process.returncode, "".join(lines)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    assert OWN_CLUSTER not in clusters(), "left over: kind delete cluster --name floe-tests"
    return Project(tmp_path)


def clusters() -> list[str]:
    return subprocess.run(
        ["kind", "get", "clusters"], capture_output=True, text=True, check=True
    ).stdout.split()


def test_the_job_goes_from_nothing_to_a_green_verdict_and_leaves_nothing(project: Project) -> None:
    process = project.start()
    log, _ = process.communicate(timeout=600)

    assert process.returncode == 0, log
    assert "VERDICT PASS" in log
    (run,) = (project.output / "integration" / "runs").iterdir()
    received = junit.read(run / "integration-1" / "results" / "junit.xml")
    exported = junit.read(project.output / "integration" / "junit.xml")
    assert [(case.name, case.outcome) for case in exported] == [
        (case.name, case.outcome) for case in received
    ]
    assert len(exported) >= 15
    with History.open(project.history) as history:
        (remembered,) = history.runs(tier="integration", provider="kind")
    assert remembered.suites[0].tally.tests == len(exported)
    images = str(remembered.platform)
    assert f"{os.environ.get('IMAGE_REGISTRY_PREFIX', '')}ghcr.io/floe/platform" in images
    assert OWN_CLUSTER not in clusters()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("Preparing nodes", id="while the cluster is being created"),
        pytest.param("tests collected", id="while the tests run", marks=pytest.mark.thorough),
    ],
)
def test_an_interrupted_job_is_cancelled_and_leaves_nothing(project: Project, words: str) -> None:
    exit_code, log = project.interrupt_at(words)

    assert exit_code != 0
    assert "VERDICT CANCELLED" in log, log
    with History.open(project.history) as history:
        (remembered,) = [
            run
            for provider in ("kind", "none")
            for run in history.runs(tier="integration", provider=provider)
        ]
    assert (remembered.cause, remembered.outcome) == ("CANCELLED", "cancelled")
    assert "interrupted" in remembered.summary
    assert OWN_CLUSTER not in clusters()
