"""Tests that were renamed, by the user's word: two names, one past.

A link stands beside the results and changes none of them, so it can be taken back. It is followed
wherever a test's past is read. Should a run report both names after all, they are two tests again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sqlalchemy import Connection, delete, insert, select

from floe_tests.core.errors import ConfigurationError
from floe_tests.results.history.grid import Grid, GridTest
from floe_tests.results.history.models import CaseRow, RenameRow, SuiteRow, TestRow


@dataclass(frozen=True, slots=True)
class Rename:
    """A link between two names of a test.

    Attributes:
        tier: The tier.
        suite: The suite.
        old: The name that it had.
        new: The name that it has.
    """

    tier: str
    suite: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class _Known:
    test_id: int
    tier: str
    suite: str
    name: str


def link(connection: Connection, old: str, new: str, *, tier: str | None) -> tuple[Rename, ...]:
    """Remember that a test was renamed, in every tier and suite that has both names.

    Args:
        connection: In a transaction.
        old: The name that it had.
        new: The name that it has now.
        tier: Only in this tier.

    Raises:
        ConfigurationError: A name is unknown, or the two cannot be one test.
    """
    olds = _known(connection, old, tier, flag="OLD")
    news = {(each.tier, each.suite): each for each in _known(connection, new, tier, flag="NEW")}
    pairs = [
        (each, news[each.tier, each.suite]) for each in olds if (each.tier, each.suite) in news
    ]
    if not pairs:
        where = "; ".join(
            f"{name} is in {_places(found)}" for name, found in ((old, olds), (new, news.values()))
        )
        message = f"--rename: no suite has both names: {where}. A link is within one suite."
        raise ConfigurationError(message)
    return tuple(_linked(connection, one, other) for one, other in pairs)


def unlink(connection: Connection, old: str, *, tier: str | None) -> tuple[Rename, ...]:
    """Take back what was said of a test's old name.

    Raises:
        ConfigurationError: There is no such link.
    """
    tests = _known(connection, old, tier, flag="OLD", option="--undo-rename")
    links = dict(_links(connection))
    found = [each for each in tests if each.test_id in links]
    if not found:
        message = f"--undo-rename: {old} is linked to no other name."
        raise ConfigurationError(message)
    names = _names(connection, [links[each.test_id] for each in found])
    ids = [each.test_id for each in found]
    connection.execute(delete(RenameRow).where(RenameRow.test_id.in_(ids)))
    return tuple(
        Rename(each.tier, each.suite, each.name, names[links[each.test_id]]) for each in found
    )


def same_tests(connection: Connection, name: str) -> tuple[int, ...]:
    """Return the numbers of the tests of a name, and of all names that are linked with it."""
    ids = list(connection.execute(select(TestRow.test_id).where(TestRow.name == name)).scalars())
    links = dict(_links(connection))
    ends = {_end(links, each) for each in ids}
    return tuple({*ids, *(each for each in {*links, *ends} if _end(links, each) in ends)})


def follow(connection: Connection, grid: Grid) -> Grid:
    """Return a grid in which each renamed test is one, by its newest name."""
    links = dict(_links(connection))
    if not links:
        return grid
    groups: dict[int, list[GridTest]] = {}
    for test in grid.tests:
        groups.setdefault(_end(links, test.test_id), []).append(test)
    tests = [one for end, of in groups.items() for one in _merged(end, of)]
    return replace(grid, tests=tuple(sorted(tests, key=lambda each: (each.suite, each.name))))


def _merged(end: int, tests: Sequence[GridTest]) -> Iterator[GridTest]:
    newest = next((each for each in tests if each.test_id == end), None)
    columns = [cell.column for each in tests for cell in each.cells]
    if newest is None or len(tests) == 1 or len(set(columns)) < len(columns):
        yield from tests
        return
    earlier = [each for each in tests if each is not newest]
    yield replace(
        newest,
        cells=tuple(sorted(cell for each in tests for cell in each.cells)),
        texts={column: text for each in tests for column, text in each.texts.items()},
        earlier_names=tuple(each.name for each in earlier),
    )


def _linked(connection: Connection, old: _Known, new: _Known) -> Rename:
    links = dict(_links(connection))
    found = Rename(old.tier, old.suite, old.name, new.name)
    if links.get(old.test_id) == new.test_id:
        return found
    _require_no_circle(connection, links, old, new)
    groups = [
        [each for each in {*links, test.test_id} if _end(links, each) == _end(links, test.test_id)]
        for test in (old, new)
    ]
    runs = [
        set(
            connection.execute(
                select(SuiteRow.run_id)
                .join(CaseRow, CaseRow.suite_id == SuiteRow.suite_id)
                .where(CaseRow.test_id.in_([*group, _end(links, test.test_id)]))
            ).scalars()
        )
        for group, test in zip(groups, (old, new), strict=True)
    ]
    if both := sorted(runs[0] & runs[1]):
        message = (
            f"--rename: {old.name} and {new.name} both ran in run {both[0]}"
            f"{f' and {len(both) - 1} others' if both[1:] else ''}: they are two tests."
        )
        raise ConfigurationError(message)
    connection.execute(insert(RenameRow).values(test_id=old.test_id, renamed_to=new.test_id))
    return found


def _require_no_circle(
    connection: Connection, links: Mapping[int, int], old: _Known, new: _Known
) -> None:
    if old.test_id == new.test_id:
        message = f"--rename: {old.name} is both the old name and the new one."
        raise ConfigurationError(message)
    if old.test_id in links:
        other = links[old.test_id]
        message = (
            f"--rename: {old.name} is linked to {_names(connection, [other])[other]} already. "
            f"`floe-tests history --undo-rename '{old.name}'` takes that back."
        )
        raise ConfigurationError(message)
    if _end(links, new.test_id) == old.test_id:
        message = (
            f"--rename: {new.name} is an earlier name of {old.name}: the link would be a circle. "
            f"`floe-tests history --undo-rename '{new.name}'` takes the other one back."
        )
        raise ConfigurationError(message)


def _end(links: Mapping[int, int], test_id: int) -> int:
    """Return the test of the newest name."""
    seen = {test_id}
    while (following := links.get(test_id)) is not None and following not in seen:
        seen.add(following)
        test_id = following
    return test_id


def _links(connection: Connection) -> list[tuple[int, int]]:
    query = select(RenameRow.test_id, RenameRow.renamed_to)
    return [(row.test_id, row.renamed_to) for row in connection.execute(query)]


def _names(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    query = select(TestRow.test_id, TestRow.name).where(TestRow.test_id.in_(ids))
    return {row.test_id: row.name for row in connection.execute(query)}


def _known(
    connection: Connection, name: str, tier: str | None, *, flag: str, option: str = "--rename"
) -> list[_Known]:
    query = select(TestRow.test_id, TestRow.tier, TestRow.suite, TestRow.name)
    if tier is not None:
        query = query.where(TestRow.tier == tier)
    found = [
        _Known(row.test_id, row.tier, row.suite, row.name)
        for row in connection.execute(query.where(TestRow.name == name))
    ]
    if found:
        return found
    names = sorted({row.name for row in connection.execute(query)})
    near = get_close_matches(name, names, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    message = f"{option}: {flag} {name!r} is no test of the history.{hint}"
    raise ConfigurationError(message)


def _places(tests: Iterable[_Known]) -> str:
    return ", ".join(f"{each.tier}/{each.suite}" for each in tests)
