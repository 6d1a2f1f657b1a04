"""Environment variables in a tier's settings: `{{ env.NAME }}`, as in Dagster's components.

Nothing else in double braces is touched: the values of a chart may have templates of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

_Place = tuple[int | str, ...]
# `env.NAME`, `env('NAME')` or `env('NAME', 'default')`.
_VARIABLE = re.compile(
    r"\{\{\s*env(?:\.(?P<name>\w+)|"
    r"\(\s*(?P<quote>['\"])(?P<called>\w+)(?P=quote)\s*"
    r"(?:,\s*(?P<mark>['\"])(?P<default>.*?)(?P=mark)\s*)?\))\s*\}\}"
)


def with_variables(
    value: object, environ: Mapping[str, str]
) -> tuple[Any, list[tuple[_Place, str]]]:
    """Return settings with the variables that they name.

    Args:
        value: The settings, as YAML has them.
        environ: The variables, as `os.environ`.

    Returns:
        The settings, and the place of each variable that is not set, with a sentence.
    """
    missing = [
        (place, _unset(name))
        for place, text in _texts(value, ())
        for match in _VARIABLE.finditer(text)
        if (name := _name(match)) not in environ and match["default"] is None
    ]
    return _replaced(value, environ), missing


def _unset(name: str) -> str:
    default = f"{{{{ env('{name}', 'default') }}}}"
    return f"environment variable {name} is not set. Set it, or write a default: {default}."


def _name(match: re.Match[str]) -> str:
    return match["name"] or match["called"]


def _texts(value: object, place: _Place) -> Iterator[tuple[_Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, below in cast("Mapping[object, object]", value).items():
            yield from _texts(below, (*place, str(key)))
    elif isinstance(value, list):
        for index, below in enumerate(cast("list[object]", value)):
            yield from _texts(below, (*place, index))


def _replaced(value: object, environ: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: environ.get(_name(match), match["default"] or ""), value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {key: _replaced(below, environ) for key, below in items}
    if isinstance(value, list):
        return [_replaced(below, environ) for below in cast("list[object]", value)]
    return value
