"""Files that belong together take their places together, or none does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_tests.core import durable


def _broken() -> Iterator[bytes]:
    yield b"half"
    message = "No space left on device"
    raise OSError(message)


def test_what_was_there_stays_where_one_of_the_files_cannot_be_written(tmp_path: Path) -> None:
    for name in ("a", "b"):
        durable.write_text(tmp_path / name, "old")

    with pytest.raises(OSError, match="No space"):
        durable.replace({tmp_path / "a": [b"new"], tmp_path / "b": _broken()})

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}


def test_nobody_sees_a_file_before_all_are_on_the_disk(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    def watched() -> Iterator[bytes]:
        seen.append({path.name for path in tmp_path.iterdir() if not path.name.startswith(".")})
        yield b"second"

    durable.replace({tmp_path / "a": [b"first"], tmp_path / "b": watched()})

    assert seen == [set()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    durable.write(tmp_path / "new" / "folder" / "file", [b"a", b"b"])
    assert (tmp_path / "new" / "folder" / "file").read_bytes() == b"ab"
