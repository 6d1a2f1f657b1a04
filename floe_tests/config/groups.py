"""Names of groups of tests: pytest's markers.

A name goes into an expression, and the expression into PYTEST_ADDOPTS, so it is a word that can be
nothing but a marker: what is more would be options of pytest, and other tests would run than those
that the run says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

# Groups reach the tests by it, as pytest's option -m.
ADDOPTS_VARIABLE = "PYTEST_ADDOPTS"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# Words of the expressions that `-m` takes.
# Source: https://docs.pytest.org/en/stable/how-to/mark.html
_WORDS = frozenset({"and", "or", "not", "True", "False", "None"})


def problems_of(names: Iterable[str]) -> tuple[str, ...]:
    """Find what is wrong with groups, whoever names them.

    Returns:
        One sentence a problem, with its remedy; empty when all may be used.
    """
    return tuple(
        f"{name!r} is no group. Write the name of one pytest marker: letters, digits and '_', "
        f"beginning with no digit, at most 100; several groups are several names."
        for name in names
        if not _NAME.fullmatch(name) or name in _WORDS
    )


def _valid(names: tuple[str, ...]) -> tuple[str, ...]:
    problems = problems_of(names)
    if problems:
        raise ValueError(" ".join(problems))
    return names


Groups = Annotated[tuple[str, ...], AfterValidator(_valid)]
