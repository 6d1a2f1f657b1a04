"""Every environment variable as a page: docs/environment.md is made here, never written by hand."""

from __future__ import annotations

from collections.abc import Iterator

from floe_tests.config.environment_variables import GROUPS, EnvironmentVariable

_INTRODUCTION = """\
<!-- Made by `make docs` from floe_tests/config/environment_variables.py: change it there. -->

# Environment variables

What `floe-tests` and the project in Dagster read. An empty variable is one that is not set; a wrong
value is refused before anything is created. A run's tags `floe-tests/ref`, `/commit` and
`/trigger`, given at launch, win over the variables for them.

What a suite's tests are told is on another page: [its variables](local.md#its-variables).
"""


def markdown() -> str:
    """Return the page: a table for each group of variables."""
    tables = (line for title, group in GROUPS.items() for line in _table(title, group))
    return "\n".join([_INTRODUCTION, *tables])


def _table(title: str, group: tuple[EnvironmentVariable, ...]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| variable | says | default |"
    yield "| --- | --- | --- |"
    for each in group:
        yield f"| `{each.name}` | {each.meaning} | {each.default} |"
    yield ""
