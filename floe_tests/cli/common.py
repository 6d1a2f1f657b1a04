"""What every command needs: the project, its tiers, and how an error is said."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from floe_tests.config.discovery import Project, find_project, require_project
from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.results.cases import legible

# Either says where the history is, which is all that some commands need.
_HISTORY_VARIABLES = ("FLOE_TESTS_HISTORY", "DAGSTER_HOME")


@cache
def current_project() -> Project:
    """Return the project that the working folder is in, or end with what is wrong with it."""
    try:
        return require_project(working_folder())
    except FloeTestsError as error:
        fail(str(error))


def working_folder() -> Path:
    """Return the working folder, or end where somebody has deleted it."""
    try:
        return Path.cwd()
    except OSError as error:
        fail(f"the working folder is gone ({error.strerror}). Change to another.")


def known_tiers(root: Path) -> tuple[TierSettings, ...]:
    """Return the tiers of the project, or end with what is wrong with them."""
    from floe_tests.config.loader import load_tiers

    try:
        return load_tiers(root)
    except FloeTestsError as error:
        fail(str(error))


def workspace_of(variables: Mapping[str, str]) -> Workspace:
    """Return the project as the environment says it, or end with what is wrong there.

    What is done with a history alone, such as an import, needs no project where a variable names
    the history.
    """
    try:
        found = find_project(working_folder())
        is_named = any(variables.get(name) for name in _HISTORY_VARIABLES)
        root = working_folder() if found is None and is_named else current_project().root
        return Workspace.from_environment(root, variables)
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
