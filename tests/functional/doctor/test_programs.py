"""Programs on PATH, real ones of a few lines: there, too old, silent, broken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.providers import capabilities_of
from floe_tests.doctor.check import Check
from floe_tests.doctor.programs import HELM, KUBECTL, check_docker, check_program

Put = Callable[[str, str], Path]
GIB = 1024**3
PROGRAMS = {each.name: each for each in (*capabilities_of("kind").programs, HELM, KUBECTL)}


@pytest.mark.parametrize(
    ("name", "script", "state", "found"),
    [
        ("kind", "echo kind v0.30.0 go1.24.6 linux/amd64", "ok", "0.30.0"),
        ("kind", "echo kind v0.26.0 go1.23 linux/amd64", "failed", "0.26.0, older than 0.27.0"),
        ("helm", "echo v3.19.0", "ok", "3.19.0"),
        ("helm", "echo v3.7.2", "failed", "3.7.2, older than 3.8.0"),
        ("helm", "echo no idea", "unknown", "prints no version: no idea"),
        (
            "helm",
            "echo broken pipe >&2; exit 3",
            "failed",
            "`helm version --template '{{.Version}}'` ended with exit code 3.",
        ),
        ("kubectl", """echo '{"clientVersion": {"gitVersion": "v1.34.2"}}'""", "ok", "1.34.2"),
        (
            "kubectl",
            """echo '{"clientVersion": {"gitVersion": "v1.20.1"}}'""",
            "warning",
            "1.20.1, older than 1.28.0",
        ),
    ],
)
def test_a_program_is_asked_for_its_version(
    programs: Put, name: str, script: str, state: str, found: str
):
    programs(name, script)

    check = check_program(PROGRAMS[name])

    assert (check.name, check.state, check.found) == (name, state, found)
    assert bool(check.remedy) == (state in {"failed", "warning"})


@pytest.mark.parametrize(
    ("name", "state"), [("kind", "failed"), ("helm", "failed"), ("kubectl", "warning")]
)
def test_one_that_is_missing_says_where_it_comes_from(programs: Put, name: str, state: str):
    programs("other", "exit 0")

    check = check_program(PROGRAMS[name])

    assert (check.state, check.found) == (state, "not on PATH")
    assert f"{name}: https://" in check.remedy
    assert "airgap/run all" in check.remedy


def docker(programs: Put, tmp_path: Path, **info: Any) -> dict[str, Check]:
    """Put a Docker there that says this, and look at it."""
    said = {
        "ClientInfo": {"Version": "28.2.2"},
        "ServerVersion": "28.2.2",
        "MemTotal": 16 * GIB,
        "DockerRootDir": str(tmp_path),
        **info,
    }
    programs("docker", f"echo '{json.dumps(said)}'")
    return {check.name: check for check in check_docker(memory_mib=8 * 1024)}


def test_a_docker_with_enough_of_all_is_fine(programs: Put, tmp_path: Path):
    found = docker(programs, tmp_path)

    assert found["Docker"] == Check("Docker", "ok", "client 28.2.2, daemon 28.2.2")
    assert found["Docker memory"].state == "ok"
    assert f"GiB free in {tmp_path}" in found["Docker disk"].found


def test_less_memory_than_the_budget_is_a_warning_with_both_numbers(programs: Put, tmp_path: Path):
    check = docker(programs, tmp_path, MemTotal=4 * GIB)["Docker memory"]

    assert (check.state, check.found) == ("warning", "4.0 GiB, the tier's budget is 8 GiB")
    assert "Give Docker 8 GiB" in check.remedy


def test_a_daemon_that_kind_cannot_use_fails_and_nothing_else_is_looked_at(
    programs: Put, tmp_path: Path
):
    found = docker(programs, tmp_path, ServerVersion="19.03.15")

    assert list(found) == ["Docker"]
    assert found["Docker"].state == "failed"
    assert "20.10.0 or newer" in found["Docker"].remedy


def test_a_disk_of_another_machine_is_honestly_unknown(programs: Put, tmp_path: Path):
    check = docker(programs, tmp_path, DockerRootDir="/no/such/folder")["Docker disk"]

    assert check.state == "unknown"


@pytest.mark.parametrize(
    ("said", "found", "remedy"),
    [
        pytest.param(
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "its daemon does not answer: Cannot connect to the Docker daemon",
            "sudo systemctl start docker",
            id="no daemon",
        ),
        pytest.param(
            "permission denied while trying to connect to the Docker daemon socket",
            "this user may not speak to its daemon",
            "sudo usermod -aG docker $USER",
            id="not in the group",
        ),
    ],
)
@pytest.mark.parametrize("code", [0, 1], ids=["exit code 0", "exit code 1"])
def test_a_daemon_that_does_not_answer(
    programs: Put, said: str, found: str, remedy: str, code: int
):
    """Some versions of the client end well and have the error in their JSON alone."""
    errors = json.dumps({"ServerErrors": [said]})
    script = f"echo '{errors}'; exit 0" if code == 0 else f"echo '{said}' >&2; exit 1"
    programs("docker", script)

    (check,) = check_docker(memory_mib=1024)

    assert check.state == "failed"
    assert found in check.found
    assert check.remedy.startswith(remedy)
