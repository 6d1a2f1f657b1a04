"""All that can be said of a project's tiers before anything runs, and without a cluster."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from floe_tests.config.broken import BrokenTier
from floe_tests.config.environment import NEWEST_KUBERNETES
from floe_tests.config.project import Workspace
from floe_tests.config.providers import capabilities_of
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.core.program import how_to_install
from floe_tests.doctor.check import Check
from floe_tests.doctor.dry_run import check_dry_run
from floe_tests.doctor.machine import check_local
from floe_tests.doctor.manifests import check_manifests
from floe_tests.doctor.needs import needs_of
from floe_tests.doctor.security import check_pod_security
from floe_tests.environments.provider import provider_of


@dataclass(frozen=True)
class TierChecks:
    """What was found of a tier.

    Attributes:
        tier: Its name.
        checks: What was looked at.
    """

    tier: str
    checks: tuple[Check, ...]

    @property
    def fails(self) -> bool:
        """Whether a run of the tier would fail."""
        return any(check.state == "failed" for check in self.checks)


def of_broken(tier: BrokenTier) -> TierChecks:
    """Return what is wrong with a tier that cannot be read, a check a problem."""
    remedy = f"Mend {tier.file}."
    return TierChecks(
        tier.name,
        tuple(Check("defs.yaml", "failed", str(problem), remedy) for problem in tier.problems),
    )


def of_tier(tier: TierSettings, workspace: Workspace, *, with_cluster: bool) -> TierChecks:
    """Look at a tier: its Jobs, its rendered charts, and what they need of each other.

    Args:
        tier: The tier.
        workspace: The project.
        with_cluster: Whether its cluster is asked too, by a dry run on the server.
    """
    checks: list[Check] = [Check("defs.yaml", "ok", "all settings and the files that they name")]
    places = [name for name in tier.environments if capabilities_of(name).is_cluster]
    if len(places) < len(tier.environments):
        local = (check_local(suite.command) for suite in tier.suites)
        checks += (check for check in local if check is not None)
    if not places:
        return TierChecks(tier.name, tuple(checks))
    if tier.releases and shutil.which("helm") is None:
        found = "helm is not on PATH: neither charts nor what the suites need of them is looked at"
        checks.append(Check("charts", "failed", found, how_to_install("helm")))
        return TierChecks(tier.name, tuple(checks))
    needs = needs_of(tier, places[0], workspace, kube_version=NEWEST_KUBERNETES)
    checks += needs.checks
    checks += check_pod_security(needs, kube=None, kube_version=NEWEST_KUBERNETES)
    checks += check_manifests(needs, image_registry_prefix=workspace.image_registry_prefix)
    if with_cluster:
        checks.append(_asked(tier, workspace, places))
    return TierChecks(tier.name, tuple(checks))


def _asked(tier: TierSettings, workspace: Workspace, places: Sequence[str]) -> Check:
    """Ask the first of a tier's clusters that is there."""
    seen = "none of its clusters is there"
    for name in places:
        sighting = provider_of(name).look(workspace.adapted(tier))
        if sighting.kube is None:
            seen = f"{name}: {sighting.found}"
            continue
        try:
            version = sighting.kube.server_version()
        except FloeTestsError as error:
            seen = f"{name}: {first_line(error)}"
            continue
        needs = needs_of(tier, name, workspace, kube_version=version)
        return check_dry_run(sighting.kube, needs)
    return Check("dry run", "unknown", f"no cluster to ask: {seen}")


def as_json(found: Sequence[TierChecks]) -> str:
    """Return what was found as JSON: a list of tiers, each with its checks."""
    return json.dumps(
        [
            {
                "tier": each.tier,
                "fails": each.fails,
                "checks": [dataclasses.asdict(check) for check in each.checks],
            }
            for each in found
        ],
        indent=1,
    )


def shown(found: Sequence[TierChecks]) -> tuple[Check, ...]:
    """Return what people need to see: a line for a tier that is right, else what is not."""
    lines: list[Check] = []
    for each in found:
        wrong = [check for check in each.checks if check.state != "ok"]
        lines += (dataclasses.replace(check, name=f"{each.tier}: {check.name}") for check in wrong)
        if not wrong:
            lines.append(Check(each.tier, "ok", ", ".join(check.name for check in each.checks)))
    return tuple(lines)
