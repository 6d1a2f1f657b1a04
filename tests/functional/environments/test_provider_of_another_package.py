"""An environment that another package provides, from its settings to the reaper.

The package is installed as pip leaves one: a module, and an entry point beside it. All that is
asked here is asked of real processes, as people do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from floe_tests.config.providers import environment_names
from floe_tests.environments.lease import Lease
from floe_tests.results.history.store import History
from tests.support import box
from tests.support.project import Project

TIER = """\
  name: boxed
  description: a suite with a folder of its own
  environments: [box]
  box:
    shelf: boxes
  suites:
    - name: boxed-suite
      command:
        - env
        - PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
        - pytest
        - suite
        - -q
        - -p
        - no:cacheprovider
        - -p
        - pytest_reportlog.plugin
        - -p
        - floe_tests_pytest
        - --junitxml=/results/junit.xml
        - --report-log=/results/events.jsonl
"""
SUITE = """\
from pathlib import Path

def test_the_run_has_its_box():
    (box,) = (Path({root!r}) / "boxes").iterdir()
    assert box.is_dir()
"""
# It says that it runs, and ends when it is killed.
ENDLESS = """\
import signal
from pathlib import Path

def test_it_runs():
    Path({started!r}).touch()
    signal.pause()
"""
CLI = "from floe_tests.cli.app import app; app()"
SECONDS = 120


@dataclass(frozen=True)
class Machine:
    """A machine with the package, a project of one tier, and what its runs leave.

    Attributes:
        project: The project.
        variables: The environment of all processes.
    """

    project: Project
    variables: dict[str, str]

    @property
    def home(self) -> Path:
        return Path(self.variables["DAGSTER_HOME"])

    @property
    def boxes(self) -> list[Path]:
        shelf = self.project.root / "boxes"
        return list(shelf.iterdir()) if shelf.is_dir() else []

    def suite(self, text: str) -> None:
        self.project.write("suite/test_boxed.py", text)

    def launch(self, environment: str) -> subprocess.Popen[str]:
        """Execute the job with what the launchpad of its first asset chooses."""
        config = {"ops": {"boxed__cluster": {"config": {"environment": environment}}}}
        file = self.project.write(f"{environment}.yaml", json.dumps(config))
        dagster = str(Path(sys.executable).with_name("dagster"))
        module = f"{self.project.package}.definitions"
        return subprocess.Popen(
            [dagster, "job", "execute", "-m", module, "-j", "boxed", "-c", str(file)],
            cwd=self.project.root,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, environment: str) -> tuple[int, str]:
        with self.launch(environment) as process:
            output, _ = process.communicate(timeout=SECONDS)
        return process.returncode, output

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CLI, *words],
            cwd=self.project.root,
            env={**self.variables, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def lease(self) -> Lease:
        """Return the only lease."""
        from floe_tests.core.ledger import Ledger
        from floe_tests.environments.lease import ENTRY

        ledger = Ledger(self.home / "floe-tests" / "runs")
        (run_id,) = ledger.runs(ENTRY)
        found = ledger.read(run_id, ENTRY, Lease)
        assert found is not None
        return found


def install(site: Path, *, entry: str = "box = floe_box:BoxProvider") -> None:
    """Install the package as pip does."""
    site.mkdir()
    (site / "floe_box.py").write_text(Path(box.__file__).read_text())
    info = site / "floe_box-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: floe-box\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[floe_tests.environments]\n{entry}\n")


@pytest.fixture
def machine(project: Project, tmp_path: Path) -> Machine:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLOE_", "GITHUB_", "IMAGE_REGISTRY_PREFIX", "PYTEST_", "KUBE"))
    }
    install(tmp_path / "site")
    home, programs = tmp_path / "home", tmp_path / "bin"
    for folder in (home, programs):
        folder.mkdir()
    boxer = programs / "boxer"
    boxer.write_text("#!/bin/sh\necho boxer 2.1.0\n")
    boxer.chmod(0o755)
    python = Path(sys.executable).parent
    made = Machine(
        project,
        {
            **kept,
            "DAGSTER_HOME": str(home),
            "FLOE_TESTS_OUTPUT": str(tmp_path / "output"),
            "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{project.root}",
            # Without docker and kind: clusters of this machine are somebody else's.
            "PATH": f"{programs}{os.pathsep}{python}{os.pathsep}/usr/bin{os.pathsep}/bin",
        },
    )
    project.tier(TIER, folder="boxed")
    return made


def test_a_tier_runs_in_it_from_the_launchpad_to_the_history(machine: Machine):
    machine.suite(SUITE.format(root=str(machine.project.root)))

    code, output = machine.run("box")

    assert code == 0, output
    assert "VERDICT PASS" in output
    assert machine.boxes == [], "its box is still there"
    lease = machine.lease()
    assert (lease.provider, lease.state) == ("box", "released")
    with History.open(f"sqlite:///{machine.home}/floe_tests.db") as history:
        record = history.run(run_id=lease.run_id)
    assert record is not None
    assert (record.provider, record.cause) == ("box", "PASS")


def test_the_launchpad_refuses_an_environment_that_nobody_provides(machine: Machine):
    machine.suite(SUITE.format(root=str(machine.project.root)))

    code, output = machine.run("crate")

    assert code != 0
    assert "box" in output
    assert machine.boxes == []


def test_the_reaper_removes_what_a_killed_run_has_there(machine: Machine, tmp_path: Path):
    started = tmp_path / "started"
    machine.suite(ENDLESS.format(started=str(started)))
    with machine.launch("box") as process:
        wait_for(started.exists, process)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=SECONDS)
    assert len(machine.boxes) == 1

    listed = machine.cli("reap", "--json")
    done = machine.cli("reap", "--yes")

    assert listed.returncode == 0, listed.stderr
    may_go = json.loads(listed.stdout)["removable"]
    assert {item["what"] for item in may_go} == {"process"}
    assert done.returncode == 0, done.stdout + done.stderr
    assert machine.boxes == [], "the reaper left the box"
    lease = machine.lease()
    assert lease.state == "released"
    with History.open(f"sqlite:///{machine.home}/floe_tests.db") as history:
        record = history.run(run_id=lease.run_id)
    assert record is not None
    assert record.provider == "box"


def test_doctor_looks_at_what_it_needs(machine: Machine):
    machine.suite(SUITE.format(root=str(machine.project.root)))

    answer = machine.cli("doctor", "boxed", "--json")

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert checks(answer.stdout)["boxer"] == ("ok", "2.1.0")


def test_doctor_says_where_a_program_comes_from_that_it_needs(machine: Machine):
    Path(machine.variables["PATH"].split(os.pathsep)[0], "boxer").unlink()

    answer = machine.cli("doctor", "boxed", "--environment", "box", "--json")

    assert answer.returncode == 1
    assert checks(answer.stdout)["boxer"] == ("failed", "not on PATH")
    assert "ask Ann" in answer.stdout


def test_the_command_line_names_it_beside_the_others(machine: Machine):
    answer = machine.cli("run", "boxed", "--environment", "crate")

    assert answer.returncode == 2
    assert f"Choose one of {', '.join((*environment_names(), 'box'))}." in answer.stderr


def test_settings_of_it_are_checked_by_its_own_model(machine: Machine):
    defs = machine.project.root / machine.project.package / "defs" / "boxed" / "defs.yaml"
    defs.write_text(defs.read_text().replace("shelf: boxes", "shelve: boxes"))

    answer = machine.cli("run", "boxed")

    assert answer.returncode == 2
    assert "box.shelve: " in answer.stderr
    assert "Did you mean shelf?" in answer.stderr


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param("box = floe_box:Nothing", "cannot be loaded", id="a class that is not there"),
        pytest.param("box = floe_box:BoxSettings", "is no provider", id="a class of another kind"),
    ],
)
def test_a_package_that_is_broken_is_named(machine: Machine, tmp_path: Path, entry: str, said: str):
    (tmp_path / "site" / "floe_box-1.0.dist-info" / "entry_points.txt").write_text(
        f"[floe_tests.environments]\n{entry}\n"
    )

    answer = machine.cli("run", "boxed")

    assert answer.returncode == 2
    assert said in answer.stderr
    assert "floe_tests.environments" in answer.stderr


def test_a_lease_of_a_package_that_is_gone_is_a_problem_and_not_followed(machine: Machine):
    run_id = str(uuid4())
    folder = machine.home / "floe-tests" / "runs" / run_id
    folder.mkdir(parents=True)
    owner = {"run_id": run_id, "tier": "t", "ref": "", "commit": "", "expires_at": PAST}
    lease = {
        "provider": "gone",
        "owner": owner,
        "namespace": "",
        "keep": "never",
        "release_seconds": 60,
    }
    (folder / "lease.json").write_text(json.dumps(lease))

    answer = machine.cli("reap")

    assert answer.returncode == 1
    assert "'gone' is no environment" in answer.stdout


PAST = "2026-01-01T00:00:00Z"


def checks(text: str) -> dict[str, tuple[str, str]]:
    found: list[dict[str, Any]] = json.loads(text)
    return {one["name"]: (one["state"], one["found"]) for one in found}


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
