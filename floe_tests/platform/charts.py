"""Where a chart comes from: a folder or an archive of the project, a registry, a repository."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml

from floe_tests.config.release import ReleaseSettings
from floe_tests.core import program
from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import ConfigurationError, FloeTestsError, ProgramError
from floe_tests.core.json_values import is_array, is_object
from floe_tests.core.log import Log
from floe_tests.platform.image_prefix import post_renderer

_SECONDS = 120.0
# As the charts of this project call it.
_OWN_PREFIX = "global.imageRegistryPrefix"
_NO_REPOSITORY = "no repository definition"


def chart_words(release: ReleaseSettings, root: Path) -> list[str]:
    """Return the words by which helm finds a release's chart.

    Args:
        release: The tier's settings for it.
        root: The project's folder.
    """
    chart = release.chart if release.is_remote else str(root / release.chart)
    words = [chart]
    if release.repository is not None:
        words += ["--repo", release.repository]
    if release.version is not None:
        words += ["--version", release.version]
    return words


def prefix_words(release: ReleaseSettings, root: Path, *, prefix: str) -> list[str]:
    """Return the words by which helm puts the registry prefix before a release's images.

    Args:
        release: The tier's settings for it.
        root: The project's folder.
        prefix: The prefix, with its final slash; empty for none.
    """
    if not prefix:
        return []
    values = {
        name: text.replace("{prefix}", prefix).replace("{registry}", prefix.rstrip("/"))
        for name, text in release.image_values.items()
    }
    if not release.is_remote and _has_prefix_of_its_own(root / release.chart):
        values = {_OWN_PREFIX: prefix, **values}
    words = [word for name, value in values.items() for word in ("--set-string", f"{name}={value}")]
    return [*words, *(post_renderer(prefix) if release.prefix_images else ())]


def _has_prefix_of_its_own(chart: Path) -> bool:
    """Whether a chart's values have the prefix. Others may refuse what they do not know."""
    try:
        values: object = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    for key in _OWN_PREFIX.split("."):
        if not is_object(values) or key not in values:
            return False
        values = values[key]
    return True


def unbuilt_dependencies(chart: Path) -> tuple[str, ...]:
    """Return which dependencies of a chart's folder are not in its `charts` yet.

    Args:
        chart: The folder; what is none has no dependencies that could be built.
    """
    try:
        document: object = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return ()
    listed = document.get("dependencies") if is_object(document) else None
    names = [
        str(each.get("name")) for each in (listed if is_array(listed) else []) if is_object(each)
    ]
    inside = chart / "charts"
    return tuple(
        name
        for name in dict.fromkeys(names)
        if not (inside / name).is_dir() and not any(inside.glob(f"{name}-*.tgz"))
    )


def build_dependencies(chart: Path, *, log: Log) -> None:
    """Fetch what a chart's folder depends on and lacks, as `helm dependency build` does.

    Args:
        chart: The folder.
        log: Hears of it.

    Raises:
        ConfigurationError: They cannot be had.
    """
    missing = unbuilt_dependencies(chart)
    if not missing:
        return
    log(f"chart {chart.name}: helm dependency build, for {', '.join(missing)}")
    try:
        _build(chart)
    except ProgramError as error:
        message = (
            f"chart {chart} depends on {', '.join(missing)}, which cannot be had:\n"
            f"{error.output_tail}\nThe command was `{error.command}`: run it by hand."
        )
        raise ConfigurationError(message) from error


def _build(chart: Path) -> None:
    command = ["helm", "dependency", "build", str(chart)]
    try:
        program.run(command, deadline=Deadline(_SECONDS))
    except ProgramError as error:
        if _NO_REPOSITORY not in error.output_tail:
            raise
        # helm wants each HTTP repository to be added first. Whose account this is keeps his list.
        with tempfile.TemporaryDirectory(prefix="floe-helm-") as folder:
            own = [f"--repository-config={folder}/list.yaml", f"--repository-cache={folder}"]
            for number, address in enumerate(_repositories(chart)):
                added = ["helm", "repo", "add", f"r{number}", address, *own]
                program.run(added, deadline=Deadline(_SECONDS))
            program.run([*command, *own], deadline=Deadline(_SECONDS))


def _repositories(chart: Path) -> tuple[str, ...]:
    """Return the HTTP repositories of a chart's dependencies."""
    document: object = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    listed = document.get("dependencies") if is_object(document) else None
    found = (
        str(each.get("repository") or "")
        for each in (listed if is_array(listed) else [])
        if is_object(each)
    )
    return tuple(dict.fromkeys(one for one in found if one.startswith(("http://", "https://"))))


def shown_version(words: list[str]) -> str:
    """Return the version of the chart that helm finds.

    Args:
        words: As `chart_words` gives them.

    Raises:
        FloeTestsError: It cannot be had.
    """
    text = program.run(["helm", "show", "chart", *words], deadline=Deadline(_SECONDS))
    document: object = yaml.safe_load(text)
    version = document.get("version") if is_object(document) else None
    if not isinstance(version, str):
        message = f"helm shows no version of chart {words[0]}."
        raise FloeTestsError(message)
    return version
