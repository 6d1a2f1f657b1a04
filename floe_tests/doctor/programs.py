"""The programs that a run calls: there, answering, and new enough."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from floe_tests.config.providers import RequiredProgram
from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.doctor.check import Check, State
from floe_tests.doctor.versions import Version, shown, version_in
from floe_tests.kube.objects import JsonObject, part

_SECONDS = 8.0
_GIB = 1024**3

# kind makes nodes with a private cgroup namespace, which Docker has since 20.10.
# Source: https://github.com/kubernetes-sigs/kind/blob/main/pkg/cluster/internal/providers/docker/provision.go
_DOCKER: Version = (20, 10, 0)

# What a node image and a tier's images take when they are unpacked twice, in Docker and in the
# node; below the first, kind cannot even unpack its node.
_DOCKER_DISK_FAILED_GIB = 2
_DOCKER_DISK_WARNING_GIB = 6


HELM = RequiredProgram(
    "helm",
    ("version", "--template", "{{.Version}}"),
    # The first with charts from oci:// addresses without a switch.
    # Source: https://helm.sh/docs/topics/registries/
    (3, 8, 0),
)
# Runs do without it; the commands that they print, to look into what is kept, do not.
KUBECTL = RequiredProgram(
    "kubectl",
    ("version", "--client", "--output", "json"),
    (1, 28, 0),
    is_optional=True,
)


def check_program(wanted: RequiredProgram) -> Check:
    """Look at a program: there, answering, and new enough.

    Args:
        wanted: The program.
    """
    missing: State = "warning" if wanted.is_optional else "failed"
    name, install = wanted.name, wanted.install or program.how_to_install(wanted.name)
    if shutil.which(name) is None:
        return Check(name, missing, "not on PATH", install)
    try:
        printed = program.run([name, *wanted.arguments], deadline=Deadline(_SECONDS))
    except FloeTestsError as error:
        return Check(name, missing, first_line(error), install)
    version = version_in(printed)
    if version is None:
        return Check(name, "unknown", f"prints no version: {printed.strip()[:80]}")
    if version < wanted.minimum:
        return Check(
            name,
            missing,
            f"{shown(version)}, older than {shown(wanted.minimum)}",
            install,
        )
    return Check(name, "ok", shown(version))


def check_docker(*, memory_mib: int) -> tuple[Check, ...]:
    """Look at Docker: client, daemon, its memory and disk.

    Args:
        memory_mib: The tier's budget.
    """
    if shutil.which("docker") is None:
        return (Check("Docker", "failed", "not on PATH", program.how_to_install("docker")),)
    try:
        printed = program.run(
            ["docker", "info", "--format", "{{json .}}"], deadline=Deadline(_SECONDS)
        )
        info: JsonObject = json.loads(printed)
    except (FloeTestsError, ValueError) as error:
        return (_silent_docker(error),)
    client = version_in(str(part(info, "ClientInfo").get("Version", "")))
    daemon = version_in(str(info.get("ServerVersion", "")))
    if daemon is None:
        return (_silent_docker(ValueError("; ".join(info.get("ServerErrors") or ["no daemon"]))),)
    found = f"client {shown(client) if client else 'unknown'}, daemon {shown(daemon)}"
    if daemon < _DOCKER:
        upgrade = f"kind needs {shown(_DOCKER)} or newer: {program.how_to_install('docker')}"
        return (Check("Docker", "failed", found, upgrade),)
    return (
        Check("Docker", "ok", found),
        _memory(int(info.get("MemTotal") or 0), memory_mib=memory_mib),
        _disk(str(info.get("DockerRootDir") or "")),
    )


def _silent_docker(error: BaseException) -> Check:
    said = str(error)
    if "permission denied" in said.lower():
        remedy = "sudo usermod -aG docker $USER && newgrp docker"
        return Check("Docker", "failed", "this user may not speak to its daemon", remedy)
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "no answer")
    remedy = "sudo systemctl start docker   (or start Docker Desktop; or: airgap/run start)"
    return Check("Docker", "failed", f"its daemon does not answer: {last.strip()}", remedy)


def _memory(total_bytes: int, *, memory_mib: int) -> Check:
    gib, wanted = total_bytes / _GIB, memory_mib / 1024
    found = f"{gib:.1f} GiB, the tier's budget is {wanted:g} GiB"
    if gib >= wanted:
        return Check("Docker memory", "ok", found)
    return Check(
        "Docker memory",
        "warning",
        found,
        f"Give Docker {wanted:g} GiB (Docker Desktop: Settings, Resources), or lower "
        "budget.memory in the tier's defs.yaml.",
    )


def _disk(folder: str) -> Check:
    if not folder or not Path(folder).is_dir():
        return Check("Docker disk", "unknown", "its disk is not of this machine")
    free = shutil.disk_usage(folder).free / _GIB
    state: State = "ok"
    if free < _DOCKER_DISK_WARNING_GIB:
        state = "failed" if free < _DOCKER_DISK_FAILED_GIB else "warning"
    found = f"{free:.1f} GiB free in {folder}"
    return Check("Docker disk", state, found, "" if state == "ok" else "docker system prune")
