"""The files of runs that a page links to."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.report.artifacts import Artifacts
from tests.support import runs

RUN = runs.run_of(0, {"t::a": "x"}, run_id="r1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in (
        "runs/r1/tiny-1/pod.log",
        "runs/r1/tiny-1/results/shots/a b#1.png",
        "runs/r1/tiny-1/written/junit.xml",
        "runs/r1/tiny-1/results/.replaced/junit.xml",
        "runs/r1/junit.xml",
        "runs/r1/bundle.json.gz",
        "runs/r2/pod.log",
        "secret.txt",
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    return tmp_path


def test_files_for_people_are_named_from_the_page_the_nearest_first(folder: Path) -> None:
    assert Artifacts(folder).of(RUN) == [
        "runs/r1/junit.xml",
        "runs/r1/tiny-1/pod.log",
        "runs/r1/tiny-1/results/shots/a b#1.png",
    ]


def test_a_link_leads_nowhere_and_a_name_with_control_characters_is_left_out(
    folder: Path,
) -> None:
    (folder / "runs/r1/out.txt").symlink_to(folder / "secret.txt")
    (folder / "runs/r1/outside").symlink_to(folder, target_is_directory=True)
    (folder / "runs/r1/two\nlines.log").write_text("x")

    assert len(Artifacts(folder).of(RUN)) == 3


def test_a_run_whose_folder_is_gone_or_is_no_name_has_none(folder: Path) -> None:
    assert Artifacts(folder).of(runs.run_of(0, {}, run_id="gone")) == []
    assert Artifacts(folder).of(runs.run_of(0, {}, run_id="../..")) == []
    assert Artifacts().of(RUN) == []
