"""Keeping the lakehouse as large as its data: old snapshots go, and the files that nobody names.

Every commit adds a snapshot and leaves the replaced files where they are, so tables whose rows stay
the same grow all the same. What goes here

    1. is a snapshot that was succeeded longer ago than readers read, and that nothing points to:
       no branch or tag, not the newest ones, not those that the served totals were made from;
    2. is a file below a table's address that the table does not name any more, and that is older
       than any write which may still be under way.

Nobody's work can be undone by it: a commit that comes meanwhile stands on the current snapshot,
which stays, and its files are younger.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from floe_platform.lakehouse.catalog import passing_errors
from floe_platform.lakehouse.errors import ConflictError, storage_errors
from floe_platform.lakehouse.pipeline import SILVER_SNAPSHOT
from floe_platform.lakehouse.tables import BRONZE, GOLD, SILVER, TableLayout, open_table

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from floe_platform.lakehouse.catalog import Lakehouse

TABLES = (BRONZE, SILVER, GOLD)
# A step asks for at most 45 s; a batch of the largest size is read and written within two minutes.
SHORTEST_MINUTES = 5
# Where nothing else is under way, what is left is that the clocks of nodes differ.
ALONE_MINUTES = 0.25
_ATTEMPTS = 5


@dataclass(frozen=True)
class Retention:
    """What is kept.

    Attributes:
        minutes: Snapshots that were current within this time, and files younger than it.
        snapshots: The newest snapshots of each table, however old.
    """

    minutes: float
    snapshots: int


@dataclass(frozen=True)
class Kept:
    """What became of a table.

    Attributes:
        table: Its name.
        expired: Snapshots that went.
        snapshots: Snapshots that are left.
        deleted_files: Files that went, and their bytes.
        deleted_bytes: See above.
        files: Files that are left, and their bytes.
        bytes: See above.
    """

    table: str
    expired: int
    snapshots: int
    deleted_files: int
    deleted_bytes: int
    files: int
    bytes: int


def maintain(
    lakehouse: "Lakehouse",
    retention: Retention,
    *,
    served_snapshot_id: int | None,
    now: dt.datetime,
) -> tuple[Kept, ...]:
    """Expire snapshots of every table, and delete what no table names any more.

    Args:
        lakehouse: Where.
        retention: What is kept.
        served_snapshot_id: The snapshot of gold that the serving database was loaded from; None
            when it was never loaded.
        now: The time of the storage's and the catalog's clocks, aware.

    Returns:
        What became of each table.

    Raises:
        ConflictError: Others were faster, each time.
        CatalogError: The catalog did not answer within the deadline.
        StorageError: The object storage failed.
    """
    before = now - dt.timedelta(minutes=retention.minutes)
    # What is compared by `agreement`: the served totals with their gold, and that with its silver.
    gold = open_table(lakehouse, GOLD)
    served = None if served_snapshot_id is None else gold.snapshot_by_id(served_snapshot_id)
    snapshots = [each for each in (gold.current_snapshot(), served) if each is not None]
    sources = (_silver_of(each) for each in snapshots)
    pinned = {each.snapshot_id for each in snapshots} | {each for each in sources if each}
    return tuple(
        _maintain(lakehouse, layout, retention, pinned=pinned, before=before) for layout in TABLES
    )


def _maintain(
    lakehouse: "Lakehouse",
    layout: TableLayout,
    retention: Retention,
    *,
    pinned: set[int],
    before: dt.datetime,
) -> Kept:
    expired = _expire(lakehouse, layout, retention, pinned=pinned, before=before)
    table = open_table(lakehouse, layout)
    with storage_errors(f"clean up after {layout}"):
        named = set(_named_files(table))
        found = list(_files_below(table))
        gone = [each for each in found if each.path not in named and each.changed_at < before]
        for each in gone:
            try:
                table.io.delete(each.address)
            except FileNotFoundError:
                continue  # another clean-up was faster
    size = sum(each.size_bytes for each in found)
    freed = sum(each.size_bytes for each in gone)
    lakehouse.log.info(
        "%s: %s snapshots expired, %s files (%s bytes) deleted, %s of %s bytes left",
        *(layout, len(expired), len(gone), freed, len(found) - len(gone), size - freed),
    )
    return Kept(
        table=str(layout),
        expired=len(expired),
        snapshots=len(table.metadata.snapshots),
        deleted_files=len(gone),
        deleted_bytes=freed,
        files=len(found) - len(gone),
        bytes=size - freed,
    )


def _expire(
    lakehouse: "Lakehouse",
    layout: TableLayout,
    retention: Retention,
    *,
    pinned: set[int],
    before: dt.datetime,
) -> list[int]:
    from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

    failure: Exception | None = None
    for _ in range(_ATTEMPTS):
        # Anew each time: of a commit whose fate is unknown, this shows it.
        table = open_table(lakehouse, layout)
        expired = _expendable(table, retention, pinned=pinned, before=before)
        if not expired:
            return []
        try:
            table.maintenance.expire_snapshots().by_ids(expired).commit()
        except (CommitFailedException, CommitStateUnknownException, *passing_errors()) as error:
            failure = error
        else:
            return expired
    message = (
        f"{_ATTEMPTS} attempts to expire snapshots of {layout} did not succeed, the last one with "
        f"{type(failure).__name__}: {failure}. Nothing was deleted. Run it at a quieter time."
    )
    raise ConflictError(message) from failure


def _expendable(
    table: "Table", retention: Retention, *, pinned: set[int], before: dt.datetime
) -> list[int]:
    snapshots = sorted(table.metadata.snapshots, key=lambda each: each.sequence_number or 0)
    newest = {each.snapshot_id for each in snapshots[len(snapshots) - retention.snapshots :]}
    kept = newest | pinned | {ref.snapshot_id for ref in table.metadata.refs.values()}
    # A reader of a snapshot began before its successor came, not when it was made.
    succeeded_ms: dict[int | None, int] = {}
    for each in snapshots:
        succeeded_ms.setdefault(each.parent_snapshot_id, each.timestamp_ms)
    limit_ms = before.timestamp() * 1000
    return [
        each.snapshot_id
        for each in snapshots
        if each.snapshot_id not in kept
        and succeeded_ms.get(each.snapshot_id, each.timestamp_ms) < limit_ms
    ]


def _silver_of(snapshot: "Snapshot") -> int | None:
    if snapshot.summary is None:
        return None
    source = snapshot.summary.additional_properties.get(SILVER_SNAPSHOT)
    return int(source) if source else None


def _named_files(table: "Table") -> Iterator[str]:
    """Return the paths of every file that the table's current metadata leads to."""
    from pyiceberg.io.pyarrow import PyArrowFileIO

    metadata = table.metadata
    addresses = [table.metadata_location, *(each.metadata_file for each in metadata.metadata_log)]
    addresses += [
        each.statistics_path for each in (*metadata.statistics, *metadata.partition_statistics)
    ]
    addresses += _of_snapshots(table, metadata.snapshots)
    return (PyArrowFileIO.parse_location(address)[2] for address in addresses)


def _of_snapshots(table: "Table", snapshots: Iterable["Snapshot"]) -> Iterator[str]:
    seen: set[str] = set()
    for snapshot in snapshots:
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path in seen:
                continue
            seen.add(manifest.manifest_path)
            yield manifest.manifest_path
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                yield entry.data_file.file_path


@dataclass(frozen=True)
class _File:
    """A file below a table's address; the path is as the file system has it."""

    address: str
    path: str
    size_bytes: int
    changed_at: dt.datetime


def _files_below(table: "Table") -> Iterator[_File]:
    from pyarrow.fs import FileSelector, FileType
    from pyiceberg.io.pyarrow import PyArrowFileIO

    io: Any = table.io
    scheme, host, folder = PyArrowFileIO.parse_location(table.location())
    system = io.fs_by_scheme(scheme, host)
    for info in system.get_file_info(FileSelector(folder, recursive=True, allow_not_found=True)):
        if info.type != FileType.File or info.mtime is None:
            continue
        yield _File(f"{scheme}://{info.path}", info.path, info.size, info.mtime)
