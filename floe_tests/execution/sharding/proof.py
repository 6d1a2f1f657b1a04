"""The proof that the results of all shards are all there is.

All shards must have collected the same, and what they kept must be the whole, without a test in two
shards.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from floe_tests.core.words import listed
from floe_tests.execution.sharding.account import Account
from floe_tests.execution.sharding.part import Part

_SHOWN_SHARDS = 10


def problems_of(parts: Sequence[Part], *, count: int, not_run: str | None) -> tuple[str, ...]:
    """Say what keeps the results of all shards from being proved complete; empty when nothing.

    Args:
        parts: What the shards sent.
        count: How many shards there are.
        not_run: The shard for which the rest was not run at all.
    """
    found: list[str] = []
    present = {part.attempt.shard for part in parts}
    absent = [shard for shard in range(count) if shard not in present]
    if absent:
        why = f": {not_run} had shown that none would run" if not_run else ""
        found.append(f"{_listed_shards(absent)} did not report at all{why}")
    for part in parts:
        results = part.attempt.facts.results
        where = f" ({part.attempt.pod})" if part.attempt.pod else ""
        if not results.complete:
            problems = results.problems or ("no test result arrived",)
            found += [f"{part.name}{where}: {problem}" for problem in problems]
    found += _account_problems(parts, count)
    found += _reported_twice(parts)
    return tuple(found)


def _account_problems(parts: Sequence[Part], count: int) -> list[str]:
    """Hold the shards' accounts against each other."""
    accounts = {part.attempt.shard: part.account for part in parts if part.account is not None}
    if not accounts:
        return []  # an image that splits by itself; its tests are held against each other below
    found: list[str] = []
    silent = [part.attempt.shard for part in parts if part.account is None]
    if silent:
        found.append(f"{_listed_shards(silent)} did not say what of the suite fell to them")
    wrong = [shard for shard, account in accounts.items() if account.count != count]
    if wrong:
        found.append(f"{_listed_shards(wrong)} ran as one of another number than {count}")
    for what, groups in (
        ("collected", _grouped({shard: each.digest for shard, each in accounts.items()})),
        ("followed", _grouped({shard: each.plan for shard, each in accounts.items()})),
    ):
        if len(groups) > 1:
            usual, *others = groups
            tests = accounts[usual[0]].all_tests
            found += [
                f"{_listed_shards(shards)} {what} other tests"
                f" ({accounts[shards[0]].all_tests}) than {_listed_shards(usual)} ({tests})"
                if what == "collected"
                else f"{_listed_shards(shards)} followed another plan than {_listed_shards(usual)}"
                for shards in others
            ]
    found += _union_problems(accounts, is_whole=not silent and len(accounts) == count)
    found += [
        f"{part.name} kept {len(part.account.selected)} tests and was about to run "
        f"{part.results.collected}"
        for part in parts
        if part.account is not None
        and part.results.collected is not None
        and part.results.collected != len(part.account.selected)
    ]
    return found


def _union_problems(accounts: Mapping[int, Account], *, is_whole: bool) -> list[str]:
    """Prove that what the shards kept is all that they collected, each test once."""
    owners: dict[str, int] = {}
    shared: Counter[tuple[int, int]] = Counter()
    for shard, account in accounts.items():
        for key in account.selected:
            owner = owners.setdefault(key, shard)
            if owner != shard:
                shared[owner, shard] += 1
    found = [
        f"shards {one} and {other} share {tests} tests"
        for (one, other), tests in shared.most_common(_SHOWN_SHARDS)
    ]
    if not is_whole or found:
        return found
    keys = sorted(key for account in accounts.values() for key in account.selected)
    first = next(iter(accounts.values()))
    if hashlib.sha256("\n".join(keys).encode()).hexdigest() != first.digest:
        found.append(
            f"the shards kept {len(keys)} tests, and collected {first.all_tests}: these are not "
            "the same"
        )
    return found


def _reported_twice(parts: Sequence[Part]) -> list[str]:
    """Find tests that two shards report: one of them was not to run it."""
    owners: dict[str, int] = {}
    shared: dict[tuple[int, int], list[str]] = {}
    for part in parts:
        for case in part.results.cases:
            owner = owners.setdefault(case.name, part.attempt.shard)
            if owner != part.attempt.shard and not case.is_collection:
                shared.setdefault((owner, part.attempt.shard), []).append(case.name)
    return [
        f"shards {one} and {other} both ran {names[0]}"
        + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for (one, other), names in list(shared.items())[:_SHOWN_SHARDS]
    ]


def _grouped(values: Mapping[int, str]) -> list[list[int]]:
    """Return the shards by what they say, the largest group first."""
    groups: dict[str, list[int]] = {}
    for shard, value in values.items():
        groups.setdefault(value, []).append(shard)
    return sorted(groups.values(), key=lambda shards: (-len(shards), shards))


def _listed_shards(shards: Sequence[int]) -> str:
    """Name shards: `shards 3, 17-19`."""
    ranges: list[list[int]] = []
    for shard in shards:
        if ranges and shard == ranges[-1][-1] + 1:
            ranges[-1].append(shard)
        else:
            ranges.append([shard])
    words = [str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in ranges]
    plural = "shards" if len(shards) > 1 else "shard"
    return f"{plural} {listed(words, shown=_SHOWN_SHARDS)}"
