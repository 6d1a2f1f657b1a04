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
for its own write id in the table's history before it does anything. A commit that arrives late
finds the snapshot moved on and is refused.

Data files that no snapshot names are invisible to every reader. Those of an attempt that lost, or
whose rows broke a rule, are deleted at once; those of a process that was killed, or of a commit
whose fate is unknown, stay in the storage until somebody removes the table's orphan files.
"""

import random
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from floe_platform.lakehouse.catalog import passing_errors
from floe_platform.lakehouse.errors import ConflictError, RuleError, Violation
from floe_platform.lakehouse.tables import TableLayout, arrow_schema, open_table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table, Transaction
    from pyiceberg.table.snapshots import Snapshot

    from floe_platform.lakehouse.catalog import Lakehouse

ATTEMPTS = 12
WRITE_ID = "floe.write-id"
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
    """The files of a write that is not committed."""

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
    """
    from pyiceberg.exceptions import (
        CommitFailedException,
        CommitStateUnknownException,
        ValidationException,
    )

    write_id = uuid.uuid4().hex
    content: Content | None = None
    failure: Exception | None = None
    for attempt in range(1, ATTEMPTS + 1):
        table = open_table(lakehouse, layout)
        landed = _snapshot_of(table, write_id)
        if landed is not None and content is not None:
            return Written(landed.snapshot_id, content, attempt - 1)
        content = compute()
        labels = {**lakehouse.labels, **content.labels, WRITE_ID: write_id}
        transaction = _stage(table, content.rows.cast(arrow_schema(layout)), where, labels)
        staged = _staged_files(table, transaction)
        violation = audit(content.rows)
        if violation is not None:
            _delete(lakehouse, table, (*staged.data_files, *staged.metadata_files))
            current = table.metadata.current_snapshot_id
            raise RuleError(
                layout, violation, data_files=len(staged.data_files), snapshot_id=current
            )
        try:
            transaction.commit_transaction()
        except (CommitFailedException, ValidationException) as error:
            _delete(lakehouse, table, staged.data_files)
            failure = error
        except (CommitStateUnknownException, *passing_errors()) as error:
            failure = error
        else:
            committed = _snapshot_of(table, write_id)
            if committed is None:
                message = f"the catalog confirmed a commit to {layout} that is not in its history"
                raise ConflictError(message)
            return Written(committed.snapshot_id, content, attempt)
        pause = _pause_seconds(attempt)
        lakehouse.log.warning(
            "commit %s of at most %s to %s did not succeed, again in %.1f s: %s",
            attempt,
            ATTEMPTS,
            layout,
            pause,
            failure,
        )
        time.sleep(pause)
    message = (
        f"{ATTEMPTS} commits to {layout} did not succeed, the last one with "
        f"{type(failure).__name__}: {failure}. The table is as others left it. "
        "Run fewer pipelines at once, or look for a writer that commits without pause."
    )
    raise ConflictError(message) from failure


def _stage(
    table: "Table", rows: "pa.Table", where: "BooleanExpression", labels: dict[str, str]
) -> "Transaction":
    from pyiceberg.table import TableProperties

    # In this process alone: other writers keep what the table's properties say.
    once = {**table.metadata.properties, TableProperties.COMMIT_NUM_RETRIES: "0"}
    table.metadata = table.metadata.model_copy(update={"properties": once})
    transaction = table.transaction()
    with warnings.catch_warnings():
        # A batch that is new replaces nothing.
        warnings.filterwarnings("ignore", message="Delete operation did not match any records")
        transaction.overwrite(rows, overwrite_filter=where, snapshot_properties=labels)
    return transaction


def _staged_files(table: "Table", transaction: "Transaction") -> _Staged:
    from pyiceberg.manifest import ManifestEntryStatus

    committed = {snapshot.snapshot_id for snapshot in table.metadata.snapshots}
    data_files: list[str] = []
    metadata_files: list[str] = []
    for snapshot in transaction.table_metadata.snapshots:
        if snapshot.snapshot_id in committed:
            continue
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
    return _Staged(tuple(data_files), tuple(metadata_files))


def _delete(lakehouse: "Lakehouse", table: "Table", paths: Iterable[str]) -> None:
    for path in paths:
        try:
            table.io.delete(path)
        except OSError as error:
            # Nobody sees the file; the reason why it is not needed matters more.
            lakehouse.log.warning("%s is not needed and could not be deleted: %s", path, error)


def _snapshot_of(table: "Table", write_id: str) -> "Snapshot | None":
    # A replacement is two snapshots, one that removes and one that adds; the newer one is whole.
    return max(
        (
            snapshot
            for snapshot in table.metadata.snapshots
            if snapshot.summary is not None
            and snapshot.summary.additional_properties.get(WRITE_ID) == write_id
        ),
        key=lambda snapshot: snapshot.sequence_number or 0,
        default=None,
    )


def _pause_seconds(attempt: int) -> float:
    longest = min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - so that two losers do not meet again
