"""What a tier's settings name: the charts, files and other tiers that must be there."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from floe_tests.config import quarantine, removals
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError


def problems_in(tier: TierSettings, root: Path) -> tuple[str, ...]:
    """Find what the settings name and the project does not have.

    Args:
        tier: The settings.
        root: The project's folder, which relative paths start from.

    Returns:
        One sentence a problem, with field and remedy; empty when all is there.
    """
    problems = [*_missing_of_releases(tier, root), *_missing_of_suites(tier, root)]
    problems += _wrong_lists(tier, root)
    followed = tier.triggers.after_green
    if followed is not None:
        # Whatever the project's package is called.
        file = f"*/defs/{followed}/defs.yaml"
        if not any((*root.glob(file), *root.glob(f"src/{file}"))):
            problems.append(
                f"triggers.after_green: there is no tier {followed!r}: no {file} under {root}."
            )
    if tier.embedded is not None and not (root / tier.embedded.code).is_dir():
        problems.append(f"embedded.code: {tier.embedded.code} is no folder under {root}.")
    return tuple(problems)


def _missing_of_releases(tier: TierSettings, root: Path) -> list[str]:
    problems: list[str] = []
    for index, release in enumerate(tier.releases):
        if not release.is_remote:
            chart = root / release.chart
            described = chart if chart.suffix == ".tgz" else chart / "Chart.yaml"
            if not described.is_file():
                problems.append(
                    f"releases[{index}].chart: {release.chart} is no Helm chart: {described} is "
                    "missing. Give the chart's folder or .tgz file, relative to the project."
                )
        problems += _missing(f"releases[{index}].values_files", release.values_files, root)
    return problems


def _missing_of_suites(tier: TierSettings, root: Path) -> list[str]:
    problems: list[str] = []
    for index, suite in enumerate(tier.suites):
        if suite.before is not None:
            files = suite.before.values_files
            problems += _missing(f"suites[{index}].before.values_files", files, root)
    jobs = [
        f"suites[{index}].job: {suite.job} does not exist under {root}. Give the path of a "
        "test-job.yaml."
        for index, suite in enumerate(tier.suites)
        if suite.job is not None and not (root / suite.job).is_file()
    ]
    folders = [
        f"suites[{index}].mounted.folder: {suite.mounted.folder} is no folder under {root}. Give "
        "the folder with the suite's tests."
        for index, suite in enumerate(tier.suites)
        if suite.mounted is not None and not (root / suite.mounted.folder).is_dir()
    ]
    return problems + jobs + folders


def _missing(field: str, names: tuple[str, ...], root: Path) -> list[str]:
    return [
        f"{field}: {name} does not exist under {root}."
        for name in names
        if not (root / name).is_file()
    ]


def _wrong_lists(tier: TierSettings, root: Path) -> list[str]:
    """Find what is wrong in the lists that are reviewed like code."""
    problems: list[str] = []
    try:
        if tier.quarantine is not None:
            quarantine.read(root / tier.quarantine, today=date.min)
    except ConfigurationError as error:
        problems.append(f"quarantine: {error}")
    try:
        if tier.removals is not None:
            removals.read(root / tier.removals, today=date.min)
    except ConfigurationError as error:
        problems.append(f"removals: {error}")
    return problems
