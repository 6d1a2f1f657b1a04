"""The tiers of a project as Dagster loads them: a wrong one is a job that fails, the others run.

Dagster loads all components or none. A tier that vanished would be worse still: its schedule would
be silent, and nobody would miss it. So each tier that cannot run has a job of its name, which fails
at once and says why.
"""

# Dagster's tree of components is typed in part.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster._utils.warnings import suppress_dagster_warnings
from dagster.components.core.decl import (
    ComponentDecl,
    DefsFolderDecl,
    build_filesystem_component_decl_from_context,
)
from dagster.components.core.defs_module import ComponentPath

from floe_tests.config.broken import BrokenTier, Problem
from floe_tests.config.discovery import Project
from floe_tests.config.loader import FILES, read_tiers
from floe_tests.config.project import output_of
from floe_tests.core.errors import ConfigurationError
from floe_tests.pipeline.refused_run import put_refusal

# Set by `dagster definitions validate` and `dg check defs`, which ask whether all is right.
_VALIDATES = "DAGSTER_IS_DEFS_VALIDATION_CLI"
LOGGER = "dagster.floe_tests"
_said: set[str] = set()


@suppress_dagster_warnings
def project_tiers(project: Project) -> dg.Definitions:
    """Load the tiers of a project, each by itself.

    Args:
        project: The project.

    Raises:
        ConfigurationError: A tier is wrong, and Dagster was asked whether all is right.
    """
    root = project.root
    tree = dg.ComponentTree.for_project(project.package)
    broken = {each.file: each for each in read_tiers(root).broken}
    defs, others = _without(tree, broken)
    wrong = (*broken.values(), *others)
    if not wrong:
        return defs
    told = "\n".join(each.text(root) for each in wrong)
    if os.environ.get(_VALIDATES):
        raise ConfigurationError(told)
    if told not in _said:  # Dagster loads them several times
        _said.add(told)
        logging.getLogger(LOGGER).warning(
            "%d of the project's tiers cannot run:\n%s", len(wrong), told
        )
    return dg.Definitions.merge(defs, *(_failing(each, root) for each in wrong))


def _without(
    tree: dg.ComponentTree, broken: Mapping[Path, BrokenTier]
) -> tuple[dg.Definitions, tuple[BrokenTier, ...]]:
    """Return what a project defines without its broken files, and what Dagster refuses besides."""
    refused: dict[Path, BrokenTier] = {}
    if not broken:
        try:
            return tree.build_defs(), ()
        except Exception:  # noqa: BLE001 - whatever a component raises, the others are built
            tree = dg.ComponentTree.for_project(tree.project_root)
    top = ComponentPath.from_path(tree.defs_module_path)
    left = _Left(tree, {*broken}, refused)
    tree.state_tracker.set_cache_data(top, component_decl=left.folder(tree.defs_module_path))
    return tree.build_defs(), tuple(refused.values())


class _Left:
    """The components of a project that Dagster can build."""

    def __init__(
        self, tree: dg.ComponentTree, broken: set[Path], refused: dict[Path, BrokenTier]
    ) -> None:
        """Keep the project.

        Args:
            tree: Its components.
            broken: Files to leave out.
            refused: Receives what cannot be built.
        """
        self._tree = tree
        self._broken = broken
        self._refused = refused

    def folder(self, path: Path) -> DefsFolderDecl:
        """Return a folder with what can be built of it."""
        place = ComponentPath.from_path(path)
        children = {
            below: decl
            for below in sorted(path.iterdir())
            if below.name != "__pycache__" and not below.name.startswith(".")
            for decl in self._below(below)
        }
        return DefsFolderDecl(
            context=self._tree.decl_load_context.for_component_loc(place),
            loc=place,
            children=children,
            source_tree=None,
            component_file_model=None,
        )

    def _below(self, path: Path) -> Iterator[ComponentDecl[Any]]:
        if path in self._broken or any(path / name in self._broken for name in FILES):
            return
        if path.is_dir() and not any((path / name).exists() for name in FILES):
            yield self.folder(path)
            return
        context = self._tree.decl_load_context.for_component_loc(ComponentPath.from_path(path))
        try:
            decl = build_filesystem_component_decl_from_context(context)
            if decl is None:
                return
            _require_buildable(self._tree, path, decl)
        except Exception as error:  # noqa: BLE001 - whatever a component raises is its own fault
            self._refused[path] = BrokenTier(path.stem, _file_of(path), (Problem(_cause(error)),))
            return
        yield decl


def _require_buildable(tree: dg.ComponentTree, path: Path, decl: ComponentDecl[Any]) -> None:
    tree.state_tracker.set_cache_data(decl.loc, component_decl=decl)
    for place, below in decl.iterate_loc_component_decl_pairs():
        tree.state_tracker.set_cache_data(place, component_decl=below)
    tree.build_defs(path)


def _file_of(path: Path) -> Path:
    return next((path / name for name in FILES if (path / name).is_file()), path)


def _cause(error: BaseException) -> str:
    """Return the words of the first error, which those around it only repeat with Dagster's own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"Dagster cannot load it: {type(error).__name__}: {' '.join(str(error).split())}"


def _failing(tier: BrokenTier, root: Path) -> dg.Definitions:
    """Return the asset and the job of a tier that cannot run; both say why."""
    name = tier.name.replace("-", "_")
    told = f"Tier {tier.name} cannot run.\n{tier.text(root)}"
    # Markdown would draw the lines together.
    shown = f"**This tier cannot run.** Mend the file, then reload.\n\n```\n{tier.text(root)}\n```"

    @dg.asset(key=[name, "cluster"], group_name=name, description=shown, kinds={"yaml"})
    def cannot_run() -> None:
        put_refusal(output_of(root, os.environ), tier.name, told)
        raise dg.Failure(description=told, allow_retries=False)

    job = cast(
        "dg.JobDefinition",
        dg.define_asset_job(name, selection=[cannot_run], description=shown),
    )
    return dg.Definitions(assets=[cannot_run], jobs=[job])
