"""What a tier brings to a cluster, read from the manifests that its run would apply."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from floe_tests.config.project import Workspace
from floe_tests.config.providers import EnvironmentName
from floe_tests.config.selection import release_values
from floe_tests.config.test_job import load_template
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.labels import Owner
from floe_tests.doctor.check import Check
from floe_tests.execution.manifest import AttemptSpec, build_job
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.kube.quantity import quantity
from floe_tests.platform import helm
from floe_tests.platform.record import is_test, manifests_in
from floe_tests.platform.substitutes import missing_images, with_values, without

# Charts are rendered for it: what they put there goes to the run's namespace.
RENDERED_NAMESPACE = helm.RENDERED_NAMESPACE
_RUN = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class PodNeed:
    """A pod that a run brings.

    Attributes:
        name: What it belongs to.
        copies: How many there are at once.
        cores: Its requests of CPU.
        memory_bytes: Its requests of memory.
        images: Its images, as they are pulled.
    """

    name: str
    copies: int
    cores: float
    memory_bytes: float
    images: tuple[str, ...]


@dataclass(frozen=True)
class Needs:
    """What a tier brings to a cluster.

    Attributes:
        tier: The tier.
        namespace: Name of a namespace as its runs get one, or of the one that they use.
        manifests: All objects that its charts install.
        jobs: The Jobs of its suites.
        checks: What was found while they were read.
    """

    tier: TierSettings
    namespace: str
    manifests: tuple[JsonObject, ...]
    jobs: tuple[JsonObject, ...]
    checks: tuple[Check, ...]

    @property
    def untold(self) -> str:
        """Why all of the tier cannot be called good; empty where all of it could be read."""
        unread = [check.name for check in self.checks if check.state != "ok"]
        return f"cannot be told without {', '.join(unread)}" if unread else ""

    @property
    def pods(self) -> tuple[PodNeed, ...]:
        """Its pods: what the charts run, and one of each Job."""
        return tuple(_pods((*self.manifests, *self.jobs)))

    @property
    def images(self) -> tuple[str, ...]:
        """All images of its pods, without repetition."""
        return tuple(dict.fromkeys(image for pod in self.pods for image in pod.images))

    @property
    def storage_classes(self) -> tuple[str, ...]:
        """The StorageClasses of its volumes; an empty name is the cluster's default."""
        claims = [
            *(item for item in self.manifests if item.get("kind") == "PersistentVolumeClaim"),
            *(
                claim
                for item in self.manifests
                for claim in parts(item, "spec", "volumeClaimTemplates")
            ),
        ]
        names = (str(part(claim, "spec").get("storageClassName") or "") for claim in claims)
        return tuple(dict.fromkeys(names))


def needs_of(
    tier: TierSettings,
    provider: EnvironmentName,
    workspace: Workspace,
    *,
    kube_version: str | None,
) -> Needs:
    """Read what a tier brings.

    Args:
        tier: The tier.
        provider: The environment.
        workspace: Folders and registry prefix.
        kube_version: Version of the cluster; None takes the newest known.
    """
    checks: list[Check] = []
    manifests: list[JsonObject] = []
    missing = missing_images(tier.releases, workspace)
    with tempfile.TemporaryDirectory(prefix="floe-doctor-") as folder:
        for release in tier.releases:
            name = f"chart {release.name}"
            try:
                # All suites': with none of them a chart may refuse to be installed.
                values = release_values(tier.suites, release.name)
                text = helm.check(
                    with_values(without(release, missing), values),
                    kube_version=kube_version,
                    workspace=workspace,
                    directory=Path(folder),
                )
            except FloeTestsError as error:
                lines = [line for line in str(error).splitlines() if line.startswith("Error")]
                checks.append(
                    Check(name, "failed", (lines or str(error).splitlines())[0], str(error))
                )
                continue
            manifests += manifests_in(text)
            version = f" for Kubernetes {kube_version}" if kube_version else ""
            checks.append(Check(name, "ok", f"renders{version}"))
    jobs: list[JsonObject] = []
    for suite in tier.suites:
        if suite.job is None:
            continue
        name = f"suite {suite.name}"
        try:
            template = load_template(workspace.root / suite.job)
            request = _request(tier, suite.name, provider, workspace)
            jobs.append(build_job(template, request))
        except FloeTestsError as error:
            checks.append(Check(name, "failed", "its Job cannot be made", str(error)))
            continue
        checks.append(Check(name, "ok", suite.job))
    return Needs(
        tier=tier,
        namespace=_namespace(tier),
        # What helm runs as tests is installed by `helm test` alone.
        manifests=tuple(item for item in manifests if not is_test(item)),
        jobs=tuple(jobs),
        checks=tuple(checks),
    )


def _request(
    tier: TierSettings, suite: str, provider: EnvironmentName, workspace: Workspace
) -> AttemptSpec:
    owner = Owner(
        run_id=_RUN,
        tier=tier.name,
        ref=workspace.ref,
        commit=workspace.commit,
        expires_at=datetime.now(UTC),
    )
    return AttemptSpec(
        owner=owner,
        suite=suite,
        attempt=1,
        namespace=_namespace(tier),
        provider=provider,
        image_registry_prefix=workspace.image_registry_prefix,
        groups=(),
        excluded_groups=(),
        deadlines=tier.deadlines,
        exporter=tier.exporter,
    )


def _namespace(tier: TierSettings) -> str:
    return tier.installed.namespace if tier.installed else f"{tier.namespace}-{_RUN[:8]}"


def _pods(manifests: tuple[JsonObject, ...]) -> Iterator[PodNeed]:
    for item in manifests:
        kind = str(item.get("kind"))
        spec = part(item, "spec") if kind == "Pod" else part(item, "spec", "template", "spec")
        containers = parts(spec, "containers")
        if not containers:
            continue
        starting = parts(spec, "initContainers")
        # A native sidecar runs beside the containers; other init containers before them.
        beside = [one for one in starting if one.get("restartPolicy") == "Always"]
        copies = int(part(item, "spec").get("replicas") or 1)
        yield PodNeed(
            name=f"{kind.lower()}/{part(item, 'metadata').get('name')}",
            copies=copies,
            cores=_requested([*containers, *beside], "cpu"),
            memory_bytes=_requested([*containers, *beside], "memory"),
            images=tuple(str(one.get("image")) for one in [*starting, *containers]),
        )


def _requested(containers: list[JsonObject], resource: str) -> float:
    return sum(
        quantity(
            part(one, "resources", "requests").get(resource)
            or part(one, "resources", "limits").get(resource)
            or 0
        )
        for one in containers
    )
