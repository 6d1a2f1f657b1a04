"""The wheel without the checkout: a project begins, and Dagster knows its tier."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECONDS = 300


def run(*words: str | Path, cwd: Path, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOE_")}
    kept.pop("PYTHONPATH", None)
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**kept, **variables, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of a copy: setuptools leaves its work where it builds."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "floe_tests",
        source / "floe_tests",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(source / "floe_tests/scaffold/templates/dagster.yaml", source)
    wheels = ("pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(built))
    run(sys.executable, "-m", *wheels, str(source), cwd=source)
    (file,) = built.glob("*.whl")
    return file


def test_it_begins_a_project_with_one_tier_of_its_own(wheel: Path, tmp_path: Path):
    """What it needs is the checkout's; the package itself is the wheel's."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = Path(
        run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=tmp_path).strip()
    )
    (site / "needs.pth").write_text(sysconfig.get_paths()["purelib"])
    installed = ("pip", "--python", str(python), "install", "--no-deps", "--no-index", "-q")
    run(sys.executable, "-m", *installed, str(wheel), cwd=tmp_path)
    floe_tests = tmp_path / "venv" / "bin" / "floe-tests"
    folder = tmp_path / "a folder"
    folder.mkdir()

    said = run(floe_tests, "init", cwd=folder)
    listed = run(floe_tests, "tiers", cwd=folder / "tests")
    loaded = run(
        *(python, "-m", "dagster", "job", "list", "-m", "a_folder_tests.definitions"),
        cwd=folder,
        DAGSTER_HOME=str(folder / "dagster_home"),
    )
    where = run(python, "-c", "import floe_tests; print(floe_tests.__file__)", cwd=folder)

    assert Path(where.strip()).is_relative_to(site)
    assert "floe-tests run smoke -e kind" in said
    assert "smoke" in listed
    assert "integration" not in listed + loaded, "the tiers of this repository stay here"
    assert "Job: smoke" in loaded


@pytest.mark.thorough
def test_it_needs_no_more_than_it_names(wheel: Path, tmp_path: Path):
    """Installed with its dependencies alone, as by pip, without extras."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", str(wheel), cwd=tmp_path)
    folder = tmp_path / "shop"
    folder.mkdir()

    run(python.with_name("floe-tests"), "init", cwd=folder)
    listed = run(python.with_name("floe-tests"), "tiers", cwd=folder)
    packages = run(python, "-m", "pip", "list", "--format=freeze", cwd=folder).lower()

    assert "smoke" in listed
    assert not any(name in packages for name in ("scipy", "matplotlib", "dagster-webserver"))
