"""The tiers of a project, read from its defs.yaml files without Dagster."""

from __future__ import annotations

from pathlib import Path

import yaml

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
