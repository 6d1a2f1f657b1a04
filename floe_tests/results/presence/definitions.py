"""Which tests a source file defines: to tell a test that was taken out from one that is not run.

Python is parsed. In any other language a test counts as defined where its name stands as a word.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from floe_tests.results.presence.losses import bare, container

_SUFFIXES = (".py", ".java", ".kt")

Scope = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test is defined.

    Attributes:
        function: Its own name.
        classes: The classes around it, outermost first.
        is_of_file: Whether its name says that it is in this file, and not only inherited from it.
    """

    function: str
    classes: Scope = ()
    is_of_file: bool = True

    @classmethod
    def of(cls, name: str, path: str) -> Place:
        """Return the place that a test's name tells.

        Args:
            name: The test's name, without parameters.
            path: The file.
        """
        inside = container(name)
        parts = path.rpartition(".")[0].split("/")
        for start in range(len(parts)):
            module = ".".join(parts[start:])
            if inside == module or inside.startswith(f"{module}."):
                classes = inside[len(module) + 1 :]
                return cls(bare(name), tuple(classes.split(".")) if classes else ())
        return cls(bare(name), is_of_file=False)

    def name_in(self, module: str) -> str:
        """Return the test's name in a module."""
        return f"{'.'.join((module, *self.classes))}::{self.function}"


@dataclass(frozen=True, slots=True)
class Definitions:
    """What a file defines.

    Attributes:
        functions: Functions and methods by their classes and name, and how often.
        text: The file, where it is no Python; else None.
    """

    functions: Counter[tuple[Scope, str]] = field(default_factory=Counter[tuple[Scope, str]])
    text: str | None = None

    def has(self, place: Place) -> bool:
        """Return whether a test is defined here."""
        if self.text is not None:
            word = rf"(?<!\w){re.escape(place.function)}(?!\w)"
            return re.search(word, self.text) is not None
        if not place.is_of_file:
            return any(name == place.function for _, name in self.functions)
        return (place.classes, place.function) in self.functions

    def others_like(self, place: Place) -> set[Place]:
        """Return the other places where a function of this name is defined."""
        return {
            Place(name, classes)
            for classes, name in self.functions
            if name == place.function and classes != place.classes
        }

    def twice(self, place: Place) -> set[str]:
        """Return the tests beside a place that are defined more than once: the last one runs."""
        return {
            name
            for (classes, name), times in self.functions.items()
            if times > 1 and classes == place.classes and name.startswith("test")
        }


def of(text: str, path: str) -> Definitions:
    """Return what a file defines.

    Args:
        text: Its content.
        path: Its path, whose suffix says what it is.
    """
    if not path.endswith(".py"):
        return Definitions(text=text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the parser says of others' escape sequences
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return Definitions(text=text)
    return Definitions(Counter(_functions(tree, ())))


def files_of(name: str) -> tuple[str, ...]:
    """Return the files that a test may be in by its name, the likeliest first."""
    parts = container(name).split(".")
    return tuple(
        "/".join(parts[:length]) + suffix
        for length in range(len(parts), 0, -1)
        for suffix in _SUFFIXES
    )


def dotted(path: str, prefix: str = "") -> str:
    """Return what tests of a folder, or of a file without its suffix, are called by.

    Args:
        path: The path in the repository.
        prefix: The project's folder in it, with its final slash.
    """
    return path.removeprefix(prefix).replace("/", ".")


def _functions(node: ast.AST, scope: Scope) -> Iterator[tuple[Scope, str]]:
    """Walk through classes and what is beside them, also below `if` and `try`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield scope, child.name
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*scope, child.name))
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _functions(child, scope)
