"""A branch or pull request beside the default branch: whose failures its failures are.

Both sides are what their newest results that count say, so a run that infrastructure ended, or one
in which nearly everything failed at once, neither accuses a branch nor clears it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from floe_tests.results.history.account import TestAccount
from floe_tests.results.history.analysis import Question, TierAccount, read_accounts
from floe_tests.results.history.store import History


class Difference(StrEnum):
    """How a test on a branch stands beside the same test on the default branch.

    Attributes:
        NEW: It fails here, and there it passes, has not run, or is not known.
        THERE_TOO: It fails here, and there.
        FLAKY_THERE: It fails here, and there it wavers and passes now.
        FIXED: It passes here and fails there, where it does not merely waver.
    """

    NEW = "new failure here"
    THERE_TOO = "failing there too"
    FLAKY_THERE = "flaky there"
    FIXED = "fixed here"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedTest:
    """A test that tells the two branches apart, or fails on both.

    Attributes:
        difference: How it stands.
        here: Its account on the branch.
        there: Its account on the default branch; None where that does not know it.
    """

    difference: Difference
    here: TestAccount
    there: TestAccount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchComparison:
    """A tier on a branch, beside the default branch.

    Attributes:
        here: Its account on the branch.
        there: Its account on the default branch; None where that has no run.
        tests: The tests that are to be told, new failures first.
    """

    here: TierAccount
    there: TierAccount | None
    tests: tuple[ComparedTest, ...]

    def of(self, difference: Difference) -> tuple[ComparedTest, ...]:
        """Return the tests that stand so."""
        return tuple(each for each in self.tests if each.difference is difference)


def compare(here: TierAccount, there: TierAccount | None) -> BranchComparison:
    """Compare a tier's account on a branch with the one on the default branch.

    Args:
        here: On the branch.
        there: On the default branch, of the same tier and provider; None where it has no run.
    """
    known = {each.test.test_id: each for each in there.accounts} if there else {}
    found = [
        ComparedTest(difference=difference, here=each, there=known.get(each.test.test_id))
        for each in here.accounts
        if (difference := _difference(each, known.get(each.test.test_id)))
    ]
    order = list(Difference)
    found.sort(key=lambda each: order.index(each.difference))
    return BranchComparison(here=here, there=there, tests=tuple(found))


def read_comparison(
    history: History, question: Question, here: TierAccount
) -> BranchComparison | None:
    """Compare an account with the one on the default branch; None for the default branch's own.

    Args:
        history: The history.
        question: What was asked when the account was read.
        here: The account.
    """
    if here.is_default:
        return None
    there = read_accounts(
        history,
        replace(
            question,
            tier=here.grid.tier,
            provider=here.grid.provider,
            ref=question.default_branch,
        ),
    )
    return compare(here, there[0] if there else None)


def _difference(here: TestAccount, there: TestAccount | None) -> Difference | None:
    if here.is_failing:
        if there is None:
            return Difference.NEW
        if there.is_failing:
            return Difference.THERE_TOO
        return Difference.FLAKY_THERE if there.is_flaky else Difference.NEW
    passes = here.passed and not here.is_gone
    if passes and there is not None and there.is_failing and not there.is_flaky:
        return Difference.FIXED
    return None
