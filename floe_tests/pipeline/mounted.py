"""A suite that a run mounts into its test container, and what it tells that suite of the release.

What was installed is read from helm's own record, so the suite has no list of its own that a change
of the chart would make wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from floe_tests.config.suite import MountedSettings
from floe_tests.environments.lease import Lease
from floe_tests.execution.brought import Brought
from floe_tests.execution.manifest import AttemptSpec
from floe_tests.execution.pytest_zip import pytest_zip
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, parts, pod_specification
from floe_tests.pipeline.state import RunState
from floe_tests.platform.record import newest_record

SUITE_FOLDER = "/suite"
OWN_FOLDER = "/floe-tests"
_PYTEST_FILE = "pytest.zip"
_RELEASE_FILE = "release.json"
_PATH_VARIABLE = "PYTHONPATH"


def with_mounted(
    spec: AttemptSpec, mounted: MountedSettings, state: RunState, lease: Lease
) -> AttemptSpec:
    """Return an attempt with the files that it brings to its tests.

    Args:
        spec: The attempt.
        mounted: The suite's settings.
        state: The run.
        lease: Its environment.

    Raises:
        ConfigurationError: The files do not fit into a ConfigMap.
    """
    suite = Brought("suite", SUITE_FOLDER, _files_below(state.workspace.root / mounted.folder))
    suite.require_fitting(f"suites: {spec.suite}: mounted.folder {mounted.folder}")
    own = {_RELEASE_FILE: json.dumps(_told(state, lease), indent=1).encode()}
    variables = dict(spec.environment)
    if mounted.pytest:
        own[_PYTEST_FILE] = pytest_zip()
        paths = (f"{OWN_FOLDER}/{_PYTEST_FILE}", variables.get(_PATH_VARIABLE, ""))
        variables[_PATH_VARIABLE] = ":".join(filter(None, paths))
    beside = Brought("beside", OWN_FOLDER, own)
    beside.require_fitting(f"suites: {spec.suite}: what it is told of the releases")
    return replace(spec, to_tests=(suite, beside), environment=tuple(variables.items()))


def _files_below(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        place.as_posix(): path.read_bytes()
        for place, path in files.items()
        if not any(name.startswith(".") or name == "__pycache__" for name in place.parts)
    }


def _told(state: RunState, lease: Lease) -> JsonObject:
    """Return what a suite is told of the releases that are installed."""
    kube = Kube(lease.access or ClusterAccess())
    installed = state.settings.installed
    names = [installed.release] if installed else [each.name for each in state.settings.releases]
    releases: list[JsonObject] = []
    for name in names:
        record = newest_record(kube, name, namespace=lease.namespace)
        if record is not None:
            releases.append(_release(name, record.revision, record.objects))
    return {
        "namespace": lease.namespace,
        "pod_security": state.settings.pod_security,
        "releases": releases,
    }


def _release(name: str, revision: int, objects: Iterable[JsonObject]) -> JsonObject:
    items = list(objects)
    pods = {
        f"{str(item['kind']).lower()}/{item['metadata']['name']}": template
        for item in items
        if (template := pod_specification(item))
    }
    services = [
        {
            "name": item["metadata"]["name"],
            "namespace": part(item, "metadata").get("namespace") or "",
            "ports": list(_ports_of(item, pods.values())),
        }
        for item in items
        if item.get("kind") == "Service" and part(item, "spec", "selector")
    ]
    return {"name": name, "revision": revision, "services": services, "pods": pods}


def _ports_of(service: JsonObject, pods: Iterable[JsonObject]) -> Iterator[dict[str, Any]]:
    """Yield the TCP ports that a client of a Service connects to."""
    spec = part(service, "spec")
    for port in parts(spec, "ports"):
        if port.get("protocol", "TCP") != "TCP":
            continue
        number = port.get("port")
        if spec.get("clusterIP") == "None":  # its name is the pods' own addresses
            number = _number_in(pods, port.get("targetPort", number))
        words = {str(port.get("name", "")), str(port.get("appProtocol", ""))}
        if number is not None:
            is_http = any(word.split("-")[0] in {"http", "http2"} for word in words)
            yield {"port": number, "http": is_http}


def _number_in(pods: Iterable[JsonObject], target: object) -> int | None:
    """Return the number of a port that a Service names; None where no pod has the name."""
    if isinstance(target, int):
        return target
    ports = (
        port
        for pod in pods
        for container in parts(pod, "containers")
        for port in parts(container, "ports")
    )
    return next((port.get("containerPort") for port in ports if port.get("name") == target), None)
