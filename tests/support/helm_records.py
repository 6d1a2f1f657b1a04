"""Helm's records, packed as helm packs them."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import yaml


def packed(
    *objects: dict[str, Any], hooks: tuple[dict[str, Any], ...] = (), revision: int = 1
) -> str:
    """Pack a release's record: JSON, compressed, in base64."""
    release = {
        "name": "web",
        "version": revision,
        "manifest": "".join(f"---\n# Source: chart/x.yaml\n{yaml.safe_dump(o)}" for o in objects),
        "hooks": [{"name": h["metadata"]["name"], "manifest": yaml.safe_dump(h)} for h in hooks],
    }
    return base64.b64encode(gzip.compress(json.dumps(release).encode())).decode()


def secret(text: str, *, revision: int = 1, status: str = "deployed") -> dict[str, Any]:
    """Return what a Secret of such a record has beside its name."""
    carried = {"owner": "helm", "name": "web", "status": status, "version": str(revision)}
    return {
        "metadata": {"labels": carried},
        "data": {"release": base64.b64encode(text.encode()).decode()},
    }
