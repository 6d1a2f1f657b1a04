"""The exporter as a program: its settings, its files, and its frames."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floe_tests import exporter
from floe_tests.exporter.directory import look, read_beneath
from floe_tests.exporter.frames import data_line, header
from floe_tests.exporter.settings import CHUNK_BYTES, FRAME_BYTES, MIB, read_settings

FOLDER = Path(exporter.__file__).parent


def test_it_is_standard_library_alone_for_python_3_9() -> None:
    """Its image holds a Python and this folder, nothing else."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
        for path in sorted(FOLDER.glob("*.py"))
    ]
    imported = {
        name.split(".")[0]
        for tree in trees
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level  # its own files apart
            else []
        )
    }
    assert imported <= sys.stdlib_module_names | {"__future__"}


def test_options_win_over_variables_and_variables_over_defaults() -> None:
    """Each setting has both names."""
    settings = read_settings(
        {"files": "7"}, {"FLOE_STREAM_FILES": "8", "FLOE_RESULTS_DIR": "/r", "FLOE_RUN_ID": "x"}
    )
    assert (settings.files, settings.results, settings.run_id) == (7, "/r", "x")
    assert settings.file_bytes == 64 * MIB
    assert read_settings({}, {"FLOE_STREAM_FILES": "8"}).files == 8


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--fils=3"], "unknown option fils; there are --results"),
        (["--files", "many"], "files (--files or FLOE_STREAM_FILES) is 'many', not a number"),
        (["--files=-1"], "is negative"),
        (["--files"], "--files needs a value"),
        (["dance"], "cannot run 'dance'"),
        (["resend", "1"], "cannot run 'resend 1'"),
    ],
)
def test_what_it_cannot_do_is_said_with_exit_code_2(arguments: list[str], text: str) -> None:
    """A typing error in a manifest must not look like an empty result."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "floe_tests.exporter", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stdout == ""


@given(
    content=st.one_of(
        st.binary(max_size=30_000), st.integers(1, 65_536).map(lambda size: b"a" * size)
    ),
    path=st.text(min_size=1, max_size=170),
    guess=st.integers(0, CHUNK_BYTES),
)
def test_no_content_and_no_name_makes_a_frame_too_long(
    content: bytes, path: str, guess: int
) -> None:
    """And every frame takes at least a part of the content along."""
    line, taken = data_line(
        b"", header("s" * 16, 10**9, "data"), {"path": path}, content=content, guess=guess
    )
    assert len(line) <= FRAME_BYTES
    assert (taken > 0) == (len(content) > 0)


@pytest.mark.parametrize("path", ["link", "folder/token", "pipe"])
def test_no_component_of_a_path_is_followed_out_of_the_directory(tmp_path: Path, path: str) -> None:
    """A test may swap a file for a link between the look at it and the reading."""
    inside = tmp_path / "inside"
    (inside / "real").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "token").write_text("secret")
    (inside / "link").symlink_to(tmp_path / "outside" / "token")
    (inside / "folder").symlink_to(tmp_path / "outside")
    os.mkfifo(inside / "pipe")
    root = os.open(inside, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert read_beneath(root, path, offset=0, size=100) == b""
        assert look(root, path) is None
    finally:
        os.close(root)
