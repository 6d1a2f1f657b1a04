"""A project of its own for a test, on disk, and a machine whose clock is set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil
import pytest

if TYPE_CHECKING:
    import dagster as dg

PYPROJECT = """\
[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "{package}"
"""

DEFINITIONS = """\
import floe_tests

defs = floe_tests.project(__file__)
"""


@dataclass(frozen=True)
class Project:
    """A Dagster project with tiers of this package, as a team has one.

    Attributes:
        root: Its folder.
        package: Name of its Python package; one project's modules must not be taken for another's.
    """

    root: Path
    package: str

    def write(self, path: str, text: str) -> Path:
        """Write a file below the project's folder."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def tier(self, attributes: str, *, folder: str = "tier") -> Path:
        """Write a tier's defs.yaml from its attributes, which are indented as in the file."""
        path = f"{self.package}/defs/{folder}/defs.yaml"
        return self.write(path, f"type: floe_tests.TestTier\nattributes:\n{attributes}")

    def load(self) -> dg.Definitions:
        """Load it as Dagster does."""
        from floe_tests.config.discovery import project_at
        from floe_tests.orchestration.project import definitions_of

        return definitions_of(project_at(self.root))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Make an empty project that can be imported."""
    made = Project(root=tmp_path / "project", package=f"project_{uuid4().hex[:8]}")
    made.write("pyproject.toml", PYPROJECT.format(package=made.package))
    made.write(f"{made.package}/__init__.py", "")
    made.write(f"{made.package}/definitions.py", DEFINITIONS)
    monkeypatch.syspath_prepend(str(made.root))
    return made


# Where this package asks what time it is, and something depends on it that is removed or stays.
CLOCKS = (
    "core.clock",
    "environments.existing_cluster",
    "environments.lease",
    "environments.namespace",
)


@pytest.fixture
def step_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set this machine's clock by some hours, as a person or NTP does; others keep their time."""
    booted_at = psutil.boot_time()

    def step(hours: float) -> None:
        by = timedelta(hours=hours)

        class Stepped(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # pyright: ignore[reportIncompatibleMethodOverride] - a plain datetime, as everybody expects
                return datetime.now(tz or UTC) + by

        for module in CLOCKS:
            monkeypatch.setattr(f"floe_tests.{module}.datetime", Stepped)
        # The kernel tells when it booted by the clock of now: it moves with it.
        monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted_at + by.total_seconds())

    return step
