"""What the chart's values say, and what the upgrade changes in them: read, and never said again.

The test image has both files at the places that they have in the repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).parent
_CHART = _HERE.parents[1] / "charts" / "floe-platform" / "values.yaml"
_UPGRADE = _HERE / "upgrade-values.yaml"

# The key of each role's settings, by its value of app.kubernetes.io/component.
SETTINGS_OF_ROLE = {
    "webserver": "webserver",
    "daemon": "daemon",
    "code": "code",
    "postgres": "postgres",
    "object-storage": "objectStorage",
    "catalog": "catalog",
    "cube": "cube",
}


def chart_values() -> dict[str, Any]:
    """Read the chart's defaults, which the release keeps in all that these tests compare."""
    return yaml.safe_load(_CHART.read_text(encoding="utf-8"))


def upgrade_values() -> dict[str, Any]:
    """Read what `helm upgrade` is given on top."""
    return yaml.safe_load(_UPGRADE.read_text(encoding="utf-8"))


def memory_limits(values: dict[str, Any]) -> dict[str, str]:
    """Return the memory limits that values name, by role."""
    limits = {
        role: values.get(key, {}).get("resources", {}).get("limits", {}).get("memory")
        for role, key in SETTINGS_OF_ROLE.items()
    }
    return {role: limit for role, limit in limits.items() if limit is not None}


def upgraded_roles() -> list[str]:
    """Name the roles whose pods the upgrade replaces, as it changes their memory limit."""
    return sorted(memory_limits(upgrade_values()))
