"""JUnit names without pytest's `--junit-prefix`, which the events do not have.

With it every test would count twice: by the name in JUnit, and by the one in the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from floe_tests.results.cases import CaseResult


def without_prefix(cases: Mapping[str, CaseResult], events: Iterable[str]) -> dict[str, CaseResult]:
    """Return JUnit's cases by the names of the events, where one prefix is all between them.

    Args:
        cases: What JUnit holds, by name.
        events: Names that the events hold.

    Returns:
        The cases, renamed; as they were where any of them does not fit, for then the names tell
        something else apart.
    """
    known = frozenset(events)
    prefix = next(filter(None, (_prefix_of(name, known) for name in cases)), "")
    if not prefix or not all(name.startswith(prefix) and name not in known for name in cases):
        return dict(cases)
    renamed = (replace(case, name=name.removeprefix(prefix)) for name, case in cases.items())
    return {case.name: case for case in renamed}


def _prefix_of(name: str, known: frozenset[str]) -> str:
    """Return what stands before a known name, with its dot; empty where there is none."""
    module = name.partition("::")[0]
    for place, sign in enumerate(module):
        if sign == "." and name[place + 1 :] in known:
            return name[: place + 1]
    return ""
