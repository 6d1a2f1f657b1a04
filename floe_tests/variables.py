"""Variables of a suite's test container, as a tier sets them and a run changes them.

They are shown in the UI, in the results and in the history, so a secret has no place in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator

from floe_tests.errors import ConfigurationError

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_SECRET = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|PRIVATE|(ACCESS|API|SIGNING)_?KEY")
# What the orchestrator says itself, and what changes which program runs.
_RESERVED = re.compile(
    r"FLOE_RUN_ID|(FLOE_TESTS|FLOE_STREAM|FLOE_SHARD|PYTEST|PYTHON|LD|KUBERNETES)_.*|PATH|HOME|PYTHON.*"
)
_LONGEST_VALUE = 1024


def problems_of(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Find what is wrong with variables, whoever sets them.

    Returns:
        One sentence a problem, with its remedy; empty when all may be set.
    """
    problems: list[str] = []
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            problems.append(
                f"{name!r} is no name of a variable. Use capital letters, digits and '_', at most "
                "64, beginning with a letter."
            )
        elif _RESERVED.fullmatch(name):
            problems.append(f"{name} is the orchestrator's own. Leave it out.")
        elif _SECRET.search(name):
            problems.append(
                f"{name} looks like a secret, and variables are shown and recorded. Take it from a "
                "Secret in the suite's test-job.yaml (valueFrom)."
            )
        if len(value) > _LONGEST_VALUE or any(ord(sign) < ord(" ") for sign in value):
            problems.append(
                f"the value of {name} has {len(value)} characters. Write one line of at most "
                f"{_LONGEST_VALUE}."
            )
    return tuple(problems)


def _valid(variables: dict[str, str]) -> dict[str, str]:
    problems = problems_of(variables)
    if problems:
        raise ValueError(" ".join(problems))
    return variables


Variables = Annotated[dict[str, str], AfterValidator(_valid)]


def chosen(
    wanted: Mapping[str, str], known_by_suite: Mapping[str, Iterable[str]]
) -> Mapping[str, Mapping[str, str]]:
    """Give each suite those of a run's variables that it knows.

    Args:
        wanted: What the run chooses.
        known_by_suite: By suite, the variables that its manifest or its settings name.

    Returns:
        By suite, its variables of this run.

    Raises:
        ConfigurationError: A variable may not be set, or no suite knows it; all of them at once.
    """
    problems = list(problems_of(wanted))
    known = {suite: set(names) for suite, names in known_by_suite.items()}
    everywhere = {name for names in known.values() for name in names}
    settable = sorted(name for name in everywhere if not problems_of({name: ""}))
    problems += [
        f"no suite of this run knows {name}. They know {', '.join(settable) or 'none'}."
        for name in wanted
        if name not in everywhere
    ]
    if problems:
        raise ConfigurationError("variables of the run: " + " ".join(problems))
    return {
        suite: {name: value for name, value in wanted.items() if name in names}
        for suite, names in known.items()
    }


def said(variables: Mapping[str, str]) -> str:
    """Give variables as one line, for people."""
    return ", ".join(f"{name}={value}" for name, value in sorted(variables.items()))
