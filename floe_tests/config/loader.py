"""The tiers of a project, read from its defs.yaml files without Dagster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from floe_tests.config import references
from floe_tests.config.discovery import project_at
from floe_tests.config.providers import description_of
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.json_values import is_object
from floe_tests.kube.access import ClusterAccess

_TYPES = frozenset({"floe_tests.TestTier", "floe_tests.orchestration.component.TestTier"})


def load_tiers(root: Path) -> tuple[TierSettings, ...]:
    """Read every tier of a project, in order of their folders.

    Args:
        root: The project's folder.

    Raises:
        ConfigurationError: A file is wrong; all problems of all files at once, a line each.
    """
    tiers: list[TierSettings] = []
    problems: list[str] = []
    for path in sorted(project_at(root).defs.glob("*/defs.yaml")):
        try:
            tier = _tier_of(path)
        except (OSError, ValueError, yaml.YAMLError) as error:
            problems += (f"{path}: {line}" for line in _lines(error))
            continue
        if tier is not None:
            tiers.append(tier)
            problems += (f"{path}: {problem}" for problem in references.problems_in(tier, root))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return tuple(tiers)


def _tier_of(path: Path) -> TierSettings | None:
    """Read a tier; None where the file defines something else."""
    document: object = yaml.safe_load(path.read_text())
    if not is_object(document):
        message = "it holds no mapping. Write `type: floe_tests.TestTier` and `attributes:`."
        raise ValueError(message)
    if document.get("type") not in _TYPES:
        return None
    return TierSettings.model_validate(document.get("attributes"))


def _lines(error: Exception) -> list[str]:
    """Return what is wrong, a line a field."""
    if not isinstance(error, ValidationError):
        return [" ".join(str(error).split())]
    return [
        f"{'.'.join(map(str, item['loc'])) or 'attributes'}: {item['msg']}"
        for item in error.errors(include_url=False)
    ]


def platforms_of(
    tiers: Iterable[TierSettings], clusters: Sequence[ClusterAccess] = ()
) -> tuple[tuple[ClusterAccess, str], ...]:
    """Return where the installed platforms of tiers may be, by cluster and namespace.

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
                description_of(tier.environments[0]).access(tier),
                *clusters,
            )
        )
    )
