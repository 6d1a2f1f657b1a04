"""This machine: packages, DAGSTER_HOME, disk, and the history's database in each of its states."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from floe_tests.config.project import Workspace
from floe_tests.doctor.machine import (
    check_history,
    check_home,
    check_local,
    check_output,
    check_packages,
)
from floe_tests.results.history import migration
from floe_tests.results.history.models import VERSION_TABLE
from floe_tests.results.history.store import History

ROOT = Path(__file__).resolve().parents[3]


def test_the_packages_of_this_environment_are_those_that_are_asked_for():
    assert [(check.name, check.state) for check in check_packages(extras=("local",))] == [
        ("Python", "ok"),
        ("Dagster", "ok"),
        ("packages", "ok"),
    ]


def test_a_package_that_is_missing_or_of_another_version_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    about = tmp_path / "floe_tests-9.dist-info" / "METADATA"
    about.parent.mkdir()
    about.write_text(
        "Metadata-Version: 2.1\nName: floe-tests\nVersion: 9\n"
        "Requires-Dist: dagster>=99\n"
        "Requires-Dist: no-such-package\n"
        "Requires-Dist: of-another-extra; extra == 'other'\n"
        "Requires-Dist: of-this-extra; extra == 'local'\n"
        "Requires-Dist: for-windows; sys_platform == 'win32'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    found = check_packages(extras=("local",))[-1]

    assert found.state == "failed"
    assert "dagster is 1." in found.found
    assert "not >=99; no-such-package is missing; of-this-extra is missing" in found.found
    assert "other" not in found.found
    assert "windows" not in found.found
    assert "pip install --upgrade floe-tests" in found.remedy


def test_a_home_that_dagster_can_use(workspace: Workspace):
    workspace.home.mkdir()
    shutil.copy(ROOT / "dagster_home" / "dagster.yaml", workspace.home)

    check = check_home(workspace, {"DAGSTER_HOME": str(workspace.home)})

    assert (check.state, check.found) == ("ok", str(workspace.home))


def test_a_home_that_is_not_set_would_lose_the_history_of_dagster_alone(workspace: Workspace):
    workspace.home.mkdir()

    check = check_home(workspace, {})

    assert check.state == "warning"
    assert check.remedy == f"export DAGSTER_HOME={workspace.root / 'dagster_home'}"


def test_a_home_that_is_not_absolute_is_refused_as_dagster_does(workspace: Workspace):
    check = check_home(workspace, {"DAGSTER_HOME": "dagster_home"})

    assert check.state == "failed"
    assert "dagster_home is not absolute" in check.found


def test_a_home_without_its_settings_has_no_queue(workspace: Workspace):
    workspace.home.mkdir()

    check = check_home(workspace, {"DAGSTER_HOME": str(workspace.home)})

    assert check.state == "warning"
    assert check.remedy.startswith("cp ")


def test_a_home_that_cannot_be_made_fails(workspace: Workspace):
    workspace.home.write_text("a file where a folder should be")
    below = replace(workspace, home=workspace.home / "below")

    check = check_home(below, {"DAGSTER_HOME": str(below.home)})

    assert (check.state, check.found) == ("failed", f"{workspace.home} is no folder")


def test_results_may_go_into_a_folder_that_a_run_will_make(workspace: Workspace):
    assert not workspace.output.exists()

    results, disk = check_output(workspace)

    assert (results.state, results.found) == ("ok", str(workspace.output))
    assert "GiB free" in disk.found
    assert not workspace.output.exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("total_gib", "free_gib", "state"),
    [
        (10, 5, "ok"),
        (10, 1.9, "warning"),
        (500, 60, "ok"),
        (500, 9, "warning"),
        (50, 0.1, "failed"),
    ],
)
def test_a_volume_is_told_of_before_it_is_full(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    total_gib: float,
    free_gib: float,
    state: str,
):
    total, free = (int(gib * 1024**3) for gib in (total_gib, free_gib))
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: SimpleNamespace(total=total, used=total - free, free=free)
    )

    _, disk = check_output(workspace)

    assert disk.state == state
    assert ("floe-tests prune" in disk.remedy) == (state != "ok")
    assert f"{1 - free_gib / total_gib:.0%} full" in disk.found


def test_results_that_cannot_be_written_fail(workspace: Workspace):
    workspace.output.write_text("a file")

    (check,) = check_output(replace(workspace, output=workspace.output / "below"))

    assert check.state == "failed"


def test_a_history_that_is_not_there_yet_is_not_made_by_looking(workspace: Workspace):
    check = check_history(workspace)

    assert check.state == "ok"
    assert "the first run creates it" in check.found
    assert not workspace.home.exists()


def test_a_history_with_the_newest_schema_is_fine(workspace: Workspace):
    History.open(workspace.history_url).close()

    check = check_history(workspace)

    assert check.state == "ok"
    assert check.found.endswith(f"schema {migration.head()}")


def test_an_older_history_is_migrated_by_the_next_run_and_not_by_looking(workspace: Workspace):
    workspace.home.mkdir()
    file = workspace.home / "floe_tests.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE other (name TEXT)")

    check = check_history(workspace)

    assert (check.state, "the next run brings it" in check.found) == ("ok", True)
    with sqlite3.connect(file) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("other",)]


def test_a_history_of_a_newer_version_fails(workspace: Workspace):
    History.open(workspace.history_url).close()
    with sqlite3.connect(workspace.home / "floe_tests.db") as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - no input

    check = check_history(workspace)

    assert check.state == "failed"
    assert "written by a newer version (schema 9999)" in check.found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        pytest.param("sqlite:///{home}/floe_tests.db", "does not open", id="no database"),
        pytest.param("mysql://host/history", "cannot be kept in 'mysql'", id="another database"),
        pytest.param("nonsense", "cannot be read", id="no address"),
        pytest.param(
            "postgresql://user:secret@127.0.0.1:9/history", "does not open", id="nobody listens"
        ),
    ],
)
def test_a_history_that_does_not_open_fails_without_its_password(
    workspace: Workspace, url: str, found: str
):
    workspace.home.mkdir()
    (workspace.home / "floe_tests.db").write_text("no database, but a text of some length" * 100)

    check = check_history(replace(workspace, history_url=url.format(home=workspace.home)))

    assert check.state == "failed"
    assert found in check.found
    assert "secret" not in check.found
    assert "FLOE_TESTS_HISTORY" in check.remedy


@pytest.mark.parametrize(
    ("command", "state"), [(("pytest", "-q"), "ok"), (("no-such-program",), "failed")]
)
def test_the_program_of_a_local_suite(command: tuple[str, ...], state: str):
    check = check_local(command)

    assert check is not None
    assert check.state == state


def test_a_suite_that_is_a_job_brings_no_program():
    assert check_local(None) is None
