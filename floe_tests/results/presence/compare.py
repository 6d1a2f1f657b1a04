"""Whether the tests of the last good run are still there: nothing is green by absence.

What is lost is accepted with a word: a line in the list of removed tests, or the commit that took
it out of its own file. Everything else is missing. Pure functions: who asks has read the history,
and brings what the repository says of a file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from floe_tests.config.removals import NOTHING, Removals, matches
from floe_tests.core.evidence import Evidence
from floe_tests.results.cases import CaseResult
from floe_tests.results.presence.losses import (
    Loss,
    PastTest,
    Reported,
    bare,
    by_function,
    container,
    losses,
    runs_of,
)

SHOWN_TESTS = 50
_SHOWN_NOTES = 20


@dataclass(frozen=True, slots=True)
class GoodRun:
    """A good run that a suite is compared with.

    Attributes:
        run_id: The run.
        commit: Its commit; None when unknown.
        ref: Its branch.
        deselected: Tests that it left out on request; None when unknown.
    """

    run_id: str
    commit: str | None = None
    ref: str | None = None
    deselected: int | None = None

    def __str__(self) -> str:
        """Return the run as people look it up."""
        at = f" at {self.commit[:10]}" if self.commit else ""
        return f"run {self.run_id[:8]}{f' of {self.ref}' if self.ref else ''}{at}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The last good runs of a suite on the default branch, with its selection and environment.

    Attributes:
        runs: The runs, newest first; none where there is nothing to compare with.
        tests: Every test that they reported.
    """

    runs: tuple[GoodRun, ...] = ()
    tests: tuple[PastTest, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """When a loss makes a run red; the settings `missing` describe each.

    Attributes:
        fail_above: Share of the tests that may be missing, named.
        fail_proved: Whether a test that the repository still has is red whatever the share.
        fail_named: Patterns of tests that may never be missing.
    """

    fail_above: float = 0.05
    fail_proved: bool = True
    fail_named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What the repository says of a loss since the good run.

    Attributes:
        kind: `removed`: a commit took it out of its file. `changed`: its file changed. `kept`:
            nothing explains the loss. `unknown`: it cannot be told.
        words: Why.
    """

    kind: Literal["removed", "changed", "kept", "unknown"]
    words: str


AskChange = Callable[[Loss, GoodRun], Change]


@dataclass(frozen=True, slots=True)
class Presence:
    """What the comparison came to.

    Attributes:
        compared: What the suite was compared with, or that there was nothing.
        missing: What makes the run red; most telling first, names after it.
        notes: What is to be said all the same.
    """

    compared: Evidence
    missing: tuple[Evidence, ...] = ()
    notes: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    """A loss, and whether it is accepted; `proved` says that it is certainly none on purpose."""

    loss: Loss
    words: str
    accepted: bool = False
    proved: bool = False
    named: bool = False

    @property
    def evidence(self) -> Evidence:
        loss = self.loss
        one = len(loss.cases) == 1
        tests = f" ({loss.tests} tests)" if loss.tests > 1 else ""
        state = {
            "gone": f"gone{tests}",
            "fewer": f"{loss.tests} of its tests gone",
            "skipped": f"skipped{tests}, and ran before",
        }[loss.kind]
        return Evidence(
            loss.cases[0] if one else loss.function, "presence", f"{state}: {self.words}"
        )


def unknown_change(_loss: Loss, _run: GoodRun) -> Change:
    """Say nothing of any change: for a project without a repository."""
    return Change("unknown", "there is no repository to ask")


class _Comparison:
    """Finds the word for each loss."""

    def __init__(
        self,
        baseline: Baseline,
        now: Reported,
        *,
        suite: str,
        rules: Rules,
        removals: Removals,
        change_of: AskChange,
    ) -> None:
        self._runs = baseline.runs
        self._suite = suite
        self._rules = rules
        self._removals = removals
        self._change_of = change_of
        known, here = by_function(baseline.tests), now.functions()
        everywhere = (1 << len(baseline.runs)) - 1
        seen = {name: runs_of(known.get(name, ())) for name in sorted(here)}
        self._here = {name: runs for name, runs in seen.items() if runs != everywhere}
        self._used = set[str]()
        found = tuple(losses(known, now, here))
        moved = self._paired([each for each in found if each.kind == "gone"], bare)
        self.findings = [self._finding(each, moved.get(each.function)) for each in found]
        self._accept_renamed()

    def _paired(self, found: Sequence[Loss], key: Callable[[str], str]) -> dict[str, str]:
        """Return a function for each loss that shares a key with it and was not there before.

        Each is used once.
        """
        if not found:
            return {}
        by_key: defaultdict[str, list[str]] = defaultdict(list)
        for name in reversed(self._here):
            by_key[key(name)].append(name)
        pairs: dict[str, str] = {}
        for loss in found:
            names = by_key[key(loss.function)]
            while names and names[-1] in self._used:
                names.pop()
            for name in reversed(names):
                if name not in self._used and not self._here[name] >> loss.last & 1:
                    pairs[loss.function] = name
                    self._used.add(name)
                    break
        return pairs

    def _finding(self, loss: Loss, moved: str | None) -> _Finding:
        names = (loss.function, *loss.cases)
        entry = self._removals.entry(suite=self._suite, test=loss.function)
        by_case = [self._removals.entry(suite=self._suite, test=name) for name in loss.cases]
        entry = entry or (by_case[0] if by_case and all(by_case) else None)
        if entry is not None:
            return _Finding(loss, str(entry), accepted=True)
        if moved is not None:
            return _Finding(loss, f"now it is {moved}", accepted=True)
        change = self._change_of(loss, self._runs[loss.last])
        words = change.words + self._outdated(names)
        named = any(matches(pattern, name) for pattern in self._rules.fail_named for name in names)
        return _Finding(
            loss,
            words,
            accepted=change.kind in {"removed", "changed"} and not named,
            proved=change.kind == "kept" and loss.kind == "gone",
            named=named,
        )

    def _outdated(self, names: Sequence[str]) -> str:
        entries = (self._removals.outdated(suite=self._suite, test=name) for name in names)
        entry = next((each for each in entries if each is not None), None)
        if entry is None:
            return ""
        return f"; {entry.owner}'s line in the list of removed tests does not hold today"

    def _accept_renamed(self) -> None:
        """Where nobody can tell, one gone and one new of the same class or module are a rename."""
        unexplained = {
            place: each.loss
            for place, each in enumerate(self.findings)
            if each.loss.kind == "gone" and not (each.accepted or each.proved or each.named)
        }
        pairs = self._paired(tuple(unexplained.values()), container)
        for place, loss in unexplained.items():
            if loss.function in pairs:
                words = f"probably renamed to {pairs[loss.function]}"
                self.findings[place] = _Finding(loss, words, accepted=True)


def compare(  # noqa: PLR0913 - two accounts, the rules, and what may be a word for a loss
    cases: Iterable[CaseResult],
    baseline: Baseline,
    *,
    suite: str,
    rules: Rules,
    removals: Removals = NOTHING,
    change_of: AskChange = unknown_change,
    deselected: int | None = None,
) -> Presence:
    """Compare what a suite reported with its last good runs.

    Args:
        cases: What it reported.
        baseline: The last good runs.
        suite: Its name.
        rules: When a loss makes the run red.
        removals: The tier's list of removed tests.
        change_of: Asks the repository what became of a lost function since a run.
        deselected: Tests that were left out on request; None when unknown.
    """
    if not baseline.runs:
        nothing = "no good run to compare with yet: default branch, same selection and environment"
        note = Evidence(suite, "presence", nothing)
        return Presence(note, notes=(note,))
    now, run = Reported.of(cases), baseline.runs[0]
    findings: Sequence[_Finding] = ()
    if not now.has_all(baseline.tests):
        findings = _Comparison(
            baseline, now, suite=suite, rules=rules, removals=removals, change_of=change_of
        ).findings
    # What was missing then already, and was no reason to be red, is missing still.
    before = sum(each.loss.tests for each in findings if each.loss.last and not each.accepted)
    all_tests = sum(test.seen & 1 for test in baseline.tests) + before
    lost = [each for each in findings if not each.accepted]
    number = sum(each.loss.tests for each in lost)
    words = f"{number or 'none'} of the {all_tests} tests of {run} missing"
    if before:
        words = f"{number} of the {all_tests} tests of {run} and those before it missing"
    if (deselected or 0) > (run.deselected or 0):
        words += f"; {deselected} deselected, {run.deselected or 0} in that run"
    said = Evidence(suite, "presence", words)
    excused = [each.evidence for each in findings if each.accepted and not each.loss.last]
    if _is_red(lost, number, all_tests, rules):
        lost.sort(key=lambda each: (not each.named, not each.proved))
        named = _shown([each.evidence for each in lost], SHOWN_TESTS)
        return Presence(said, missing=(said, *named), notes=_shown(excused, _SHOWN_NOTES))
    others = [each.evidence for each in lost]
    return Presence(said, notes=_shown([*others, *excused], _SHOWN_NOTES))


def _is_red(lost: Sequence[_Finding], number: int, all_tests: int, rules: Rules) -> bool:
    certain = any(each.named or (each.proved and rules.fail_proved) for each in lost)
    return certain or number > rules.fail_above * all_tests


def _shown(evidence: Sequence[Evidence], most: int) -> tuple[Evidence, ...]:
    if len(evidence) <= most:
        return tuple(evidence)
    more = Evidence("and more", "presence", f"{len(evidence) - most} are left out")
    return (*evidence[:most], more)
