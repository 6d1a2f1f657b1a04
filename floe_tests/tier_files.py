"""The tiers of a project, read from its defs.yaml files without Dagster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from floe_tests.kube import ClusterAccess
from floe_tests.settings import TierSettings


def load_tiers(root: Path) -> tuple[TierSettings, ...]:
    """Read every tier below `floe_tests/defs`, in order of name.

    Args:
        root: The project's folder.
    """
    files = sorted((root / "floe_tests" / "defs").glob("*/defs.yaml"))
    return tuple(
        TierSettings.model_validate(yaml.safe_load(path.read_text())["attributes"])
        for path in files
    )


def platforms_of(
    tiers: Iterable[TierSettings], clusters: Sequence[ClusterAccess] = ()
) -> tuple[tuple[ClusterAccess, str], ...]:
    """Give where the installed platforms of tiers may be, by cluster and namespace.

    Args:
        tiers: The tiers.
        clusters: Clusters beside those that the tiers name.
    """
    return tuple(
        dict.fromkeys(
            (access, tier.installed.namespace)
            for tier in tiers
            if tier.installed is not None
            for access in (
                ClusterAccess(tier.context.kubeconfig, tier.context.context),
                *clusters,
            )
        )
    )
