import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NEXT = "47.11.2"


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout


def version_program(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / ".ci" / "version.py", *words],
        check=False,
        capture_output=True,
        text=True,
    )


def make_release(root: Path, version: str, **variables: str) -> str:
    done = subprocess.run(
        ["make", "release", f"VERSION={version}", *(f"{k}={v}" for k, v in variables.items())],
        cwd=root,
        env={**os.environ, "MAKEFLAGS": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of this checkout with everything committed."""
    root = tmp_path / "checkout"
    for name in git(ROOT, "ls-files", "-co", "--exclude-standard").splitlines():
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name, follow_symlinks=False)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    person = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-c",
        "core.hooksPath=/dev/null",
    )
    git(root, *person, "commit", "--quiet", "--message", "all")
    return root


def test_no_file_names_another_version_of_the_project():
    done = version_program("check")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_release_leaves_the_old_version_nowhere(checkout: Path):
    make_release(checkout, NEXT)

    assert tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"] == NEXT
    for project in checkout.glob("packages/*/pyproject.toml"):
        assert tomllib.loads(project.read_text())["project"]["version"] == NEXT, project
    charts = {each.parent.name: each for each in checkout.glob("charts/*/Chart.yaml")}
    assert set(charts) >= {"floe-platform", "floe-tests", "flink-operator", "statefun"}
    for name, path in charts.items():
        chart = yaml.safe_load(path.read_text())
        assert chart["version"] == NEXT, path
        assert (chart.get("appVersion", NEXT) == NEXT) == (name != "flink-operator"), path
        assert {each["version"] for each in chart.get("dependencies", ())} <= {NEXT}, path
    named = re.findall(
        r"ghcr\.io/floe/[\w-]+:[\w.]+",
        git(checkout, "grep", "-hF", "ghcr.io/floe/", "--", ".", ":!CHANGELOG.md"),
    )
    assert not [image for image in named if image.endswith(f":{VERSION}")]
    assert "ghcr.io/floe/test-runner:" + NEXT in named
    assert (
        f'__version__ = "{NEXT}"' in (checkout / "floe_tests" / "core" / "version.py").read_text()
    )
    listed = subprocess.run(
        [checkout / "images" / "build", "--list"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert {image.rpartition(":")[2] for image in listed} == {NEXT}
    assert version_program("--root", checkout, "check").returncode == 0


def test_a_second_release_of_the_same_version_changes_nothing(checkout: Path):
    make_release(checkout, NEXT)
    first = git(checkout, "diff")

    said = make_release(checkout, NEXT)

    assert "0 files changed" in said
    assert git(checkout, "diff") == first
    assert git(checkout, "status", "--porcelain", "--untracked-files").count("??") == 0


def test_a_release_and_the_one_before_it_again_are_no_change_but_to_the_changelog(checkout: Path):
    make_release(checkout, NEXT)
    make_release(checkout, VERSION)

    assert git(checkout, "diff", "--name-only").split() == ["CHANGELOG.md"]


def test_a_dry_run_shows_the_diff_and_changes_nothing(checkout: Path):
    said = make_release(checkout, NEXT, DRY_RUN="1")

    assert f'-version = "{VERSION}"\n+version = "{NEXT}"' in said
    assert "--- a/CHANGELOG.md" in said
    assert git(checkout, "status", "--porcelain") == ""


def test_a_file_that_names_another_version_is_named(checkout: Path):
    (checkout / "docs" / "new.md").write_text("\nRun ghcr.io/floe/test-runner:9.8.7 by hand.\n")

    done = version_program("--root", checkout, "check")

    assert done.returncode == 1
    assert "docs/new.md:2: 9.8.7" in done.stderr


@pytest.mark.parametrize("version", ["v1.2.3", "1.2", "1.2.3-rc.1", "01.2.3", "latest"])
def test_what_is_no_version_is_refused(checkout: Path, version: str):
    done = version_program("--root", checkout, "set", version)

    assert done.returncode == 2
    assert "is no version: X.Y.Z is" in done.stderr
    assert git(checkout, "status", "--porcelain") == ""
