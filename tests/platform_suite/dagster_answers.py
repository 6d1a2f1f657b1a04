"""What Dagster's GraphQL API answers, as values: runs, events, locations, daemons, ticks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refused(Exception):  # noqa: N818 - Dagster's own word for it is in `kind`
    """Dagster answered with an error of its own.

    Attributes:
        kind: The GraphQL type of the answer, `PipelineNotFoundError` for one.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


@dataclass(frozen=True)
class Run:
    """One run as Dagster's storage has it; times are seconds since the epoch."""

    run_id: str
    job: str
    status: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Event:
    """One event of a run.

    Attributes:
        kind: Its GraphQL type, `MaterializationEvent` for one.
        message: Dagster's own sentence.
        step: The step it came from; None for events of the whole run.
        subject: The asset or the check it is about; None for other events.
        metadata: What the code attached, by label.
        reasons: The error's messages, the outermost first; empty without an error.
        passed: The outcome of a check; None for other events.
    """

    kind: str
    message: str
    step: str | None
    subject: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    passed: bool | None = None


@dataclass(frozen=True)
class Location:
    """A code location, loaded, with the names of what it serves."""

    jobs: frozenset[str]
    schedules: frozenset[str]
    assets: frozenset[str]


@dataclass(frozen=True)
class Daemon:
    """The health of one daemon; the heartbeat is in seconds since the epoch, None before it."""

    kind: str
    is_required: bool
    is_healthy: bool
    heartbeat_at: float | None
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Tick:
    """One evaluation of a schedule; the time is the one it was due, since the epoch."""

    status: str
    due_at: float
    run_ids: tuple[str, ...]
    error: str | None


def unwrap(answer: dict[str, Any], wanted: str) -> dict[str, Any]:
    """Return the answer when it has the GraphQL type that was hoped for; refuse all others."""
    kind = answer["__typename"]
    if kind != wanted:
        message = answer.get("message") or str(answer.get("errors", "no reason given"))
        raise Refused(kind, message)
    return answer


def run_of(answer: dict[str, Any]) -> Run:
    return Run(
        run_id=answer["runId"],
        job=answer["jobName"],
        status=answer["status"],
        created_at=answer["creationTime"],
        started_at=answer["startTime"],
        ended_at=answer["endTime"],
        tags={tag["key"]: tag["value"] for tag in answer["tags"]},
    )


def event_of(answer: dict[str, Any]) -> Event:
    evaluation = answer.get("evaluation") or {}
    failure = answer.get("failureMetadata") or {}
    asset = answer.get("assetKey")
    subject = evaluation.get("checkName") or ("/".join(asset["path"]) if asset else None)
    entries = (
        answer.get("metadataEntries")
        or evaluation.get("metadataEntries")
        or failure.get("metadataEntries")
        or []
    )
    error = answer.get("error")
    reasons = [failure["description"]] if failure.get("description") else []
    if error:
        reasons += [error["message"], *(cause["message"] for cause in error["causes"])]
    return Event(
        kind=answer["__typename"],
        message=answer.get("message", ""),
        step=answer.get("stepKey"),
        subject=subject,
        metadata={entry["label"]: _value(entry) for entry in entries},
        reasons=tuple(reasons),
        passed=evaluation.get("success"),
    )


def _value(entry: dict[str, Any]) -> Any:
    # An integer beyond 32 bits travels as text: GraphQL's Int cannot hold it.
    if "intRepr" in entry:
        return int(entry["intRepr"])
    keys = ("floatValue", "boolValue", "text", "jsonString")
    return next((entry[key] for key in keys if key in entry), None)
