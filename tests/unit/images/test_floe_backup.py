"""Backups in a folder: complete or not counted, and no more of them than wanted."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "images" / "floe-tests"))

import floe_backup
from floe_backup import BackupError, Folder, fetch, store

NOW = datetime(2026, 11, 24, 3, 15, tzinfo=UTC)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    for name in floe_backup.FILES:
        (folder / name).write_text(f"content of {name}")
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    (tmp_path / "backups").mkdir()
    return Folder(tmp_path / "backups")


def test_a_backup_comes_back_as_it_was(place: Folder, work: Path, tmp_path: Path) -> None:
    name = store(place, work, keep=3, now=NOW)
    (tmp_path / "other").mkdir()

    assert fetch(place, tmp_path / "other", name=None) == name == "20261124T031500Z"
    for file in floe_backup.FILES:
        assert (tmp_path / "other" / file).read_bytes() == (work / file).read_bytes()


def test_the_newest_stay(place: Folder, work: Path) -> None:
    for day in range(5):
        store(place, work, keep=2, now=NOW + timedelta(days=day))

    assert place.names() == ["20261127T031500Z", "20261128T031500Z"]
    assert sorted(each.name for each in place.path.iterdir()) == place.names()


def test_one_that_was_cut_off_takes_no_others_place(place: Folder, work: Path) -> None:
    """Else two broken nights would remove the last good backup."""
    good = store(place, work, keep=1, now=NOW)
    (place.path / "20261125T031500Z").mkdir()
    (place.path / "20261125T031500Z" / "dagster.dump").write_text("half")

    assert place.names() == [good]
    assert fetch(place, work, name=None) == good


@pytest.mark.parametrize("name", floe_backup.FILES)
def test_what_is_missing_or_empty_is_no_backup_and_removes_none(
    place: Folder, work: Path, name: str
) -> None:
    store(place, work, keep=1, now=NOW)
    (work / name).write_text("")

    with pytest.raises(BackupError, match=name):
        store(place, work, keep=1, now=NOW + timedelta(days=1))
    assert place.names() == ["20261124T031500Z"]


def test_one_that_is_not_there_is_said_with_those_that_are(place: Folder, work: Path) -> None:
    with pytest.raises(BackupError, match="no complete backup"):
        fetch(place, work, name=None)
    store(place, work, keep=1, now=NOW)

    with pytest.raises(BackupError, match="There are: 20261124T031500Z"):
        fetch(place, work, name="20200101T000000Z")
