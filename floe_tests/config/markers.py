"""Which markers a suite of pytest has, as far as its sources are in the project.

Of a group that no source mentions no test would run. What an image alone holds is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

# Where markers are given, registered and added.
_GIVEN = re.compile(r"""\bmark\.(\w+)|["']markers["'],\s*f?["'](\w+)|add_marker\(["'](\w+)""")
_CONFIGURATIONS = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg")
_MOST_FILES = 2_000
_MOST_BYTES = 1_000_000


def unmentioned(groups: Iterable[str], command: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return the groups that no source of a suite mentions.

    Args:
        groups: The groups.
        command: The suite's command; its words that are files or folders of the project are the
            suite's sources.
        root: The project's folder.

    Returns:
        The groups; none where the sources are not in the project.
    """
    texts = list(_texts(command, root))
    if not texts:
        return ()
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    return tuple(name for name in groups if name not in words)


def given(command: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return the markers that a suite's sources give.

    Args:
        command: The suite's command.
        root: The project's folder.
    """
    found = {
        name
        for text in _texts(command, root)
        for match in _GIVEN.finditer(text)
        for name in match.groups()
        if name
    }
    return tuple(sorted(found - {"parametrize", "skip", "skipif", "usefixtures", "xfail"}))


def _texts(command: Sequence[str], root: Path) -> Iterator[str]:
    """Yield the texts of a suite's tests, and of what configures its pytest."""
    sources = [root / word.partition("::")[0] for word in command if not word.startswith("-")]
    tests = [path for path in sources if path.is_relative_to(root) and path.exists()]
    # A folder called as the program is none of its tests.
    files = [each for path in tests for each in _python_in(path)][:_MOST_FILES]
    if not files:
        return
    above = {folder for path in tests for folder in path.parents if folder.is_relative_to(root)}
    files += [folder / name for folder in above for name in (*_CONFIGURATIONS, "conftest.py")]
    for file in files:
        if file.is_file() and file.stat().st_size <= _MOST_BYTES:
            yield file.read_text(encoding="utf-8", errors="replace")


def _python_in(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from path.rglob("*.py")
    elif path.suffix == ".py":
        yield path
