"""Dagster's SQLite history on a shared volume, with the real Dagster on the other side."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from floe_platform import history

IMAGE = Path(__file__).parents[4] / "images" / "platform"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("template")
    history.build_template(directory)
    return directory


def program(*arguments: str, home: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "floe_platform.history", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(IMAGE),
            **({"DAGSTER_HOME": str(home)} if home else {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def revision(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchall()[0][0]


def home_of(base: Path) -> Path:
    home = base.parent / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(
        f"storage: {{sqlite: {{base_dir: {base}}}}}\ntelemetry: {{enabled: false}}\n"
    )
    return home


def test_the_template_is_nothing_but_the_three_files(template: Path) -> None:
    """A leftover -wal file would be forgotten by the copy, and its contents with it."""
    files = {path.relative_to(template) for path in template.rglob("*") if path.is_file()}

    assert files == set(history.DATABASES)


def test_eight_at_once_make_one_history(tmp_path: Path, template: Path) -> None:
    base = tmp_path / "history"

    running = [program("prepare", str(base), "--template", str(template)) for _ in range(8)]
    results = [(*each.communicate(timeout=60), each.returncode) for each in running]

    assert [code for _, _, code in results] == [0] * 8, results
    assert sum("created" in output for output, _, _ in results) == 1
    assert sum("this Dagster's schema" in output for output, _, _ in results) == 7
    assert {path for path in history.DATABASES if (base / path).exists()} == set(history.DATABASES)


def test_dagster_uses_the_copy_as_its_own(tmp_path: Path, template: Path) -> None:
    from dagster import DagsterInstance, job, op

    @op
    def nothing() -> None:
        """Do nothing."""

    @job
    def empty() -> None:
        nothing()

    base = tmp_path / "history"
    history.prepare(base, template=template)
    home = home_of(base)

    with DagsterInstance.from_config(str(home)) as instance:
        assert empty.execute_in_process(instance=instance).success
    with DagsterInstance.from_config(str(home)) as instance:
        assert [run.job_name for run in instance.get_runs()] == ["empty"]
    assert "this Dagster's schema" in history.prepare(base, template=template)


def test_each_history_gets_an_id_of_its_own(tmp_path: Path, template: Path) -> None:
    from dagster import DagsterInstance

    ids = []
    for name in ("one", "two"):
        base = tmp_path / name / "history"
        history.prepare(base, template=template)
        with DagsterInstance.from_config(str(home_of(base))) as instance:
            ids.append(instance.run_storage.get_run_storage_id())

    assert ids[0] != ids[1]


def test_a_history_of_an_older_dagster_is_migrated(tmp_path: Path, template: Path) -> None:
    base = tmp_path / "history"
    history.prepare(base, template=template)
    runs = base / "history" / "runs.db"
    head = revision(runs)
    with contextlib.closing(sqlite3.connect(runs)) as connection:
        # The last revision that Dagster's own guarded migrations can be run again from.
        connection.execute("UPDATE alembic_version SET version_num = '5771160a95ad'")
        connection.commit()

    process = program("prepare", str(base), "--template", str(template), home=home_of(base))
    output, errors = process.communicate(timeout=120)

    assert process.returncode == 0, errors
    assert "migrated history/runs.db" in output
    assert revision(runs) == head


def test_a_history_of_a_newer_dagster_is_refused_with_the_way_out(
    tmp_path: Path, template: Path
) -> None:
    base = tmp_path / "history"
    history.prepare(base, template=template)
    with contextlib.closing(sqlite3.connect(base / "history" / "runs.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fffffffffff'")
        connection.commit()

    process = program("prepare", str(base), "--template", str(template), home=home_of(base))
    _, errors = process.communicate(timeout=120)

    assert process.returncode == 1
    assert "install the newer version again" in errors


def test_a_file_that_is_no_history_is_left_alone(tmp_path: Path, template: Path) -> None:
    base = tmp_path / "history"
    database = base / "history" / "runs.db"
    database.parent.mkdir(parents=True)
    database.write_text("somebody's notes")

    with pytest.raises(history.HistoryError, match="is no Dagster history"):
        history.prepare(base, template=template)

    assert database.read_text() == "somebody's notes"


def test_an_interrupted_copy_leaves_no_half_file(tmp_path: Path, template: Path) -> None:
    incomplete = tmp_path / "template"
    shutil.copytree(template, incomplete)
    (incomplete / "schedules" / "schedules.db").unlink()
    base = tmp_path / "history"

    with pytest.raises(FileNotFoundError):
        history.prepare(base, template=incomplete)

    assert not (base / "schedules" / "schedules.db").exists()
    assert "created schedules/schedules.db" in history.prepare(base, template=template)


def test_a_lock_that_is_held_ends_with_a_reason(tmp_path: Path, template: Path) -> None:
    base = tmp_path / "history"
    base.mkdir()

    with (
        history._lock(base / ".prepare.lock", deadline_seconds=1),
        pytest.raises(history.HistoryError, match=r"has held .* for 0\.2 s"),
    ):
        history.prepare(base, template=template, deadline_seconds=0.2)
