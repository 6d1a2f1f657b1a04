"""Dagster's SQLite history on a shared volume, ready before any process opens it.

Dagster creates its SQLite files on first use, and does not expect company: of three processes that
open an empty history at the same moment, one or two stop with "table ... already exists" or a
violated constraint. So the files are made once, when the image is built, and copied into place
here, under a lock, whole or not at all. That also saves the seconds Dagster takes to make them.
Needs the standard library only, except for building the template and for migrating files of an
older Dagster.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# The layout of dagster._core.storage.sqlite_storage.
DATABASES = (
    Path("history/runs.db"),
    Path("history/runs/index.db"),
    Path("schedules/schedules.db"),
)
LOCK_DEADLINE_SECONDS = 120.0
_PAUSE_SECONDS = 0.05


class HistoryError(Exception):
    """The history cannot be used as it is; the message says why and what to do."""


def prepare(base: Path, *, template: Path, deadline_seconds: float = LOCK_DEADLINE_SECONDS) -> str:
    """Put the history in place, or bring an older one up to date.

    Safe to run from several processes at once: one works, the others wait and find it done.

    Args:
        base: Directory of the history, on the shared volume.
        template: Directory with empty databases of the installed Dagster, from `build_template`.
        deadline_seconds: How long another process may take before this one gives up.

    Returns:
        One line that says what was done.

    Raises:
        HistoryError: The lock was held past the deadline, a file there is no Dagster history, or
            the migration failed.
    """
    base.mkdir(parents=True, exist_ok=True)
    with _lock(base / ".prepare.lock", deadline_seconds=deadline_seconds):
        missing = [name for name in DATABASES if not (base / name).exists()]
        outdated = [
            name
            for name in DATABASES
            if name not in missing
            and _revision(base / name) != _revision(template / name, immutable=True)
        ]
        for name in missing:
            _copy(template / name, base / name)
        if outdated:
            _migrate(base, outdated)
            return f"history in {base}: migrated {', '.join(map(str, outdated))}"
    if missing:
        return f"history in {base}: created {', '.join(map(str, missing))}"
    return f"history in {base}: there, and of this Dagster's schema"


def build_template(directory: Path) -> None:
    """Let Dagster make empty databases, for `prepare` to copy.

    Args:
        directory: Where to make them; created when it is missing.
    """
    from dagster._core.storage.sqlite_storage import (
        DagsterSqliteStorage,
    )

    storage = DagsterSqliteStorage(str(directory))
    storage.dispose()
    for name in DATABASES:
        with contextlib.closing(sqlite3.connect(directory / name)) as connection:
            # Each history gets its own id; Dagster makes one when there is none.
            if name == DATABASES[0]:
                connection.execute("DELETE FROM instance_info")
                connection.commit()
        # Closed last, the connection has moved everything into the one file that is copied.
        _revision(directory / name, immutable=True)


@contextlib.contextmanager
def _lock(path: Path, *, deadline_seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + deadline_seconds
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    message = (
                        f"another process has held {path} for {deadline_seconds:g} s. "
                        "Look for a migration that hangs in the init container `history`."
                    )
                    raise HistoryError(message) from error
            time.sleep(_PAUSE_SECONDS)
        yield  # closing the file releases the lock, also when the process dies


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        try:
            with source.open("rb") as content:
                shutil.copyfileobj(content, file)
            file.flush()
            os.fchmod(file.fileno(), 0o660)  # the volume's group may read and write, too
            os.fsync(file.fileno())
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _revision(database: Path, *, immutable: bool = False) -> str:
    # The template lies in the image, where SQLite cannot put its shared-memory file beside it.
    mode = "immutable=1" if immutable else "mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?{mode}", uri=True)) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.DatabaseError as error:
        message = (
            f"{database} is no Dagster history ({error}). "
            "Move it away, or restore the volume from a backup."
        )
        raise HistoryError(message) from error
    if len(rows) != 1:
        message = f"{database} names {len(rows)} schema revisions instead of one. Restore a backup."
        raise HistoryError(message)
    return str(rows[0][0])


def _migrate(base: Path, outdated: list[Path]) -> None:
    command = [sys.executable, "-m", "dagster", "instance", "migrate"]
    result = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - fixed
    output = (result.stdout + result.stderr)[-4000:]
    if result.returncode != 0:
        message = (
            f"`dagster instance migrate` ended with exit code {result.returncode} for "
            f"{', '.join(map(str, outdated))} in {base}. A history written by a newer Dagster "
            f"cannot be read by an older one: install the newer version again. Output:\n{output}"
        )
        raise HistoryError(message)


def main() -> int:
    """Run the command line; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m floe_platform.history", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    template = commands.add_parser(
        "template", help="make empty databases (when the image is built)"
    )
    template.add_argument("directory", type=Path)
    prepare_command = commands.add_parser("prepare", help="put the history in place")
    prepare_command.add_argument("base", type=Path)
    prepare_command.add_argument("--template", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        if arguments.command == "template":
            build_template(arguments.directory)
        else:
            print(prepare(arguments.base, template=arguments.template))  # noqa: T201 - a program
    except HistoryError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a program
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
