"""What pydantic found, in the words of those who write settings: what is there, what to write."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from floe_tests.config.base import ProblemsError

_LONGEST_VALUE = 60
# What a value has to be, by the beginning of the error's type.
_KINDS = {
    "string": "text, in quotes where it looks like a number",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "tuple": "a list: [a, b], or a line with '- ' for each",
    "list": "a list: [a, b], or a line with '- ' for each",
    "dict": "a mapping: lines of `name: value`",
    "model": "a mapping: lines of `name: value`",
    "mapping": "a mapping: lines of `name: value`",
}
_QUOTED = re.compile(r"'([^']*)'")
# How sentences of this package begin that name a field below the one that was checked.
_FIELD = re.compile(r"(?P<field>[a-z_]+(?:\[\d+\]|\.[a-z_]+)*): (?P<rest>.+)", re.DOTALL)


def sentences_of(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Return what is wrong: the place of each problem, and a sentence with the remedy."""
    found: list[tuple[tuple[int | str, ...], str]] = []
    for item in error.errors(include_url=False):
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, ProblemsError):
            found += (located(problem) for problem in cause.problems)
        else:
            found.append((item["loc"], _sentence(item)))
    return found


def located(problem: str) -> tuple[tuple[int | str, ...], str]:
    """Return the field that a sentence begins with, as a place, and the rest of it."""
    match = _FIELD.fullmatch(problem)
    if match is None:
        return (), problem
    steps = re.findall(r"[^.\[\]]+", match["field"])
    return tuple(int(step) if step.isdigit() else step for step in steps), match["rest"]


def field_of(location: Iterable[int | str]) -> str:
    """Return a place as people write it: `suites[0].job`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def meant(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean X?" where a known name is close; nothing otherwise."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _sentence(item: ErrorDetails) -> str:
    kind = item["type"]
    if kind == "missing":
        return "missing. Write it."
    if kind == "literal_error":
        expected = str(item.get("ctx", {}).get("expected", ""))
        close = meant(str(item["input"]), _QUOTED.findall(expected))
        return f"{_shown(item['input'])} is none of its values.{close} Write {expected}."
    wanted = _KINDS.get(kind.partition("_")[0])
    if wanted is not None and kind.endswith(("_type", "_parsing", "_from_float")):
        return f"{_shown(item['input'])} is of the wrong kind. Write {wanted}."
    message = item["msg"].removeprefix("Value error, ")
    return message if message.endswith((".", "?")) else f"{message}; it is {_shown(item['input'])}."


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
