"""The files of a new project and of a new tier, from templates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from floe_tests.core.version import __version__
from floe_tests.scaffold.chart import ChartFound

_TEMPLATES = Path(__file__).with_name("templates")
# What runs a tier in each CI, at the top of the repository.
CI_FILES = {"github": ".github/workflows/floe-tests.yml", "gitlab": ".gitlab-ci.yml"}


def project_files(package: str) -> dict[str, str]:
    """Return the files of a project without tiers, by path.

    Args:
        package: Name of its Python package.
    """
    return {
        "pyproject.toml": _filled("pyproject.toml.j2", package=package),
        f"{package}/__init__.py": "",
        f"{package}/definitions.py": _filled("definitions.py.j2"),
        "dagster_home/dagster.yaml": (_TEMPLATES / "dagster.yaml").read_text(),
        ".gitignore": _filled("gitignore.j2"),
    }


def tier_files(
    defs: str, tier: str, *, namespace: str, chart: ChartFound | None, values_files: tuple[str, ...]
) -> dict[str, str]:
    """Return the files of a tier, by path: its settings, its Job and its suite.

    Args:
        defs: Path of the project's defs folder.
        tier: Name of the tier.
        namespace: Prefix of its namespaces.
        chart: The chart that it installs.
        values_files: Values files of the release.
    """
    values: dict[str, object] = {
        "tier": tier,
        "folder": tier,
        "namespace": namespace,
        "chart": chart,
        "values_files": list(values_files),
        "pod_security": chart.pod_security if chart else "restricted",
        "description": "The release comes up, answers, and survives an upgrade."
        if chart
        else "The cluster finds names, has an API server, and restricts pods.",
    }
    suite = "test_release.py" if chart else "test_cluster.py"
    return {
        f"{defs}/{tier}/defs.yaml": _filled("defs.yaml.j2", **values),
        f"tests/{tier}/test-job.yaml": _filled("test-job.yaml.j2", **values),
        f"tests/{tier}/{suite}": _filled(f"{suite}.j2", **values),
    }


def ci_files(ci: str, tier: str, *, root: Path) -> dict[Path, str]:
    """Return the files by which a CI runs a tier, at the top of the repository.

    Args:
        ci: The CI, one of CI_FILES.
        tier: Name of the tier.
        root: The folder of the project.
    """
    top = next((each for each in (root, *root.parents) if (each / ".git").exists()), root)
    directory = os.path.relpath(root, top)
    values = {
        "tier": tier,
        "directory": directory,
        "prefix": "" if directory == "." else f"{directory}/",
    }
    return {top / CI_FILES[ci]: _filled(f"ci/{ci}.yml.j2", **values)}


def existing(files: Mapping[Path, str]) -> list[Path]:
    """Return which of the files are there already."""
    return [path for path in files if path.exists() or path.is_symlink()]


def write(files: Mapping[Path, str]) -> None:
    """Write files, with the folders that they need."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def tree(root: Path, files: Mapping[Path, str]) -> list[str]:
    """Return files as a short tree, a line each."""
    lines: list[str] = []
    shown: set[Path] = set()
    for path in sorted(Path(os.path.relpath(each, root)) for each in files):
        for folder in reversed(path.parents[:-1]):
            if folder not in shown:
                shown.add(folder)
                lines.append(f"{'  ' * (len(folder.parts) - 1)}{folder.name}/")
        lines.append(f"{'  ' * (len(path.parts) - 1)}{path.name}")
    return lines


def _filled(template: str, **values: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - YAML, TOML and Python
    )
    return environment.get_template(template).render(version=__version__, **values)
