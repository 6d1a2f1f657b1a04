"""Replacing rows of an Iceberg table, beside others who do the same.

Iceberg lets a commit succeed only on the snapshot it was prepared from. Each attempt here

    1. loads the table that is written,
    2. then computes the rows, reading their sources anew,
    3. writes data files and commits onto the snapshot of step 1.

Whoever lost the race starts again with step 1. The order of the first two steps is what keeps an
older view from replacing a newer one: a commit that succeeds follows the one before it in the
table's history, was prepared after it, and so has read every source later than that one did. Along
the history of gold the silver snapshots behind it therefore never go back, and the last commit to
gold has seen the silver commit of every run that got as far as gold. For silver the same holds with
bronze as the source. pyiceberg would repeat a failed commit with the rows it has; that is switched
off, because those rows are then older than the snapshot beneath them.

When the catalog does not say what became of a commit (a 5xx, a lost answer), the next attempt looks
for that snapshot in the table's history before it does anything. A commit that arrives later still
finds the table moved on, and is refused.

Data files that no snapshot names are invisible to every reader. Those of an attempt that lost, or
whose rows broke a rule, are deleted at once; those of a process that was killed, or of a commit
whose fate is unknown, stay in the storage until somebody removes the table's orphan files.
"""

import random
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from floe_platform.lakehouse.catalog import passing_errors
from floe_platform.lakehouse.errors import ConflictError, RuleError, Violation, storage_errors
from floe_platform.lakehouse.tables import TableLayout, arrow_schema, open_table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table, Transaction

    from floe_platform.lakehouse.catalog import Lakehouse

ATTEMPTS = 12
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 3.0


@dataclass(frozen=True)
class Content:
    """The rows of a write.

    Attributes:
        rows: The rows, with the columns of the table's layout.
        labels: What the snapshot's summary is to say about them.
    """

    rows: "pa.Table"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """A write that succeeded.

    Attributes:
        snapshot_id: The snapshot that holds it.
        content: What was written.
        attempts: How often it took.
    """

    snapshot_id: int
    content: Content
    attempts: int


@dataclass(frozen=True)
class _Staged:
    """A write whose files are in the storage and which is not committed."""

    table: "Table"
    transaction: "Transaction"
    snapshot_id: int
    data_files: tuple[str, ...]
    metadata_files: tuple[str, ...]


def replace(
    lakehouse: "Lakehouse",
    layout: TableLayout,
    compute: Callable[[], Content],
    *,
    where: "BooleanExpression",
    audit: Callable[["pa.Table"], Violation | None] = lambda _: None,
) -> Written:
    """Replace some rows of a table by others, in one commit.

    Args:
        lakehouse: Where.
        layout: Which table; it is created when it is missing.
        compute: Returns the new rows. It is called once an attempt, and reads its sources anew.
        where: Which rows are replaced.
        audit: Looks at the rows when their files are written, before the commit.

    Returns:
        What was written.

    Raises:
        RuleError: The audit found a violation; the table stays where it was.
        ConflictError: Others were faster, each time.
        CatalogError: The catalog did not answer within the deadline.
        StorageError: The object storage failed.
    """
    from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException

    unknown: list[Written] = []
    failure: Exception | None = None
    for attempt in range(1, ATTEMPTS + 1):
        table = open_table(lakehouse, layout)
        for written in unknown:
            if table.snapshot_by_id(written.snapshot_id) is not None:
                return written
        content = compute()
        staged = _stage(table, layout, content, where=where, labels=lakehouse.labels)
        violation = audit(content.rows)
        if violation is not None:
            raise _refused(lakehouse, layout, staged, violation)
        written = Written(staged.snapshot_id, content, attempt)
        try:
            staged.transaction.commit_transaction()
        except CommitFailedException as error:
            _delete(lakehouse, table, staged.data_files)  # pyiceberg has deleted the others
            failure = error
        except (CommitStateUnknownException, *passing_errors()) as error:
            unknown.append(written)
            failure = error
        else:
            return written
        _pause(lakehouse, layout, attempt, failure)
    message = (
        f"{ATTEMPTS} commits to {layout} did not succeed, the last one with "
        f"{type(failure).__name__}: {failure}. The table is as others left it. "
        "Run fewer pipelines at once, or look for a writer that commits without pause."
    )
    raise ConflictError(message) from failure


def _stage(
    table: "Table",
    layout: TableLayout,
    content: Content,
    *,
    where: "BooleanExpression",
    labels: Mapping[str, str],
) -> _Staged:
    from pyiceberg.table import TableProperties

    # In this process alone: other writers keep what the table's properties say.
    once = {**table.metadata.properties, TableProperties.COMMIT_NUM_RETRIES: "0"}
    table.metadata = table.metadata.model_copy(update={"properties": once})
    transaction = table.transaction()
    rows = content.rows.cast(arrow_schema(layout))
    with storage_errors(f"write {layout}"), warnings.catch_warnings():
        # A batch that is new replaces nothing.
        warnings.filterwarnings("ignore", message="Delete operation did not match any records")
        transaction.overwrite(
            rows, overwrite_filter=where, snapshot_properties={**labels, **content.labels}
        )
        return _staged(table, transaction)


def _staged(table: "Table", transaction: "Transaction") -> _Staged:
    from pyiceberg.manifest import ManifestEntryStatus

    committed = {snapshot.snapshot_id for snapshot in table.metadata.snapshots}
    data_files: list[str] = []
    metadata_files: list[str] = []
    # A replacement is two snapshots, one that removes and one that adds; the second one is whole.
    new = [
        each for each in transaction.table_metadata.snapshots if each.snapshot_id not in committed
    ]
    for snapshot in new:
        metadata_files.append(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.added_snapshot_id != snapshot.snapshot_id:
                continue
            metadata_files.append(manifest.manifest_path)
            data_files += [
                entry.data_file.file_path
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                if entry.status is ManifestEntryStatus.ADDED
            ]
    return _Staged(
        table, transaction, new[-1].snapshot_id, tuple(data_files), tuple(metadata_files)
    )


def _refused(
    lakehouse: "Lakehouse", layout: TableLayout, staged: _Staged, violation: Violation
) -> RuleError:
    _delete(lakehouse, staged.table, (*staged.data_files, *staged.metadata_files))
    current = staged.table.metadata.current_snapshot_id
    return RuleError(layout, violation, data_files=len(staged.data_files), snapshot_id=current)


def _delete(lakehouse: "Lakehouse", table: "Table", paths: Iterable[str]) -> None:
    for path in paths:
        try:
            table.io.delete(path)
        except OSError as error:
            # Nobody sees the file; the reason why it is not needed matters more.
            lakehouse.log.warning("%s is not needed and could not be deleted: %s", path, error)


def _pause(lakehouse: "Lakehouse", layout: TableLayout, attempt: int, failure: Exception) -> None:
    longest = min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
    seconds = longest * random.uniform(0.5, 1)  # noqa: S311 - so that two losers do not meet again
    lakehouse.log.warning(
        "commit %s of at most %s to %s did not succeed, again in %.1f s: %s",
        *(attempt, ATTEMPTS, layout, seconds, failure),
    )
    time.sleep(seconds)
