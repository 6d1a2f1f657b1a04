"""What a suite on this machine sees of it, and leaves on it. Each suite here really runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Suites

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA-not-to-be-seen",
    "AWS_SECRET_ACCESS_KEY": "aws-not-to-be-seen",
    "GITHUB_TOKEN": "token-not-to-be-seen",
    "DATABASE_URL": "postgres://ada:db-not-to-be-seen@db/live",
    "HTTPS_PROXY": "http://ada:proxy-not-to-be-seen@proxy:3128",
}
PYTEST = [
    *("pytest", "test_it.py", "-q", "-p", "no:cacheprovider"),
    *("--junitxml=/results/junit.xml", "--report-log=/results/events.jsonl"),
]


def write(suites: Suites, tests: str) -> list[str]:
    (suites.root / "test_it.py").write_text(tests)
    (suites.root / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    return PYTEST


def everything_said(folder: Path) -> str:
    """Read all that a run has left for others."""
    return "\n".join(
        path.read_bytes().decode(errors="replace") for path in folder.rglob("*") if path.is_file()
    )


def test_a_suite_that_prints_its_environment_shows_no_secret(
    suites: Suites, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report goes to people who were never given the developer's credentials."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LANG", "C.UTF-8")

    published = suites.run_command(
        write(
            suites,
            "import os\n"
            "def test_it(record_property):\n"
            "    record_property('environment', dict(os.environ))\n"
            "    print(dict(os.environ))\n"
            "    assert os.environ['LANG'] == 'C.UTF-8', dict(os.environ)\n"
            "    assert 'HOME' in os.environ and not dict(os.environ)\n",
        )
    )

    assert published.verdict.cause == "TEST_FAILURE"
    said = everything_said(suites.output) + "\n".join(suites.log)
    assert "FLOE_RUN_ID" in said
    assert "not-to-be-seen" not in said


def test_a_tier_names_the_variables_that_its_suite_needs(
    suites: Suites, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    command = write(
        suites,
        "import os\n"
        "def test_it():\n"
        f"    assert os.environ['DATABASE_URL'] == {SECRETS['DATABASE_URL']!r}\n"
        "    assert 'GITHUB_TOKEN' not in os.environ\n",
    )

    suite = {"name": "suite", "command": command, "pass_environment": ["DATABASE_URL", "ABSENT"]}
    published = suites.run_command(command, suites=[suite])

    assert published.verdict.cause == "PASS"
    said = "\n".join(suites.log)
    assert "pass_environment names ABSENT: not set here" in said
    assert "not-to-be-seen" not in said


def test_options_in_the_developers_shell_change_no_test(
    suites: Suites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k one --junit-prefix=mine --maxfail=1")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    command = write(suites, "def test_one(): pass\ndef test_two(): pass\n")

    published = suites.run_command(command)

    assert published.verdict.cause == "PASS"
    assert published.suites[0].results.tally.passed == 2
    assert "PYTEST_ADDOPTS of this shell is not passed on" in "\n".join(suites.log)


def test_a_daemon_that_keeps_the_output_open_neither_hangs_the_run_nor_outlives_it(
    suites: Suites,
) -> None:
    tests = f"""
import subprocess
from pathlib import Path
def test_it():
    started = subprocess.Popen([{sys.executable!r}, "-c", "import time; time.sleep(300)"],
                               start_new_session=True)
    Path({str(suites.root / "daemon")!r}).write_text(str(started.pid))
"""

    published = suites.run_command(write(suites, tests))

    assert published.verdict.cause == "PASS"
    assert published.seconds < 60
    process_id = int((suites.root / "daemon").read_text())
    assert not psutil.pid_exists(process_id) or (
        psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE
    )


def test_a_signal_that_ends_the_tests_stands_in_the_facts_as_in_a_pod(suites: Suites) -> None:
    published = suites.run_command(
        write(
            suites,
            "import os, signal\n"
            "def test_before(): pass\n"
            "def test_dies(): os.kill(os.getpid(), signal.SIGSEGV)\n",
        )
    )

    attempt = published.suites[0].attempts[-1]
    assert attempt.facts.pod is not None
    assert attempt.facts.pod.test is not None
    assert attempt.facts.pod.test.exit_code == 139
    assert published.verdict.cause != "PASS"
