"""Read objects of the Kubernetes API, which stay what it sends: JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

JsonObject = dict[str, Any]


def part(value: Mapping[str, Any], *keys: str) -> JsonObject:
    """Return an object inside an object; empty when absent: Kubernetes leaves out what is empty."""
    found: Any = value
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - JSON
    return cast("JsonObject", found) if isinstance(found, dict) else {}


def parts(value: Mapping[str, Any], *keys: str) -> list[JsonObject]:
    """Return a list of objects inside an object; empty when there is none."""
    found = part(value, *keys[:-1]).get(keys[-1])
    if not isinstance(found, list):
        return []
    return [cast("JsonObject", item) for item in cast("list[Any]", found) if isinstance(item, dict)]


def pod_is_over(pod: JsonObject) -> bool:
    """Return whether all of a pod has ended: it needs no capacity any more."""
    return part(pod, "status").get("phase") in {"Succeeded", "Failed"}


def job_has_ended(job: JsonObject) -> bool:
    """Return whether a Job is over, well or not."""
    return any(
        item.get("type") in {"Complete", "Failed"} and item.get("status") == "True"
        for item in parts(job, "status", "conditions")
    )


def timestamp(text: str | None) -> datetime | None:
    """Read a Kubernetes timestamp (RFC 3339, UTC); None stays None."""
    return datetime.fromisoformat(text) if text else None


def pod_specification(item: Mapping[str, Any]) -> JsonObject:
    """Return the specification of the pods that an object makes; empty where it makes none."""
    kind = item.get("kind")
    if kind == "Pod":
        return part(item, "spec")
    within = ("spec", "jobTemplate") if kind == "CronJob" else ()
    return part(item, *within, "spec", "template", "spec")
