"""Puts dumps of the history away, and fetches them again: in a folder or a bucket.

A backup is a subfolder with three files: dagster.dump, history.dump and SHA256SUMS, which is
written last. Without it a backup counts neither as the newest nor among those that are kept.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from minio import Minio  # pyright: ignore[reportMissingImports] - the image has it

SUMS = "SHA256SUMS"
FILES = ("dagster.dump", "history.dump", SUMS)
_NAME = re.compile(r"\d{8}T\d{6}Z")


class BackupError(Exception):
    """A backup cannot be made, or is not there."""


class Place(Protocol):
    """Where backups are."""

    def names(self) -> list[str]:
        """Return the complete backups, oldest first."""
        ...

    def put(self, name: str, work: Path) -> None:
        """Copy the files of a folder into a new backup, its sums last."""
        ...

    def get(self, name: str, work: Path) -> None:
        """Copy the files of a backup into a folder."""
        ...

    def remove(self, name: str) -> None:
        """Remove a backup, its sums first."""
        ...


@dataclass(frozen=True)
class Folder:
    """Backups on a volume.

    Attributes:
        path: The volume.
    """

    path: Path

    def names(self) -> list[str]:
        """Return the complete backups, oldest first."""
        found = (each.parent.name for each in self.path.glob(f"*/{SUMS}"))
        return sorted(name for name in found if _NAME.fullmatch(name))

    def put(self, name: str, work: Path) -> None:
        """Copy the files into a new backup, its sums last."""
        (self.path / name).mkdir()
        for file in FILES:
            target = self.path / name / file
            shutil.copyfile(work / file, target.with_suffix(".part"))
            target.with_suffix(".part").replace(target)

    def get(self, name: str, work: Path) -> None:
        """Copy the files of a backup into a folder."""
        for file in FILES:
            shutil.copyfile(self.path / name / file, work / file)

    def remove(self, name: str) -> None:
        """Remove a backup, its sums first."""
        (self.path / name / SUMS).unlink()
        shutil.rmtree(self.path / name)


@dataclass(frozen=True)
class Bucket:
    """Backups in a bucket of S3 or what speaks like it.

    Attributes:
        client: The service.
        bucket: The bucket.
        prefix: Folder in it.
    """

    client: Minio
    bucket: str
    prefix: str

    def names(self) -> list[str]:
        """Return the complete backups, oldest first."""
        start = f"{self.prefix}/"
        found = self.client.list_objects(self.bucket, prefix=start, recursive=True)
        paths = (str(each.object_name).removeprefix(start).split("/") for each in found)
        return sorted(
            path[0]
            for path in paths
            if len(path) == 2 and path[1] == SUMS and _NAME.fullmatch(path[0])  # noqa: PLR2004 - name/file
        )

    def put(self, name: str, work: Path) -> None:
        """Copy the files into a new backup, its sums last."""
        for file in FILES:
            self.client.fput_object(self.bucket, self._key(name, file), str(work / file))

    def get(self, name: str, work: Path) -> None:
        """Copy the files of a backup into a folder."""
        for file in FILES:
            self.client.fget_object(self.bucket, self._key(name, file), str(work / file))

    def remove(self, name: str) -> None:
        """Remove a backup, its sums first."""
        for file in reversed(FILES):
            self.client.remove_object(self.bucket, self._key(name, file))

    def _key(self, name: str, file: str) -> str:
        return f"{self.prefix}/{name}/{file}"


def place_of(environment: Mapping[str, str]) -> Place:
    """Return the place that the environment names.

    Args:
        environment: BACKUP_DIRECTORY, or BACKUP_S3_* with AWS_ACCESS_KEY_ID and _SECRET_ACCESS_KEY.
    """
    directory = environment.get("BACKUP_DIRECTORY")
    if directory:
        return Folder(Path(directory))
    from minio import Minio  # pyright: ignore[reportMissingImports]

    endpoint = urlsplit(environment["BACKUP_S3_ENDPOINT"])
    client = Minio(
        endpoint.netloc,
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        secure=endpoint.scheme == "https",
        region=environment["BACKUP_S3_REGION"],
    )
    return Bucket(client, environment["BACKUP_S3_BUCKET"], environment["BACKUP_S3_PREFIX"])


def store(place: Place, work: Path, *, keep: int, now: datetime) -> str:
    """Put a backup away, then remove all but the newest.

    Args:
        place: Where to.
        work: Folder with its files.
        keep: How many backups stay, this one included.
        now: When it was made (UTC).

    Returns:
        The backup's name.

    Raises:
        BackupError: A file of it is missing or empty.
    """
    bad = [file for file in FILES if not _has_content(work / file)]
    if bad:
        message = f"{', '.join(bad)} is missing or empty in {work}: nothing was put away."
        raise BackupError(message)
    name = f"{now:%Y%m%dT%H%M%SZ}"
    place.put(name, work)
    for old in place.names()[:-keep]:
        place.remove(old)
    return name


def _has_content(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def fetch(place: Place, work: Path, *, name: str | None) -> str:
    """Fetch a backup.

    Args:
        place: Where it is.
        work: Folder for its files.
        name: Which; None for the newest.

    Returns:
        Its name.

    Raises:
        BackupError: There is none, or none of that name.
    """
    names = place.names()
    if not names:
        message = "there is no complete backup."
        raise BackupError(message)
    if name and name not in names:
        message = f"there is no complete backup {name}. There are: {', '.join(names)}."
        raise BackupError(message)
    chosen = name or names[-1]
    place.get(chosen, work)
    return chosen


def main() -> int:
    """Run the command line; exit code 0 when it is done."""
    parser = argparse.ArgumentParser(prog="python -m floe_backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("store").add_argument("--keep", type=int, required=True)
    commands.add_parser("fetch")
    arguments = parser.parse_args()
    work, place = Path(os.environ["WORK"]), place_of(os.environ)
    try:
        if arguments.command == "store":
            name = store(place, work, keep=arguments.keep, now=datetime.now(UTC))
            print(f"stored: {name}; there are {', '.join(place.names())}")  # noqa: T201 - a program
        else:
            name = fetch(place, work, name=os.environ.get("BACKUP_NAME") or None)
            print(f"fetched: {name}")  # noqa: T201 - a program
    except BackupError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
