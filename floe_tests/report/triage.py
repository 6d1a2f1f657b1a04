"""What needs somebody: failures by what they say, new ones first; then what wavers or is gone.

A pure function over a tier's account. The page opens on it, and the overview counts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from floe_tests.results.history.account import TestAccount
from floe_tests.results.history.analysis import TierAccount
from floe_tests.results.history.comparison import Difference, compare
from floe_tests.results.history.slower import Slower

NO_MESSAGE = "no message"
LATELY = 20
"""What began, or ended, in so many of the newest runs is new."""
_FAILING = frozenset({"failed", "error"})
_MESSAGE_CHARACTERS = 240
# What differs between two messages of one kind: addresses, hashes, times, counts.
_QUOTED_PATH = re.compile(r"(?:/[\w.@+-]+){2,}")
_HEX = re.compile(r"\b(?:0x)?[0-9a-f]{6,}(?:-[0-9a-f]{4,}){0,4}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Since:
    """When something began.

    Attributes:
        at: Begin of the run that shows it first.
        commit: What that run tested; None when unknown.
    """

    at: datetime
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tests that say the same, or one kind of finding.

    Attributes:
        label: What they say, of the newest of them; empty where nothing has to be said.
        tests: The tests, in the tier's order.
        runs: Most runs in a row in which one of them has failed.
        since: The first run of it; None where that says nothing.
    """

    label: str
    tests: tuple[TestAccount, ...]
    runs: int = 0
    since: Since | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One kind of need.

    Attributes:
        name: A word for programs.
        title: What people read.
        groups: The tests, the most pressing group first.
    """

    name: str
    title: str
    groups: tuple[Group, ...]

    @property
    def tests(self) -> int:
        """How many tests are in it; a whole suite that became slower is one."""
        return sum(len(group.tests) or 1 for group in self.groups)


def needs_of(account: TierAccount, there: TierAccount | None = None) -> tuple[Section, ...]:
    """Return what needs somebody on a branch, the most pressing section first.

    Args:
        account: The tier on the branch, with texts.
        there: The tier on the default branch, where the branch is another and is compared with it.
    """
    if there is not None and not account.is_default:
        return _needs_beside(account, there)
    failing = [each for each in account.accounts if each.is_failing and not _is_wavering(each)]
    blamed = [each for each in failing if not each.is_quarantined]
    wavering = sorted(filter(_is_wavering, account.accounts), key=_wavered)
    return _filled(
        _failing("new", "Newly failing", filter(_is_new, blamed)),
        _failing("failing", "Failing for longer", (each for each in blamed if not _is_new(each))),
        _plain("newly flaky", "Newly flaky", filter(_wavers_lately, wavering)),
        _plain("flaky", "Flaky", (each for each in wavering if not _wavers_lately(each))),
        _slower(account.slower()),
        _plain("gone", "Gone lately", filter(_is_lately_gone, account.accounts)),
        _failing("quarantined", "Failing in quarantine", _quarantined(failing)),
    )


def _needs_beside(account: TierAccount, there: TierAccount) -> tuple[Section, ...]:
    """Return whose failures a branch's failures are."""
    compared, name = compare(account, there), there.branch

    def tests(difference: Difference) -> list[TestAccount]:
        return [each.here for each in compared.of(difference)]

    return _filled(
        _failing("new", f"New failures here, not on {name}", tests(Difference.NEW)),
        _failing("flaky there", f"Failing here, flaky on {name}", tests(Difference.FLAKY_THERE)),
        _failing("failing", f"Failing on {name} too", tests(Difference.THERE_TOO)),
        _plain("fixed", f"Fixed here, failing on {name}", tests(Difference.FIXED)),
    )


def _filled(*sections: Section) -> tuple[Section, ...]:
    return tuple(section for section in sections if section.groups)


def signature_of(message: str) -> str:
    """Return what two failures of one kind have in common: the first line, numbers left out."""
    line = message.strip().split("\n", 1)[0][:_MESSAGE_CHARACTERS]
    for pattern, mark in ((_QUOTED_PATH, "/…"), (_HEX, "#"), (_NUMBER, "#")):
        line = pattern.sub(mark, line)
    return line


def newest_failure(each: TestAccount) -> int | None:
    """Return the column of a test's newest failure; None where it has none."""
    return next((cell.column for cell in each.test.cells if cell.outcome in _FAILING), None)


def _is_new(each: TestAccount) -> bool:
    return each.is_newly_failing or each.is_new


def _is_wavering(each: TestAccount) -> bool:
    """Return whether it is flaky; not one whose only failures are those that it is in now."""
    return each.is_flaky and not (
        each.is_failing and each.diagnosis.failures <= failures_in_a_row(each)
    )


def _quarantined(failing: Iterable[TestAccount]) -> Iterable[TestAccount]:
    return (each for each in failing if each.is_quarantined)


def _is_lately_gone(each: TestAccount) -> bool:
    gone = each.diagnosis.gone_since
    return gone is not None and gone.column < LATELY


def _wavered(each: TestAccount) -> int:
    """Return how many runs ago it last failed or was run again."""
    return _doubts(each)[0]


def _wavers_lately(each: TestAccount) -> bool:
    """Return whether it has wavered in the newest runs alone, and was well before."""
    return _doubts(each)[-1] < LATELY <= each.test.cells[-1].column


def _doubts(each: TestAccount) -> list[int]:
    found = [cell.column for cell in each.test.cells if cell.outcome in _FAILING or cell.reruns]
    return found or [each.test.cells[-1].column]


def _plain(name: str, title: str, tests: Iterable[TestAccount]) -> Section:
    found = tuple(tests)
    return Section(name=name, title=title, groups=(Group(label="", tests=found),) if found else ())


def _failing(name: str, title: str, tests: Iterable[TestAccount]) -> Section:
    """Group failures by what they say; the group of most tests and runs first."""
    by_signature: dict[str, list[TestAccount]] = {}
    for each in tests:
        by_signature.setdefault(signature_of(message_of(each)), []).append(each)
    groups = [_group(found) for found in by_signature.values()]
    groups.sort(key=lambda group: (-len(group.tests), -group.runs))
    return Section(name=name, title=title, groups=tuple(groups))


def _slower(found: Sequence[Slower]) -> Section:
    groups = tuple(
        Group(
            label=f"{'' if each.test else f'most tests of {each.suite}: '}{each.before:.2f} s, now "
            f"{each.after:.2f} s, by a {each.kind}",
            tests=(each.test,) if each.test else (),
            since=Since(each.since.started_at, each.since.commit),
        )
        for each in found
    )
    return Section(name="slower", title="Slower", groups=groups)


def _group(tests: Sequence[TestAccount]) -> Group:
    since = [each.diagnosis.failing_since for each in tests if each.diagnosis.failing_since]
    first = min(since, key=lambda each: each.at, default=None)
    newest = min(tests, key=lambda each: newest_failure(each) or 0)
    return Group(
        label=message_of(newest).strip().split("\n", 1)[0][:_MESSAGE_CHARACTERS] or NO_MESSAGE,
        tests=tuple(tests),
        runs=max(map(failures_in_a_row, tests)),
        since=Since(first.at, first.commit) if first else None,
    )


def failures_in_a_row(each: TestAccount) -> int:
    """Return in how many runs it has failed since it last passed."""
    since = each.diagnosis.failing_since
    if since is None:
        return 0
    count = 0
    for cell in each.test.cells:
        if cell.outcome == "passed":
            break
        count += cell.outcome in _FAILING
    return count


def message_of(each: TestAccount) -> str:
    """Return what its newest failure said; empty where nobody knows."""
    column = newest_failure(each)
    text = None if column is None else each.test.texts.get(column)
    return "" if text is None else text.message
