"""CONTRIBUTING.md leads to files and names that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
# In the place of a name that the reader chooses.
PLACEHOLDERS = ("NAME", "*")


def found(path: str) -> Path | None:
    """Return a file or folder, which is named from the project's folder or from the package's."""
    places = (ROOT / path, ROOT / "floe_tests" / path)
    return next((place for place in places if place.exists()), None)


def test_every_file_and_folder_of_a_recipe_is_there():
    words = re.findall(r"[\w./*-]+", " ".join(re.findall(r"`([^`\n]+)`", TEXT)))
    paths = {word for word in words if re.search(r"^tests/|\w/$|\w/.*\.(py|in|yaml|toml)$", word)}

    named = {path for path in paths if not any(word in path for word in PLACEHOLDERS)}
    assert len(named) > 50
    assert sorted(path for path in named if found(path) is None) == []


def test_every_name_of_a_recipe_stands_in_its_file():
    pairs = re.findall(r"`(\w+)`(?: is)? (?:in|of) `([\w/.-]+\.py)`", TEXT)

    assert len(pairs) > 8
    gone = [
        f"{name} in {path}"
        for name, path in pairs
        if (file := found(path)) is None or name not in file.read_text()
    ]
    assert gone == []
