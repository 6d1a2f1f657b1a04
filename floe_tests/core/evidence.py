"""What a verdict rests on: one observed fact of one object.

A red run is only useful when it says what was seen, and where. Errors and verdicts therefore carry
evidence, never a bare sentence.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """One fact, as it was read.

    Attributes:
        subject: The object, as kubectl names it (`pod/integration-x7`), or a program or file.
        field: Where in the object the value stands (`status.phase`, `exit code`).
        value: What stood there, as text of at most a few kilobytes.
        time: When it was so (ISO 8601, UTC), where the object says it.
    """

    subject: str
    field: str
    value: str
    time: str | None = None

    def __str__(self) -> str:
        """Return the evidence as one line."""
        when = f" at {self.time}" if self.time else ""
        return f"{self.subject} {self.field}: {self.value}{when}"
