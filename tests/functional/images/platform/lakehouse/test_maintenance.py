"""What may go and what must stay, on real Iceberg tables whose clock a test can look back on."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from floe_platform.lakehouse import agreement, maintenance, pipeline, tables
from floe_platform.lakehouse.catalog import Lakehouse
from floe_platform.lakehouse.maintenance import Retention
from floe_platform.lakehouse.serving import Served
from pyiceberg.exceptions import CommitFailedException

from .conftest import rows_of

if TYPE_CHECKING:
    from pyiceberg.table import Table

NEWEST_ALONE = Retention(minutes=10, snapshots=1)


def run(lakehouse: Lakehouse, batch: str, seed: int = 5) -> None:
    pipeline.ingest(lakehouse, batch, rows=200, seed=seed, dirty_every=9)
    pipeline.clean(lakehouse, batch, highest_amount_cents=None)
    pipeline.total(lakehouse)


def later(minutes: float = 60) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)


def current(lakehouse: Lakehouse, layout: tables.TableLayout) -> Table:
    return lakehouse.catalog.load_table((layout.namespace, layout.name))


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def served(lakehouse: Lakehouse) -> Served:
    gold = pipeline.read_gold(lakehouse)
    return Served(gold.snapshot_id, later(0), gold.days)


def maintain(
    lakehouse: Lakehouse, retention: Retention = NEWEST_ALONE, *, now: dt.datetime | None = None
) -> dict[str, maintenance.Kept]:
    kept = maintenance.maintain(lakehouse, retention, served_snapshot_id=None, now=now or later())
    return {each.table: each for each in kept}


def test_tables_stay_as_large_as_their_rows(lakehouse: Lakehouse, tmp_path: Path) -> None:
    """The same batch again and again is a disk that fills, and here it does not."""
    for seed in range(6):
        run(lakehouse, "a", seed)
        maintain(lakehouse)

    # What else lies there is the log of metadata files, which Iceberg itself ends at 100 a table.
    files = list((tmp_path / "warehouse").rglob("*.parquet"))
    assert len(files) == len(maintenance.TABLES), "one of the batch in each"
    for layout in maintenance.TABLES:
        assert len(current(lakehouse, layout).metadata.snapshots) == 1


def test_rows_are_what_they_were(lakehouse: Lakehouse) -> None:
    for batch in ("a", "b", "a"):
        run(lakehouse, batch)
    before = {layout: rows_of(current(lakehouse, layout)) for layout in maintenance.TABLES}

    kept = maintain(lakehouse)

    assert {layout: rows_of(current(lakehouse, layout)) for layout in maintenance.TABLES} == before
    assert all(each.expired > 0 and each.deleted_files > 0 for each in kept.values())
    assert kept["gold.daily_totals"].snapshots == 1
    found = agreement.compare(lakehouse, served(lakehouse))
    assert (found.problems, found.behind) == ((), ())


def test_what_was_current_a_moment_ago_stays(lakehouse: Lakehouse, tmp_path: Path) -> None:
    for _ in range(3):
        run(lakehouse, "a")
    before, snapshots = size_of(tmp_path), current(lakehouse, tables.BRONZE).snapshots()

    kept = maintain(lakehouse, now=later(5))

    assert all((each.expired, each.deleted_files) == (0, 0) for each in kept.values())
    assert current(lakehouse, tables.BRONZE).snapshots() == snapshots
    assert size_of(tmp_path) == before


def test_newest_snapshots_stay_however_old(lakehouse: Lakehouse) -> None:
    for seed in range(4):
        run(lakehouse, "a", seed)
    newest = [each.snapshot_id for each in current(lakehouse, tables.SILVER).snapshots()][-3:]

    kept = maintain(lakehouse, Retention(minutes=10, snapshots=3))

    left = [each.snapshot_id for each in current(lakehouse, tables.SILVER).snapshots()]
    assert left == newest
    assert kept["silver.orders"].snapshots == 3
    for snapshot in left:  # those that remove and those that add, and the files of each are there
        current(lakehouse, tables.SILVER).scan(snapshot_id=snapshot).to_arrow()


def test_served_totals_keep_what_they_were_made_from(lakehouse: Lakehouse) -> None:
    """Otherwise the pipeline's own check would call old totals wrong."""
    run(lakehouse, "a")
    old = served(lakehouse)
    for batch in ("b", "c"):
        run(lakehouse, batch)

    maintenance.maintain(lakehouse, NEWEST_ALONE, served_snapshot_id=old.snapshot_id, now=later())

    found = agreement.compare(lakehouse, old)
    assert found.problems == ()
    assert found.behind != ()


def test_tag_keeps_its_snapshot(lakehouse: Lakehouse) -> None:
    run(lakehouse, "a")
    bronze = current(lakehouse, tables.BRONZE)
    tagged = bronze.snapshots()[-1].snapshot_id
    bronze.manage_snapshots().create_tag(tagged, "month-end").commit()
    run(lakehouse, "a", seed=6)

    maintain(lakehouse)

    assert current(lakehouse, tables.BRONZE).snapshot_by_id(tagged) is not None
    assert current(lakehouse, tables.BRONZE).scan(snapshot_id=tagged).to_arrow().num_rows > 0


def test_files_of_a_killed_attempt_go_when_no_write_can_want_them(
    lakehouse: Lakehouse,
) -> None:
    run(lakehouse, "a")
    folder = Path(current(lakehouse, tables.BRONZE).location().removeprefix("file://"))
    orphan = folder / "data" / "batch=a" / "left-over.parquet"
    orphan.write_bytes(b"x" * 100)

    young = maintain(lakehouse, now=later(0))
    assert orphan.exists()
    old = maintain(lakehouse)

    assert not orphan.exists()
    assert young["bronze.orders"].deleted_files == 0
    assert old["bronze.orders"].deleted_bytes >= 100


def test_commit_of_another_writer_is_answered_with_another_look(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        run(lakehouse, "a")
    real, refusals = type(lakehouse.catalog).commit_table, [CommitFailedException("too late")]

    def commit(self: object, *args: object) -> object:
        if refusals:
            raise refusals.pop()
        return real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(lakehouse.catalog), "commit_table", commit)

    assert maintain(lakehouse)["bronze.orders"].expired > 0
    assert refusals == []
