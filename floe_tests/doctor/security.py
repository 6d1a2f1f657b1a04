"""What the namespace's Pod Security level would refuse of a tier's charts and suites."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, get_args

from floe_tests.config.environment import PodSecurity
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.doctor.check import Check
from floe_tests.doctor.needs import RENDERED_NAMESPACE, Needs
from floe_tests.doctor.pod_security import Violation, violations
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part

_LABEL = "pod-security.kubernetes.io/enforce"
_SHOWN = 3


def check_pod_security(
    needs: Needs, *, kube: Kube | None, kube_version: str | None
) -> tuple[Check, ...]:
    """Hold the pods of charts and suites against the level of the namespace that they come to.

    Args:
        needs: What the tier brings.
        kube: The cluster; None where there is none yet.
        kube_version: Its version; None takes the newest rules.
    """
    installed = needs.tier.installed
    level: PodSecurity | None = needs.tier.pod_security
    if installed is not None:
        if kube is None:
            return ()
        try:
            level = _level_of(kube, installed.namespace)
        except FloeTestsError as error:
            found = f"the level of namespace {installed.namespace} is not seen: {first_line(error)}"
            return (Check("pod security", "unknown", found),)
        if level is None:
            found = f"namespace {installed.namespace} has no label {_LABEL}: the cluster's default"
            return (Check("pod security", "ok", found),)
    refused = list(_refused(needs, level or "privileged", kube_version))
    count = len(needs.pods)
    if not refused and needs.untold:
        return (Check("pod security", "unknown", needs.untold),)
    if not refused:
        found = f"{level}: all {count} kinds of pods of this tier would be let in"
        return (Check("pod security", "ok", found),)
    lines = [f"{where}: {each}" for where, each in refused]
    more = f"; and {len(lines) - _SHOWN} more fields" if len(lines) > _SHOWN else ""
    found = f"{level} refuses {'; '.join(lines[:_SHOWN])}{more}"
    return (Check("pod security", "failed", found, _remedy(lines, level, own=installed is None)),)


def _remedy(lines: list[str], level: PodSecurity | None, *, own: bool) -> str:
    change = (
        f"or set `pod_security` of the tier, which is {level}"
        if own
        else f"or ask for another level of the platform's namespace, which is {level}"
    )
    return "\n".join(
        (
            f"Change the fields by the chart's values or the suite's test-job.yaml, {change}:",
            *(f"  {line}" for line in lines),
            "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
        )
    )


def _refused(
    needs: Needs, level: PodSecurity, kube_version: str | None
) -> Iterator[tuple[str, Violation]]:
    for item in (*needs.manifests, *needs.jobs):
        metadata = part(item, "metadata")
        # Another namespace has another level.
        if metadata.get("namespace") in {None, needs.namespace, RENDERED_NAMESPACE}:
            where = f"{str(item.get('kind')).lower()}/{_named(item)}"
            for each in violations(item, level, kube_version=kube_version):
                yield where, each


def _named(item: JsonObject) -> str:
    metadata = part(item, "metadata")
    return str(metadata.get("name") or metadata.get("generateName"))


def _level_of(kube: Kube, namespace: str) -> PodSecurity | None:
    """Return the level that a namespace enforces by its own label; None without one."""
    found = kube.get("Namespace", namespace) or {}
    level = part(found, "metadata", "labels").get(_LABEL)
    return cast("PodSecurity", level) if level in get_args(PodSecurity) else None
