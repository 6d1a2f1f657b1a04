"""The whole, as `floe-tests doctor` and as a call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from floe_tests.config.project import Workspace
from floe_tests.core import labels
from floe_tests.core.process_identity import Holder
from floe_tests.doctor import inventory
from floe_tests.doctor.examination import examine
from floe_tests.environments.lease import ENTRY, new_lease
from floe_tests.kube.client import Kube
from floe_tests.pipeline.entries import ledger_of
from tests.support.doctor import tier
from tests.support.small_server import Server

ROOT = Path(__file__).resolve().parents[3]
LOCAL = {"environments": ["local"], "suites": [{"name": "suite", "command": ["pytest"]}]}


def doctor(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    home.mkdir()
    shutil.copy(ROOT / "dagster_home" / "dagster.yaml", home)
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLOE_", "IMAGE_REGISTRY_PREFIX"))
    }
    return subprocess.run(
        [str(Path(sys.executable).with_name("floe-tests")), "doctor", *words],
        env={**variables, "DAGSTER_HOME": str(home), "FLOE_TESTS_OUTPUT": str(home / "output")},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_says_what_it_found_and_ends_well(tmp_path: Path):
    ended = doctor(tmp_path / "home", "unit")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.startswith("ok")
    assert ended.stdout.splitlines()[-1].endswith(" ok")


def test_json_is_for_programs(tmp_path: Path):
    ended = doctor(tmp_path / "home", "--json", "-e", "local")

    found = {check["name"]: check["state"] for check in json.loads(ended.stdout)}
    assert found["DAGSTER_HOME"] == found["history"] == found["packages"] == "ok"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["untis"], 2, "there is no tier untis. Did you mean unit? There are: "),
        (["unit", "-e", "minikube"], 2, "--environment='minikube' is no environment"),
        (["unit", "-e", "kind"], 1, "does not run on kind; it runs on local"),
    ],
)
def test_what_cannot_be_asked_says_what_can(tmp_path: Path, words: list[str], code: int, said: str):
    ended = doctor(tmp_path / "home", *words)

    assert ended.returncode == code
    assert said in " ".join((ended.stdout + ended.stderr).split())


def test_what_several_tiers_need_is_said_once(workspace: Workspace):
    workspace.home.mkdir()
    tiers = [tier(name="one", **LOCAL), tier(name="two", **LOCAL)]

    names = [
        check.name for check in examine(tiers, environment=None, workspace=workspace, environ={})
    ]

    assert len(names) == len(set(names))
    assert names.count("pytest") == 1


def test_a_dead_run_that_gave_nothing_back_is_one_line(workspace: Workspace):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        dead = Holder(process.pid, 0.0)
        process.communicate()
    for run in ("1a2b3c4d-5e6f", "2a2b3c4d-5e6f"):
        lease = new_lease(tier(), workspace, run_id=run, provider="context")
        ledger_of(workspace).write(run, ENTRY, replace(lease, holder=dead, state="held"))
    alive = new_lease(tier(), workspace, run_id="3a2b3c4d-5e6f", provider="context")
    ledger_of(workspace).write(alive.run_id, ENTRY, alive)

    check = inventory.check_leases(workspace)

    assert (check.state, check.remedy) == ("warning", "floe-tests reap")
    assert check.found == "2 leases of dead runs: 1a2b3c4d, 2a2b3c4d"


def test_expired_namespaces_of_the_cluster_are_one_line(server: Server, kube: Kube):
    now = datetime.now(UTC)

    def namespace(name: str, expires: datetime) -> object:
        own = {labels.RUN: name, labels.EXPIRES: str(int(expires.timestamp()))}
        return {"metadata": {"name": name, "labels": own}}

    server.answers["/api/v1/namespaces"] = [
        namespace("old", now - timedelta(minutes=1)),
        namespace("young", now + timedelta(minutes=9)),
    ]

    check = inventory.check_namespaces(kube)

    assert (check.state, check.found) == ("warning", "1 expired namespaces: old")
