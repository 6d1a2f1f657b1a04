"""Where a project is: found from the working folder upwards, and nobody else's is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_tests.config.discovery import find_project, project_with, require_project
from floe_tests.core.errors import ConfigurationError

SHOP = '[tool.dg.project]\nroot_module = "shop_tests"\n'


def write(root: Path, text: str = SHOP, *, name: str = "pyproject.toml") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return root


def test_it_is_found_from_a_folder_below(tmp_path: Path):
    root = write(tmp_path / "a project")
    below = root / "shop_tests" / "defs"
    below.mkdir(parents=True)

    project = require_project(below)

    assert project.root == root
    assert project.package == root / "shop_tests"
    assert project.defs == root / "shop_tests" / "defs"
    assert project.definitions_module == "shop_tests.definitions"


def test_a_pyproject_of_something_else_is_passed_by(tmp_path: Path):
    root = write(tmp_path)
    library = write(root / "libs" / "one", '[project]\nname = "one"\n[tool.dg]\n')

    assert require_project(library).root == root


def test_the_nearest_of_two_is_taken(tmp_path: Path):
    write(tmp_path)
    inner = write(tmp_path / "inner", SHOP.replace("shop", "inner"))

    assert require_project(inner).root_module == "inner_tests"


def test_a_package_below_src_is_found_there(tmp_path: Path):
    write(tmp_path)
    package = tmp_path / "src" / "shop_tests"
    package.mkdir(parents=True)

    assert require_project(tmp_path).source == tmp_path / "src"
    assert project_with(package / "definitions.py").root == tmp_path


def test_what_a_project_names_itself_is_used(tmp_path: Path):
    write(
        tmp_path,
        f'{SHOP}defs_module = "shop_tests.tiers"\ncode_location_target_module = "shop_tests.load"',
    )

    project = require_project(tmp_path)

    assert project.defs == tmp_path / "shop_tests" / "tiers"
    assert project.definitions_module == "shop_tests.load"


def test_dg_toml_says_it_too(tmp_path: Path):
    write(tmp_path, SHOP.replace("tool.dg.", ""), name="dg.toml")

    assert require_project(tmp_path).root_module == "shop_tests"


def test_without_one_the_message_says_how_to_start(tmp_path: Path):
    assert find_project(tmp_path) is None
    with pytest.raises(ConfigurationError, match="`floe-tests init` starts a project here"):
        require_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[tool.dg.project]\n", "has no root_module", id="no package"),
        pytest.param("[tool.dg]\nproject = 1\n", "is no table", id="no table"),
        pytest.param(SHOP.replace("shop_", "shop-"), "'shop-tests' is no name", id="hyphen"),
        pytest.param("[tool.dg.project]\nroot_module = 3\n", "3 is no name", id="a number"),
        pytest.param("[tool\n", "is no TOML", id="no TOML"),
    ],
)
def test_a_wrong_file_is_named_with_the_remedy(tmp_path: Path, text: str, words: str):
    write(tmp_path, text)

    with pytest.raises(ConfigurationError, match=words) as raised:
        require_project(tmp_path)

    assert str(tmp_path / "pyproject.toml") in str(raised.value)


def test_an_installed_package_is_no_part_of_the_project_around_its_environment(tmp_path: Path):
    """Otherwise the definitions of a wheel would load the tiers of whoever installed it."""
    write(tmp_path)
    file = tmp_path / ".venv" / "lib" / "python3.11" / "site-packages" / "other" / "definitions.py"

    with pytest.raises(ConfigurationError, match="belongs to no project"):
        project_with(file)
