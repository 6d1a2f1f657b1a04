"""This machine: packages, folders, disk, the history's database."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from floe_tests.config.project import Workspace
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.doctor.check import Check, State

if TYPE_CHECKING:
    from sqlalchemy import URL

_PACKAGE = "floe-tests"
_GIB = 1024**3
# A run's files are capped at some ten MB a suite; the history grows by about a MB a thousand tests.
_DISK_FAILED_GIB = 0.2
_DISK_WARNING_GIB = 1.0
# A volume that fills up is told of in time: a nightly soak leaves tens of MB. A large disk that is
# mostly full has room all the same.
_FULL_SHARE, _ROOMY_GIB = 0.8, 10.0
_FULL_INODES = 0.9
_REINSTALL = "pip install --upgrade floe-tests   (in a clone: make setup)"
_HISTORY_REMEDY = "export FLOE_TESTS_HISTORY=sqlite:////path/history.db   (or postgresql://...)"


def check_packages(*, extras: tuple[str, ...] = ()) -> tuple[Check, ...]:
    """Look at Python, Dagster, and every package that this project names.

    Args:
        extras: Extras whose packages count as well.
    """
    wrong: list[str] = []
    for text in importlib.metadata.requires(_PACKAGE) or ():
        wanted = Requirement(text)
        chosen = [{"extra": extra} for extra in ("", *extras)]
        if wanted.marker and not any(wanted.marker.evaluate(where) for where in chosen):
            continue
        found = _version_of(wanted.name)
        if found is None and not wanted.extras:
            wrong.append(f"{wanted.name} is missing")
        elif found is not None and not wanted.specifier.contains(found, prereleases=True):
            wrong.append(f"{wanted.name} is {found}, not {wanted.specifier}")
    python = ".".join(str(number) for number in sys.version_info[:3])
    return (
        Check("Python", "ok", python),
        Check("Dagster", "failed", "not installed", _REINSTALL)
        if (dagster := _version_of("dagster")) is None
        else Check("Dagster", "ok", dagster),
        Check("packages", "failed", "; ".join(wrong), _REINSTALL)
        if wrong
        else Check("packages", "ok", "as pyproject.toml asks"),
    )


def check_home(workspace: Workspace, environ: Mapping[str, str]) -> Check:
    """Look at DAGSTER_HOME: leases and Dagster's own history are in it.

    Args:
        workspace: The project.
        environ: The variables, as `os.environ`.
    """
    name, home = "DAGSTER_HOME", workspace.home
    given = environ.get("DAGSTER_HOME", "")
    remedy = f"export DAGSTER_HOME={workspace.root / 'dagster_home'}"
    if given and not Path(given).is_absolute():
        return Check(name, "failed", f"{given} is not absolute; Dagster refuses it", remedy)
    problem = _not_writable(home)
    if problem:
        return Check(name, "failed", problem, f"mkdir -p {home} && chmod u+rwx {home}")
    if not given:
        return Check(
            name,
            "warning",
            f"not set. `floe-tests` uses {home}; `dagster` alone would forget every run",
            remedy,
        )
    if not (home / "dagster.yaml").is_file():
        return Check(
            name,
            "warning",
            f"{home} has no dagster.yaml: no queue, no limits, no run monitoring",
            f"cp {workspace.root / 'dagster_home' / 'dagster.yaml'} {home}",
        )
    return Check(name, "ok", str(home))


def check_output(workspace: Workspace) -> tuple[Check, ...]:
    """Look at where results go, and at the disk below."""
    problem = _not_writable(workspace.output)
    if problem:
        remedy = "export FLOE_TESTS_OUTPUT=$PWD/output"
        return (Check("results", "failed", problem, remedy),)
    where = {"results": _existing(workspace.output), "DAGSTER_HOME": _existing(workspace.home)}
    volumes = {path.stat().st_dev: (name, path) for name, path in reversed(where.items())}
    return (
        Check("results", "ok", str(workspace.output)),
        *(_disk(name, path) for name, path in reversed(volumes.values())),
    )


def _disk(name: str, path: Path) -> Check:
    """Look at a volume that grows with every run, so that it is known before it is full."""
    usage, volume = shutil.disk_usage(path), os.statvfs(path)
    free, share = usage.free / _GIB, usage.used / (usage.total or 1)
    no_names = volume.f_files > 0 and volume.f_favail < (1 - _FULL_INODES) * volume.f_files
    state: State = "ok"
    if free < _DISK_FAILED_GIB:
        state = "failed"
    elif free < _DISK_WARNING_GIB or no_names or (share >= _FULL_SHARE and free < _ROOMY_GIB):
        state = "warning"
    names = f", {volume.f_favail} more files" if no_names else ""
    found = f"{free:.1f} GiB free for {name}, {share:.0%} full{names}"
    return Check("disk", state, found, "" if state == "ok" else "floe-tests prune   (then --yes)")


def check_history(workspace: Workspace) -> Check:
    """Look at the history: it opens, and has a schema that this version knows."""
    from floe_tests.results.history import database

    try:
        url = database.parsed(workspace.history_url)
    except FloeTestsError as error:
        return Check("history", "failed", str(error), _HISTORY_REMEDY)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        file = Path(url.database)
        problem = _not_writable(file.parent) or (
            _not_writable(file, is_folder=False) if file.exists() else None
        )
        if problem:
            return Check("history", "failed", problem, f"chmod u+rw {file}")
        if not file.exists():
            return Check("history", "ok", f"{file} does not exist yet; the first run creates it")
    return _schema(url)


def _schema(url: URL) -> Check:
    from sqlalchemy.exc import SQLAlchemyError

    from floe_tests.results.history import database, migration

    shown = url.render_as_string(hide_password=True)
    try:
        engine = database.engine_for(url)
        try:
            with engine.connect() as connection:
                version, known = migration.version(connection), migration.revisions()
        finally:
            engine.dispose()
    # ImportError: there is no driver for it.
    except (SQLAlchemyError, FloeTestsError, ImportError) as error:
        found = f"{shown} does not open: {first_line(error)}"
        return Check("history", "failed", found, _HISTORY_REMEDY)
    if version is not None and version not in known:
        found = f"{shown} was written by a newer version (schema {version})"
        remedy = "Upgrade floe-tests, or name another database with FLOE_TESTS_HISTORY."
        return Check("history", "failed", found, remedy)
    if version != migration.head():
        found = f"{shown} has schema {version or 'none'}; the next run brings it to the newest"
        return Check("history", "ok", found)
    return Check("history", "ok", f"{shown}, schema {version}")


def check_local(command: tuple[str, ...] | None) -> Check | None:
    """Look at the program of a suite that runs as a process of this machine."""
    if not command:
        return None
    beside = Path(sys.executable).with_name(command[0])
    if shutil.which(command[0]) or beside.is_file():
        return Check(command[0], "ok", "there")
    return Check(command[0], "failed", "not on PATH, and not beside this Python", _REINSTALL)


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _not_writable(path: Path, *, is_folder: bool = True) -> str | None:
    """Say why a path cannot be written, or be made; None when it can."""
    existing = _existing(path)
    if (is_folder or existing != path) and not existing.is_dir():
        return f"{existing} is no folder"
    if not os.access(existing, os.W_OK):
        return f"{existing} cannot be written"
    return None
