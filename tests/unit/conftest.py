"""What several rooms' tests share."""

from __future__ import annotations

from tests.support.project import project, step_clock

__all__ = ["project", "step_clock"]
