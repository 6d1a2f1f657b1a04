"""Every setting of a tier as a page: docs/tiers.md is made here, never written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from floe_tests.config.tier import TierSettings

_INTRODUCTION = """\
<!-- Made by `make docs` from floe_tests/config/tier.py: change the descriptions there. -->

# The settings of a tier

They stand under `attributes:` in `floe_tests/defs/<tier>/defs.yaml`, below
`type: floe_tests.TestTier`. A wrong one stops when the project is loaded, with file, field and
remedy.
"""


def markdown() -> str:
    """Return the page: a table for the tier, and one for each group of settings in it."""
    schema = TierSettings.model_json_schema()
    groups = {**schema.get("$defs", {}), **_of_environments(schema)}
    tables = [("The tier", schema), *sorted(groups.items())]
    return "\n".join(
        [_INTRODUCTION, *(line for name, part in tables for line in _table(name, part))]
    )


def _of_environments(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the groups that stand in the tier's own schema, by their model's name."""
    return {each["title"]: each for each in schema["properties"].values() if "properties" in each}


def _table(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {name.removesuffix('Settings')}"
    yield ""
    if name != "The tier":
        yield str(schema.get("description", "")).splitlines()[0]
        yield ""
    yield "| setting | is | default | meaning |"
    yield "| --- | --- | --- | --- |"
    required = set(schema.get("required", ()))
    for field, details in schema["properties"].items():
        default = "**required**" if field in required else f"`{json.dumps(details.get('default'))}`"
        if "default" not in details and field not in required:
            default = "its own defaults"
        meaning = str(details.get("description", "")).replace("|", "\\|")
        yield f"| `{field}` | {_kind(details)} | {default} | {meaning} |"
    yield ""


def _kind(details: dict[str, Any]) -> str:
    if "enum" in details:
        return " or ".join(f"`{choice}`" for choice in details["enum"])
    if "$ref" in details or "properties" in details:
        model = str(details.get("$ref") or details["title"])
        name = model.rpartition("/")[2].removesuffix("Settings")
        return f"[{name}](#{name.lower()})"
    if "anyOf" in details:
        return " or ".join(_kind(part) for part in details["anyOf"])
    if details.get("type") == "array":
        return f"list of {_kind(details.get('items', {}))}"
    return str(details.get("type", "any")).replace("null", "nothing")
