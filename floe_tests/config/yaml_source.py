"""YAML as people write it, with the line of every field, so that an error can be found.

Twice the same key is an error here: YAML's own rule, which parsers forgive by taking the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

# PyYAML's loader is typed in part.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class SourceError(Exception):
    """A file that is no YAML, or cannot be read."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        """Keep what is wrong, and where.

        Args:
            message: What is wrong, with the remedy.
            line: The line, from 1; None where it is the file itself.
        """
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """As Dagster reads defs.yaml: a date stays the text that it is."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Document:
    """One document of a YAML file.

    Attributes:
        value: What it says.
        node: Where it says it.
    """

    value: object
    node: yaml.Node

    def line_of(self, location: Sequence[int | str]) -> int:
        """Return the line of a field, or of the nearest that is there, from 1."""
        line, node = self.node.start_mark.line, self.node
        for step in location:
            found = _below(node, step)
            if found is None:
                break
            line, node = found
        return line + 1


def read_documents(path: Path) -> tuple[Document, ...]:
    """Read a YAML file.

    Raises:
        SourceError: It cannot be read, or is no YAML.
    """
    text = _text_of(path)
    try:
        return tuple(_documents(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"it is no YAML: {_words_of(error)}"
        raise SourceError(message, line=mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a tagged number that is none
        message = f"it is no YAML: {' '.join(str(error).split())}"
        raise SourceError(message) from error
    except RecursionError as error:
        message = "it is nested too deeply. Write fewer brackets."
        raise SourceError(message) from error


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"it cannot be read: {error.strerror}. Mend the file or its permissions."
        raise SourceError(message) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{content[error.start]:02x} is no UTF-8. Save the file as UTF-8."
        raise SourceError(message, line=line) from error


def _documents(text: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = cast("yaml.Node", loader.get_node())
            _require_single_keys(node)
            value = cast("object", loader.construct_document(node))
            # An empty document, as before a first `---`, says nothing.
            if value is not None:
                yield Document(value, node)
    finally:
        loader.dispose()


def _require_single_keys(root: yaml.Node) -> None:
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            _require_single_keys_of(node)
            waiting += (value for _, value in node.value)


def _require_single_keys_of(node: yaml.MappingNode) -> None:
    first: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        name, line = (str(key.tag), str(key.value)), key.start_mark.line + 1
        if name in first:
            message = (
                f"{key.value!r} stands here and in line {first[name]}, and only one of them would "
                "count. Take one out"
            )
            raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
        first[name] = line


def _words_of(error: yaml.MarkedYAMLError) -> str:
    if "'\\t'" in (error.problem or ""):
        return "there is a tab. Indent with spaces."
    began = error.context_mark.line + 1 if error.context_mark else None
    context = f"{error.context}, which begins in line {began}: " if error.context and began else ""
    return f"{context}{error.problem}."


def _below(node: yaml.Node, step: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        value = node.value[step]
        return value.start_mark.line, value
    return None
