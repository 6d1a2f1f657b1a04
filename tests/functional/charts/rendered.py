"""Finds its way in what `helm template` rendered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]

CHART = Path(__file__).parents[3] / "charts" / "floe-platform"
MINIMAL = ("--set", "minimal=true")
POLARIS = ()
ICEBERG_REST = ("--set", "catalog.kind=iceberg-rest")
PRODUCTION = ("--values", str(CHART / "values-production.yaml"))


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    found = [each for each in of_kind(manifests, kind) if each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} {kind} of the name {name}"
    return found[0]


def pod_specs(manifests: list[Manifest]) -> list[tuple[str, Manifest]]:
    """Return each pod's specification; what holds for every pod holds for one at least."""
    found: list[tuple[str, Manifest]] = []
    for manifest in manifests:
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        if manifest["kind"] == "Pod":
            found.append((name, manifest["spec"]))
        elif "template" in manifest.get("spec", {}):
            found.append((name, manifest["spec"]["template"]["spec"]))
    assert found, "nothing of this has a pod"
    return found


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, spec in pod_specs(manifests):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            yield f"{name}/{container['name']}", container
