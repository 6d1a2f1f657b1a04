"""Which cases of JUnit files are one test, and what tests of one name are called.

A test is its suite, its class and its name. History has known tests by class and name alone, and
for most files that is enough; so the suite (or the file, an environment, a host) is added only
where a name repeats, and then to each that bears it: names must not depend on the order in which
a tool happens to write its suites.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from floe_tests.results.cases import CaseResult
from floe_tests.results.formats.junit.suites import FoundCase

# What tells environments apart goes before a suite's other properties, which may change each run.
_ENVIRONMENTS = re.compile(
    r"env|browser|project|platform|config|device|version|python", re.IGNORECASE
)
# A name with a number of a run, a time or a digest in it is another one each time.
_CHANGING = re.compile(r"[0-9a-f]{8}|\d{6}")
_LONGEST_MARK = 200

_Mark = Callable[[FoundCase], str]


def named(found: Iterable[FoundCase]) -> tuple[CaseResult, ...]:
    """Return the cases, each name once, in the order in which they were found.

    Tests of one name that nothing tells apart get ` #2`, ` #3` behind it.
    """
    everything = list(found)
    counts = Counter(one.case.name for one in everything)
    repeated = {name for name, count in counts.items() if count > 1}
    if not repeated:
        return tuple(one.case for one in everything)
    groups: dict[str, list[FoundCase]] = {name: [] for name in repeated}
    for one in everything:
        if one.case.name in repeated:
            groups[one.case.name].append(one)
    names: dict[int, str] = {}
    for name, group in groups.items():
        names.update(_names(name, group))
    return _numbered(everything, names, counts.keys() - repeated)


def _names(name: str, group: Sequence[FoundCase]) -> dict[int, str]:
    mark = _mark(group)
    if mark is None:
        return {}
    marked = {id(one): mark(one)[:_LONGEST_MARK] for one in group}
    return {
        key: name if not text else f"{name} [{text}]" if "::" in name else f"{text}::{name}"
        for key, text in marked.items()
    }


def _mark(group: Sequence[FoundCase]) -> _Mark | None:
    """Return what tells the group's places apart; None where nothing does."""
    places = len({(one.source, id(one.place)) for one in group})
    best: _Mark | None = None
    most = 1
    for mark in _marks(group):
        different = len({mark(one) for one in group})
        if different >= places and different > 1:
            return mark
        if different > most:
            best, most = mark, different
    return best


def _marks(group: Sequence[FoundCase]) -> Iterable[_Mark]:
    """Yield what may tell tests of one name apart, the steadiest first."""
    paths: tuple[_Mark, ...] = (
        lambda one: one.place.path[-1],
        lambda one: " / ".join(part for part in one.place.path if part),
    )
    are_steady = not any(_CHANGING.search(part) for one in group for part in one.place.path)
    if are_steady:
        yield from paths
    yield lambda one: one.case.file or ""
    for key in ("file", "filepath", "package"):
        yield lambda one, key=key: one.place.attributes.get(key, "")
    names = {name for one in group for name in one.place.properties}
    for name in sorted(names, key=lambda name: (_ENVIRONMENTS.search(name) is None, name)):
        values = {one.place.properties.get(name, "") for one in group}
        if not any(_CHANGING.search(value) for value in values):
            yield lambda one, name=name: one.place.properties.get(name, "")
    yield lambda one: one.place.attributes.get("hostname", "")
    if not any(_CHANGING.search(one.source) for one in group):
        yield lambda one: one.source
    if not are_steady:
        yield from paths


def _numbered(
    found: Sequence[FoundCase], names: dict[int, str], single: AbstractSet[str]
) -> tuple[CaseResult, ...]:
    # A name that a test has by itself is never another's.
    taken: set[str] = set(single)
    occurrences: dict[str, int] = {}
    cases: list[CaseResult] = []
    for one in found:
        case = one.case
        if case.name in single:
            cases.append(case)
            continue
        base = names.get(id(one), case.name)
        name, number = base, occurrences.get(base, 1)
        while name in taken:
            number += 1
            name = f"{base} #{number}"
        occurrences[base] = number
        taken.add(name)
        cases.append(replace(case, name=name) if name != case.name else case)
    return tuple(cases)
