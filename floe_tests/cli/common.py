"""What every command needs: the project, its tiers, and how an error is said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.results.cases import legible

ROOT = Path(__file__).resolve().parents[2]


def known_tiers(root: Path) -> tuple[TierSettings, ...]:
    """Return the tiers of the project, or end with what is wrong with them."""
    from floe_tests.config.loader import load_tiers

    try:
        return load_tiers(root)
    except FloeTestsError as error:
        fail(str(error))


def workspace_of(variables: Mapping[str, str]) -> Workspace:
    """Return the project as the environment says it, or end with what is wrong there."""
    try:
        return Workspace.from_environment(ROOT, variables)
    except FloeTestsError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Say what is wrong and end with exit code 2, which is not that of a red run."""
    complain(message)
    raise typer.Exit(2)


def complain(message: str) -> None:
    """Print an error."""
    # Names of files and of what is in them are part of it.
    Console(stderr=True, highlight=False, soft_wrap=True).print(legible(message), markup=False)
