"""Where a project is: the nearest folder upwards that says so in its pyproject.toml, as for dg.

Source: https://docs.dagster.io/guides/build/projects-and-components/dg-configuration-file
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from floe_tests.core.errors import ConfigurationError
from floe_tests.core.json_values import is_object

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
# Each file, and the tables that lead to the project's own.
_FILES = (("dg.toml", ("project",)), ("pyproject.toml", ("tool", "dg", "project")))


@dataclass(frozen=True)
class Project:
    """A folder with tiers.

    Attributes:
        root: The folder; relative paths in a tier's settings start here.
        root_module: The project's Python package.
        defs_module: The package below which a folder is a tier.
        definitions_module: What Dagster loads.
    """

    root: Path
    root_module: str
    defs_module: str
    definitions_module: str

    @property
    def source(self) -> Path:
        """The folder that the package is imported from: `src`, where the project has one."""
        source = self.root / "src"
        return source if (source / _path_of(self.root_module)).is_dir() else self.root

    @property
    def package(self) -> Path:
        """The folder of the package."""
        return self.source / _path_of(self.root_module)

    @property
    def defs(self) -> Path:
        """The folder of the tiers."""
        return self.source / _path_of(self.defs_module)


def find_project(start: Path) -> Project | None:
    """Return the project that a folder is in; None where there is none.

    Args:
        start: The folder to look in first, then in those above it.

    Raises:
        ConfigurationError: The file that describes it is wrong.
    """
    folder = start.absolute()
    for root in (folder, *folder.parents):
        found = _project_in(root)
        if found is not None:
            return found
    return None


def require_project(start: Path) -> Project:
    """Return the project that a folder is in.

    Raises:
        ConfigurationError: It is in none, or the file that describes it is wrong.
    """
    found = find_project(start)
    if found is None:
        message = (
            f"{start.absolute()} is in no project: neither it nor a folder above it has a "
            "pyproject.toml with [tool.dg.project]. `floe-tests init` starts a project here."
        )
        raise ConfigurationError(message)
    return found


def project_at(root: Path) -> Project:
    """Return the project whose folder this is.

    Raises:
        ConfigurationError: It is none.
    """
    found = _project_in(root.absolute())
    if found is None:
        message = (
            f"{root} is no project: it has no pyproject.toml with [tool.dg.project]. "
            "`floe-tests init` starts one."
        )
        raise ConfigurationError(message)
    return found


def project_with(file: Path) -> Project:
    """Return the project whose package holds a file.

    A package in the .venv of somebody's project is below that project, and not a part of it.

    Args:
        file: The file, such as the definitions.py that asks.

    Raises:
        ConfigurationError: The file is in no project's package.
    """
    path = file.absolute()
    for root in path.parents:
        found = _project_in(root)
        if found is not None and path.is_relative_to(found.package):
            return found
    message = (
        f"{path} belongs to no project: no folder above it has a pyproject.toml whose "
        "[tool.dg.project] names this package as root_module. Load the definitions of your own "
        "project, such as `-m my_project.definitions`; `floe-tests init` starts one."
    )
    raise ConfigurationError(message)


def _path_of(module: str) -> Path:
    return Path(*module.split("."))


def _project_in(root: Path) -> Project | None:
    for name, tables in _FILES:
        file = root / name
        if file.is_file():
            table: object = _read(file)
            for key in tables:
                table = table.get(key) if is_object(table) else None
            if table is not None:
                return _checked(table, file)
    return None


def _read(file: Path) -> object:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}. Mend its permissions."
        raise ConfigurationError(message) from error
    except ValueError as error:  # no TOML, or no UTF-8
        message = f"{file} is no TOML: {error}. Mend it there."
        raise ConfigurationError(message) from error


def _checked(table: object, file: Path) -> Project:
    where = f"{file}: [tool.dg.project]" if file.name == "pyproject.toml" else f"{file}: [project]"
    if not is_object(table):
        message = f"{where} is no table. Write `root_module = ...` below it."
        raise ConfigurationError(message)
    module = _module(table, "root_module", where)
    if module is None:
        message = f"{where} has no root_module. Name the project's Python package."
        raise ConfigurationError(message)
    return Project(
        root=file.parent,
        root_module=module,
        defs_module=_module(table, "defs_module", where) or f"{module}.defs",
        definitions_module=_module(table, "code_location_target_module", where)
        or f"{module}.definitions",
    )


def _module(table: dict[str, object], key: str, where: str) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not _MODULE.fullmatch(value):
        message = f"{where} {key} = {value!r} is no name of a Python module."
        raise ConfigurationError(message)
    return value
