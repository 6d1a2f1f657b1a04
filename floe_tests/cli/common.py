"""What every command needs: the project and its tiers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from rich.console import Console

from floe_tests.cli.panel import fail, show_broken
from floe_tests.config.broken import Tiers
from floe_tests.config.discovery import Project, find_project, require_project
from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.config.wording import meant
from floe_tests.core.errors import FloeTestsError
from floe_tests.results.cases import legible

__all__ = [
    "complain",
    "current_project",
    "fail",
    "known_tiers",
    "mention_broken_tiers",
    "project_tiers",
    "tier_named",
    "working_folder",
    "workspace_of",
]

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


def project_tiers(root: Path) -> Tiers:
    """Return the tiers of the project, those that cannot run among them."""
    from floe_tests.config.loader import read_tiers

    return read_tiers(root)


def known_tiers(root: Path) -> tuple[TierSettings, ...]:
    """Return the tiers of the project that can run, and say which cannot."""
    tiers = project_tiers(root)
    show_broken(tiers.broken, root)
    return tiers.good


def tier_named(name: str, root: Path) -> TierSettings:
    """Return a tier by its name or its job's, or end where there is none or it is wrong."""
    tiers = project_tiers(root)
    broken = tiers.broken_named(name)
    if broken is not None:
        fail(broken.text(root), title=f"tier {broken.name} cannot run")
    found = [each for each in tiers.good if name in {each.name, each.name.replace("-", "_")}]
    if not found:
        there = ", ".join(tiers.names) or "none"
        fail(f"there is no tier {name}.{meant(name, tiers.names)} There are: {there}.")
    return found[0]


def mention_broken_tiers() -> None:
    """Say which tiers of the project cannot run, beside a command that needs none of them."""
    # What is wrong with the project itself, the command says where it needs one.
    with contextlib.suppress(FloeTestsError):
        found = find_project(working_folder())
        if found is not None:
            show_broken(project_tiers(found.root).broken, found.root)


def workspace_of(variables: Mapping[str, str]) -> Workspace:
    """Return the project as the environment says it, or end with what is wrong there.

    What is done with a history alone, such as an import, needs no project where a variable names
    the history.
    """
    home = variables.get("DAGSTER_HOME", "")
    if home and not Path(home).is_absolute():
        fail(
            f"DAGSTER_HOME={home} is no absolute path, and Dagster takes no other. "
            f"export DAGSTER_HOME={Path(home).absolute()}"
        )
    try:
        found = find_project(working_folder())
        is_named = any(variables.get(name) for name in _HISTORY_VARIABLES)
        root = working_folder() if found is None and is_named else current_project().root
        return Workspace.from_environment(root, variables)
    except FloeTestsError as error:
        fail(str(error))


def complain(message: str) -> None:
    """Print what went wrong beside what the command was asked for."""
    # Names of files and of what is in them are part of it.
    Console(stderr=True, highlight=False, soft_wrap=True).print(legible(message), markup=False)
