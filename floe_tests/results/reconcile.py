"""Two accounts of one pytest session, brought under the same names.

JUnit and events usually name a test alike. `--junit-prefix`, or a suite that sets `name` and
`classname` of its JUnit elements, makes them differ, and one session would look like twice as many
tests. The events' name is pytest's own, so it stands: it is the one a pod that died would have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from floe_tests.results.cases import CaseResult

# JUnit rounds to a thousandth of a second, and the phases' own times are added up.
_ROUNDING_SECONDS = 0.005
_MOST_PREFIXES = 20


def under_event_names(
    from_junit: Mapping[str, CaseResult],
    from_events: Mapping[str, CaseResult],
    *,
    in_flight: Collection[str],
) -> dict[str, CaseResult]:
    """Return JUnit's cases under the events' names where both tell of the same tests.

    Args:
        from_junit: JUnit's cases by name.
        from_events: The events' cases by name.
        in_flight: Tests that the events begin and do not end.
    """
    unknown = [name for name in from_junit if name not in from_events and name not in in_flight]
    left = [name for name in from_events if name not in from_junit]
    if not unknown or not (left or in_flight):
        return dict(from_junit)
    names = _without_prefix(unknown, {*left, *in_flight}) or _in_order(
        [from_junit[name] for name in unknown], [from_events[name] for name in left]
    )
    return {
        names.get(name, name): replace(case, name=names[name]) if name in names else case
        for name, case in from_junit.items()
    }


def _without_prefix(unknown: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """Return the names without the prefix that most of them have; empty when they have none."""
    parts = unknown[0].split(".")[:_MOST_PREFIXES]
    for number in range(1, len(parts)):
        prefix = ".".join(parts[:number]) + "."
        names = {
            name: name.removeprefix(prefix)
            for name in unknown
            if name.startswith(prefix) and name.removeprefix(prefix) in known
        }
        if 2 * len(names) > len(unknown):
            return names
    return {}


def _in_order(unknown: Sequence[CaseResult], left: Sequence[CaseResult]) -> dict[str, str]:
    """Pair cases by their place; empty unless outcome and time agree in every pair."""
    if len(unknown) != len(left) or not all(map(_agree, unknown, left)):
        return {}
    return {mine.name: other.name for mine, other in zip(unknown, left, strict=True)}


def _agree(mine: CaseResult, other: CaseResult) -> bool:
    same_time = abs(mine.seconds - other.seconds) <= _ROUNDING_SECONDS
    return same_time and mine.outcome is other.outcome
