"""What a tag publishes: images and charts under their own names, and the changelog's section."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CHANGELOG = """\
# Changelog

## [Unreleased]

Nothing yet.

## [1.2.3] - 2026-11-24

### Added

- A tier.

## [1.2.30] - 2026-01-01

- Another.
"""

# Each says what it was asked to do. A registry has what `kept` names.
DOCKER = 'echo "docker $*" >>"$CALLS"'
PUSH = 'echo "push $*" >>"$CALLS"'
BUILD = """
if [[ ${1:-} == --list ]]; then
  echo "${IMAGE_REGISTRY_PREFIX}ghcr.io/floe/platform:1.2.3"
  echo "${IMAGE_REGISTRY_PREFIX}ghcr.io/floe/test-runner:1.2.3"
else
  echo "build $*" >>"$CALLS"
fi
"""
HELM = """
case "$1 $2 $3" in
  "show chart charts/"*) cat "$3/Chart.yaml" ;;
  "show chart oci://"*) grep -qx "$3 $5" "$KEPT" ;;
  "package "*) touch "$4/$(basename "$2")-1.0.0.tgz" ;;
  "push "*) echo "helm push $(basename "$2") $3" >>"$CALLS"; [[ -f $2 ]] ;;
esac
"""


@dataclass(frozen=True)
class Project:
    """A project with the script, and programs that only say what they were asked to do."""

    root: Path

    def write(self, path: str, text: str, *, program: bool = False) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/usr/bin/env bash\nset -eu{text}" if program else text)
        file.chmod(0o755 if program else 0o644)

    def release(self, *words: str, prefix: str = "") -> subprocess.CompletedProcess[str]:
        variables = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(self.root / "calls"),
            "KEPT": str(self.root / "kept"),
            "IMAGE_REGISTRY_PREFIX": prefix,
        }
        return subprocess.run(
            [self.root / ".ci" / "release", *words],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **variables},
        )

    def calls(self) -> list[str]:
        return (self.root / "calls").read_text().splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("pyproject.toml", '[project]\nname = "floe-tests"\nversion = "1.2.3"\n')
    made.write("CHANGELOG.md", CHANGELOG)
    made.write("kept", "")
    for path, text in (
        ("bin/docker", DOCKER),
        ("bin/helm", HELM),
        ("images/build", BUILD),
        ("images/push", PUSH),
    ):
        made.write(path, f"\n{text}", program=True)
    for name in ("floe-platform", "statefun"):
        made.write(f"charts/{name}/Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    library = "apiVersion: v2\nname: floe-common\ntype: library\nversion: 1.0.0\n"
    made.write("charts/floe-common/Chart.yaml", library)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "release", tmp_path / ".ci" / "release")
    return made


def test_the_notes_are_the_changelogs_section_of_that_version_alone(project: Project):
    done = project.release("notes", "v1.2.3")

    assert done.stdout == "### Added\n\n- A tier.\n"


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        pytest.param("v1.2.4", "the version in pyproject.toml 1.2.3", id="another version"),
        pytest.param("1.2.3", "tag v1.2.3", id="no v"),
    ],
)
def test_a_tag_that_is_not_the_projects_version_is_refused(project: Project, tag: str, said: str):
    done = project.release("notes", tag)

    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


@pytest.mark.parametrize("section", ["", "## [1.2.3] - 2026-11-24\n\n## [1.2.2]\n\n- Older.\n"])
def test_a_version_that_the_changelog_does_not_tell_of_is_refused(project: Project, section: str):
    project.write("CHANGELOG.md", f"# Changelog\n\n{section}")

    done = project.release("notes", "v1.2.3")

    assert (done.returncode, done.stdout) == (1, "")
    assert "no section '## [1.2.3]'" in done.stderr


def test_images_are_published_under_their_own_names(project: Project):
    assert project.release("images").returncode == 0

    assert project.calls() == [
        "build ",
        "push ghcr.io/floe/platform:1.2.3",
        "push ghcr.io/floe/test-runner:1.2.3",
    ]


def test_a_registry_prefix_is_where_bases_come_from_and_not_where_images_go(project: Project):
    assert project.release("images", prefix="harbor.example.com/").returncode == 0

    image = "ghcr.io/floe/platform:1.2.3"
    assert project.calls()[1:3] == [
        f"docker tag harbor.example.com/{image} {image}",
        f"push {image}",
    ]


def test_an_image_that_cannot_be_built_ends_it_before_anything_is_pushed(project: Project):
    project.write("images/build", "\nexit 1\n", program=True)

    assert project.release("images").returncode != 0
    assert not (project.root / "calls").exists()


def test_every_chart_is_pushed_and_a_version_that_is_there_stays_as_it_is(project: Project):
    project.write("kept", "oci://ghcr.io/floe/charts/statefun 1.0.0\n")

    done = project.release("charts", "oci://ghcr.io/floe/charts")

    assert done.returncode == 0, done.stderr
    assert project.calls() == ["helm push floe-platform-1.0.0.tgz oci://ghcr.io/floe/charts"]
    assert "kept oci://ghcr.io/floe/charts/statefun:1.0.0" in done.stdout


def test_a_library_chart_is_published_in_the_charts_that_have_it_alone(project: Project):
    done = project.release("charts", "oci://ghcr.io/floe/charts")

    assert done.returncode == 0, done.stderr
    assert project.calls() == [
        "helm push floe-platform-1.0.0.tgz oci://ghcr.io/floe/charts",
        "helm push statefun-1.0.0.tgz oci://ghcr.io/floe/charts",
    ]
    assert "floe-common" not in done.stdout
