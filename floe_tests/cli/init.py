"""`floe-tests init`: a project that runs, from a chart or from nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from floe_tests.cli.common import fail, working_folder
from floe_tests.core.errors import FloeTestsError
from floe_tests.results.cases import legible

if TYPE_CHECKING:
    from floe_tests.scaffold.chart import ChartFound

_TIER = "smoke"


def init(  # noqa: PLR0913 - one a choice, all with defaults
    folder: Annotated[
        Path, typer.Argument(help="The project's folder; the working folder without it.")
    ] = Path(),
    *,
    chart: Annotated[
        str | None,
        typer.Option(
            help="The Helm chart to test: a folder, a .tgz file, an oci:// address, or its name in "
            "--repo. Without one, the tier tests the cluster."
        ),
    ] = None,
    repo: Annotated[
        str | None, typer.Option(help="Address of the HTTP repository that has the chart.")
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Version of a chart from elsewhere; the newest without it.")
    ] = None,
    values: Annotated[
        list[Path] | None, typer.Option(help="A values file for the chart; may be repeated.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the project; that of the chart or folder else.")
    ] = None,
    ci: Annotated[
        str | None, typer.Option(help="Also write what runs the tier in CI: `github`, `gitlab`.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Write over files that exist.")] = False,
) -> None:
    """Start a project: one tier that runs as it is, from a chart or from nothing.

    Nothing is asked, and no file that exists is changed without --force.
    """
    from floe_tests.scaffold import files

    if ci is not None and ci not in files.CI_FILES:
        fail(f"--ci {ci}: choose one of {', '.join(files.CI_FILES)}.")
    if chart is None and (repo or version or values):
        fail("--repo, --version and --values are of a chart: name it with --chart.")
    if name is not None and not any(each.isascii() and each.isalnum() for each in name):
        fail(f"--name {name}: namespaces are named after it. Choose one with a letter, a to z.")
    root = working_folder() / folder
    try:
        found = _chart(chart, root, repo, version, values or [])
        planned = _planned(root, found, name, ci, _relative(values or [], root))
        _require_free(root, planned, force=force)
        files.write(planned)
    except (FloeTestsError, OSError) as error:
        fail(str(error))
    _say(root, folder, files.tree(root, planned), found)


def _chart(
    chart: str | None, root: Path, repo: str | None, version: str | None, values: list[Path]
) -> ChartFound | None:
    if chart is None:
        return None
    from floe_tests.scaffold.chart import find_chart, looked_at

    missing = [str(file) for file in values if not file.is_file()]
    if missing:
        fail(f"--values {missing[0]}: there is no such file.")
    found = find_chart(chart, root=root, repository=repo, version=version)
    return looked_at(
        found,
        root=root,
        values_files=_relative(values, root),
        log=console_line,
    )


def console_line(line: str) -> None:
    """Print what is done meanwhile."""
    typer.echo(line)


def _relative(values: list[Path], root: Path) -> tuple[str, ...]:
    return tuple(os.path.relpath(file.resolve(), root.resolve()) for file in values)


def _planned(
    root: Path,
    chart: ChartFound | None,
    name: str | None,
    ci: str | None,
    values_files: tuple[str, ...],
) -> dict[Path, str]:
    from floe_tests.scaffold import files
    from floe_tests.scaffold.names import label_from, package_from

    label = label_from(name or (chart.release if chart else root.resolve().name), default="project")
    package = package_from(label)
    inside = {
        **files.project_files(package),
        **files.tier_files(
            f"{package}/defs",
            _TIER,
            namespace=label,
            chart=chart,
            values_files=values_files,
        ),
    }
    planned = {root / path: content for path, content in inside.items()}
    if ci is not None:
        planned |= files.ci_files(ci, _TIER, root=root.resolve())
    return planned


def _require_free(root: Path, planned: dict[Path, str], *, force: bool) -> None:
    from floe_tests.config.discovery import find_project
    from floe_tests.core.errors import ConfigurationError
    from floe_tests.scaffold import files

    there = files.existing(planned)
    if not there or force:
        return
    shown = "\n".join(f"  {path}" for path in there)
    project = find_project(root)
    more = (
        "`dg scaffold defs floe_tests.TestTier NAME` adds a tier to the project that is here."
        if project is not None and project.root == root.resolve()
        else "`floe-tests init FOLDER` starts a project in a folder of its own."
    )
    message = (
        f"nothing was written, because these files are there already:\n{shown}\n{more} "
        "--force writes over them."
    )
    raise ConfigurationError(message)


def _say(root: Path, folder: Path, tree: list[str], chart: ChartFound | None) -> None:
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    console.print(f"{root.resolve()}", markup=False)
    for line in tree:
        console.print(legible(f"  {line}"), markup=False)
    for note in chart.notes if chart else ():
        console.print(legible(f"\nNote: {note}."), markup=False)
    change = "" if folder == Path() else f"cd {folder} && "
    if chart is not None and chart.needs_values:
        console.print(
            legible(
                f"\nThe chart cannot be installed without values: {chart.needs_values}\n"
                f"Write them below `values:` in defs/{_TIER}/defs.yaml, or give --values FILE."
            ),
            markup=False,
        )
    console.print(f"\nNext: {change}floe-tests run {_TIER} -e kind", markup=False)
