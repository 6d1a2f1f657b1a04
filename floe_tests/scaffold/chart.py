"""What a new project can find out about a chart by itself, so that nobody has to be asked."""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from floe_tests.config.environment import PodSecurity
from floe_tests.config.project import Workspace
from floe_tests.config.release import ReleaseSettings
from floe_tests.core import program
from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.core.log import Log
from floe_tests.doctor.pod_security import violations
from floe_tests.environments.providers.kind.settings import KindSettings
from floe_tests.kube.objects import JsonObject, part, parts, pod_specification
from floe_tests.kube.quantity import quantity
from floe_tests.platform import charts, helm
from floe_tests.platform.record import is_test, manifests_in
from floe_tests.scaffold.names import label_from

_LEVELS: tuple[PodSecurity, ...] = ("restricted", "baseline", "privileged")
_SHOWN = 4
_LEAST_LIMIT_MIB = 512
_ARCHIVE = re.compile(r"-v?\d[^/]*\.tgz$")


@dataclass(frozen=True)
class ChartFound:
    """A chart as a tier names it, and what was seen of it.

    Attributes:
        release: Name of the release.
        chart: Path relative to the project, address, or name in the repository.
        repository: Address of its HTTP repository.
        version: Its version, where a tier has to name it.
        pod_security: The strictest level that lets its pods in.
        needs_values: What helm says where it cannot be rendered without values; empty otherwise.
        container_memory: Memory limit for its containers that have none; None where all have one.
        notes: What a reader should know, a sentence each.
    """

    release: str
    chart: str
    repository: str | None = None
    version: str | None = None
    pod_security: PodSecurity = "restricted"
    needs_values: str = ""
    container_memory: str | None = None
    notes: tuple[str, ...] = ()


def find_chart(
    chart: str, *, root: Path, repository: str | None, version: str | None
) -> ChartFound:
    """Find a chart, without rendering it yet.

    Args:
        chart: A path, relative to the working folder, an address, or a name in the repository.
        root: The folder of the project.
        repository: Address of an HTTP repository.
        version: Its version; None takes the newest of a remote one.

    Raises:
        ConfigurationError: It is not there.
    """
    remote = repository is not None or chart.startswith(("oci://", "https://"))
    if not remote:
        return _local(Path(chart), root)
    name = _ARCHIVE.sub("", chart.rstrip("/")).rpartition("/")[2]
    found = ChartFound(label_from(name, default="release"), chart, repository, version)
    if version is None and not chart.startswith("https://"):
        program.require("helm")
        words = [chart, *(["--repo", repository] if repository else [])]
        found = replace(found, version=charts.shown_version(words))
    return found


def _local(path: Path, root: Path) -> ChartFound:
    described = path if path.suffix == ".tgz" else path / "Chart.yaml"
    if not described.is_file():
        message = (
            f"--chart {path}: {described} is missing. Give a chart's folder, its .tgz file, an "
            "oci:// address, or its name with --repo."
        )
        raise ConfigurationError(message)
    name = _ARCHIVE.sub("", path.resolve().name)
    if path.is_dir():
        try:
            document = yaml.safe_load(described.read_text(encoding="utf-8"))
            name = str(document["name"])
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            message = f"--chart {path}: {described} names no chart: {error}"
            raise ConfigurationError(message) from error
    return ChartFound(
        label_from(name, default="release"),
        os.path.relpath(path.resolve(), root.resolve()),
    )


def looked_at(
    found: ChartFound,
    *,
    root: Path,
    values_files: Sequence[str],
    log: Log,
) -> ChartFound:
    """Render a chart, and return it with what that shows.

    Args:
        found: The chart.
        root: The folder of the project.
        values_files: Values files, relative to the project.
        log: Hears of dependencies that are fetched.
    """
    release = ReleaseSettings(
        name=found.release,
        chart=found.chart,
        repository=found.repository,
        version=found.version,
        values_files=tuple(values_files),
        prefix_images=False,
    )
    workspace = Workspace(root, root, root, "")
    kube_version = KindSettings().kubernetes_version
    try:
        program.require("helm")
        if not release.is_remote:
            charts.build_dependencies(root / found.chart, log=log)
    except FloeTestsError as error:
        return replace(found, notes=(f"the chart was not looked at: {error}",))
    try:
        with tempfile.TemporaryDirectory(prefix="floe-init-") as folder:
            text = helm.check(
                release, kube_version=kube_version, workspace=workspace, directory=Path(folder)
            )
            manifests = [item for item in manifests_in(text) if not is_test(item)]
    except (FloeTestsError, yaml.YAMLError) as error:
        return replace(found, needs_values=_helms_words(str(error)))
    return _judged(found, manifests, kube_version)


def _helms_words(text: str) -> str:
    """Return the line in which helm says what is wrong."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return next((line for line in lines if line.startswith("Error:")), lines[0])


def _judged(
    found: ChartFound, manifests: Sequence[JsonObject], kube_version: str | None
) -> ChartFound:
    lacks = {
        level: [
            f"{str(item['kind']).lower()}/{item['metadata']['name']}: {each}"
            for item in manifests
            for each in violations(item, level, kube_version=kube_version)
        ]
        for level in _LEVELS
    }
    level = next(level for level in _LEVELS if not lacks[level])
    found = replace(found, container_memory=_default_limit(manifests))
    if level == "restricted":
        return found
    stricter = lacks[_LEVELS[_LEVELS.index(level) - 1]]
    more = f"; and {len(stricter) - _SHOWN} more fields" if len(stricter) > _SHOWN else ""
    note = (
        f"its pods need pod_security {level}, because {_LEVELS[_LEVELS.index(level) - 1]} refuses "
        f"{'; '.join(stricter[:_SHOWN])}{more}"
    )
    return replace(found, pod_security=level, notes=(*found.notes, note))


def _default_limit(manifests: Sequence[JsonObject]) -> str | None:
    """Return a memory limit for containers without one, above what any of them requests."""
    asked = [
        quantity(part(container, "resources", "requests").get("memory") or 0)
        for item in manifests
        for container in _containers_of(item)
        if not part(container, "resources", "limits").get("memory")
    ]
    if not asked:
        return None
    most = max(asked) / (1024 * 1024)
    return f"{max(_LEAST_LIMIT_MIB, 2 ** math.ceil(math.log2(max(most, 1))))}Mi"


def _containers_of(item: JsonObject) -> list[JsonObject]:
    pod = pod_specification(item)
    return [*parts(pod, "initContainers"), *parts(pod, "containers")]
