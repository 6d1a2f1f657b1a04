"""One suite's results and verdict out of those of its shards, and the proof that they are all.

Each shard says what it collected (all tests, as a digest), what it kept of that, and what each of
these did; its stream proves that all of it arrived. Here the shards are held against each other:
all must have collected the same, and what they kept must be the whole, without a test in two
shards. A shard that is missing is RESULT_LOST and never PASS.

What is written is what a suite of one pod would have sent, so that nothing behind this module has
to know of shards: `results/` with one JUnit file, one account of events and one count. What each
shard sent stays as it is, in `shards/<index>-<attempt>/`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.core.evidence import Evidence
from floe_tests.core.json_values import count_of, is_object, text_of
from floe_tests.core.verdict import Cause, Verdict
from floe_tests.execution.attempt import SHOWN_FAILURES, shown, with_outcomes
from floe_tests.execution.sharding.record import ShardAttempt, directory_of
from floe_tests.execution.verdict.facts import DeadlineName, ErrorFacts, Facts, ResultFacts
from floe_tests.execution.verdict.rules import RULES, classify
from floe_tests.exporter.results import COLLECTION_FILE, EVENTS_FILE, SHARD_FILE
from floe_tests.results.attempts import with_earlier
from floe_tests.results.cases import CaseResult, TextBudget
from floe_tests.results.collate import SuiteResults, collate
from floe_tests.results.formats import junit

_ACCOUNT_BYTES = 32 * 1024 * 1024
_MOST_TESTS = 10_000_000
_SHOWN_SHARDS = 10
_TAIL_BYTES = 64
# How a shard ends that its own tests ended: what is to be said of them is said of all together.
_BY_TESTS = frozenset(
    {
        Cause.PASS,
        Cause.TEST_FAILURE,
        Cause.SUSPECT_ENV,
        Cause.NO_TESTS,
        Cause.QUARANTINE_EXPIRED,
    }
)


@dataclass(frozen=True)
class Account:
    """What a shard says of its collection.

    Attributes:
        all_tests: How many tests it collected, other shards' included.
        digest: What stands for these tests, in any order.
        selected: Keys of the tests that it kept.
        plan: SHA-256 of the plan that it followed.
        count: How many shards it was told that there are.
    """

    all_tests: int
    digest: str
    selected: tuple[str, ...]
    plan: str
    count: int


@dataclass(frozen=True)
class SuiteEnd:
    """All that is known of a sharded suite at its end.

    Attributes:
        subject: Its Job, as evidence names it.
        count: How many shards it has.
        attempts: Every attempt at every shard, by shard and number.
        cancelled: Why it was cancelled.
        error: The error that ended it.
        not_run: The shard for which the rest was not run at all.
        elapsed_seconds: Since it began.
        deadlines: Its deadlines.
    """

    subject: str
    count: int
    attempts: tuple[ShardAttempt, ...]
    cancelled: str | None
    error: ErrorFacts | None
    not_run: str | None
    elapsed_seconds: float
    deadlines: DeadlineSettings


@dataclass(frozen=True)
class _Part:
    """The last attempt at a shard, with its results and the failures of those before it."""

    attempt: ShardAttempt
    results: SuiteResults
    account: Account | None

    @property
    def facts(self) -> ResultFacts:
        """What is known of its results, failures of earlier attempts included."""
        return with_outcomes(self.attempt.facts.results, self.results)

    @property
    def explains_its_exit(self) -> bool:
        """Whether its own failures, and no other shard's, explain its exit code."""
        pod, own = self.attempt.facts.pod, self.attempt.facts.results
        code = pod.test.exit_code if pod and pod.test else None
        return not code or bool(own.failed)

    @property
    def name(self) -> str:
        return f"shard {self.attempt.shard}"


def merged(directory: Path, end: SuiteEnd) -> tuple[Facts, Verdict]:
    """Write the results of the whole, and judge it.

    Args:
        directory: Folder of the suite's attempt; `results/` in it is written anew.
        end: What is known of its shards.

    Returns:
        The facts, with which a quarantine list judges again, and the verdict: that of the worst
        shard by the table's order, or, where all were ended by their own tests, that of all tests
        together.
    """
    last = {attempt.shard: attempt for attempt in end.attempts}
    results = [_part_of(directory, last[shard], end.attempts) for shard in sorted(last)]
    write_results(directory / "results", [_source_of(directory, part) for part in results])
    facts = _result_facts(results, _problems(results, end))
    if end.cancelled is not None or end.error is not None:
        return _ended_from_outside(end, facts)
    broken = [part for part in results if part.attempt.verdict.cause not in _BY_TESTS]
    if broken:
        return _ended_by_worst(end, facts, results, min(broken, key=_place_in_table))
    return _ended_by_tests(end, facts, results)


def read_account(results: Path) -> Account | None:
    """Read what a shard says of its collection; None where it says nothing that can be read."""
    path = results / SHARD_FILE
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            fields: object = json.loads(file.read(_ACCOUNT_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if not is_object(fields):
        return None
    selected: object = fields.get("selected")
    counts = (count_of(fields.get(name), largest=_MOST_TESTS) for name in ("all", "count"))
    all_tests, count = counts
    if not isinstance(selected, list) or all_tests is None or count is None:
        return None
    keys = tuple(key for key in cast("list[object]", selected) if isinstance(key, str))
    return Account(
        all_tests=all_tests,
        digest=text_of(fields.get("digest")),
        selected=keys,
        plan=text_of(fields.get("plan")),
        count=count,
    )


# --- The proof


def _problems(parts: Sequence[_Part], end: SuiteEnd) -> tuple[str, ...]:
    """Say what keeps the results of all shards from being proved complete; empty when nothing."""
    found: list[str] = []
    present = {part.attempt.shard for part in parts}
    absent = [shard for shard in range(end.count) if shard not in present]
    if absent:
        why = f": {end.not_run} had shown that none would run" if end.not_run else ""
        found.append(f"{_listed_shards(absent)} did not report at all{why}")
    for part in parts:
        results = part.attempt.facts.results
        where = f" ({part.attempt.pod})" if part.attempt.pod else ""
        if not results.complete:
            problems = results.problems or ("no test result arrived",)
            found += [f"{part.name}{where}: {problem}" for problem in problems]
    found += _account_problems(parts, end.count)
    found += _reported_twice(parts)
    return tuple(found)


def _account_problems(parts: Sequence[_Part], count: int) -> list[str]:
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


def _reported_twice(parts: Sequence[_Part]) -> list[str]:
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


# --- The verdict


def _ended_from_outside(end: SuiteEnd, results: ResultFacts) -> tuple[Facts, Verdict]:
    facts = _whole(end, results, pod=None)
    verdict = classify(replace(facts, cancelled=end.cancelled, error=end.error))
    # What has begun is not begun again: every shard would run twice.
    again = 0 if results.started else verdict.retries
    facts = replace(facts, cancelled=end.cancelled, error=end.error)
    return facts, replace(verdict, retries=again)


def _ended_by_worst(
    end: SuiteEnd, results: ResultFacts, parts: Sequence[_Part], worst: _Part
) -> tuple[Facts, Verdict]:
    attempt, own_results = worst.attempt, worst.attempt.facts.results
    facts = replace(
        attempt.facts,
        # The shard's own end, with the outcomes of all.
        results=replace(
            results,
            in_flight=own_results.in_flight,
            session_finished=own_results.session_finished,
            exit_status=own_results.exit_status,
            has_events=own_results.has_events,
            ends_early=own_results.ends_early,
            received=own_results.received,
        ),
        own_failed=own_results.failed,
    )
    own = attempt.verdict
    node = attempt.facts.pod.node if attempt.facts.pod else ""
    where = f"{attempt.pod}{f' on {node}' if node else ''}" if attempt.pod else "never made"
    again = f", attempt {attempt.number}" if attempt.number > 1 else ""
    said = own.evidence if own.cause is not Cause.RESULT_LOST else classify(facts).evidence
    evidence = (
        *said[:1],
        Evidence(attempt.subject, "pod", f"{where}{again}"),
        Evidence(end.subject, "shards", _counted(parts)),
        *said[1:],
    )
    return facts, replace(own, evidence=evidence, retries=0)


def _ended_by_tests(
    end: SuiteEnd, results: ResultFacts, parts: Sequence[_Part]
) -> tuple[Facts, Verdict]:
    """Judge all tests together, by the exit code of a shard that stands for all."""
    order = (Cause.TEST_FAILURE, Cause.SUSPECT_ENV, Cause.PASS)
    standing = min(
        parts,
        key=lambda part: (
            part.explains_its_exit,
            order.index(part.attempt.verdict.cause)
            if part.attempt.verdict.cause in order
            else len(order),
        ),
        default=None,
    )
    facts = _whole(end, results, pod=standing)
    verdict = classify(facts)
    failing = [part for part in parts if part.facts.failed]
    shards = [
        Evidence(
            part.attempt.subject,
            "pod",
            f"{part.attempt.pod}: {part.facts.failed} of {part.facts.reported} tests failed",
        )
        for part in failing[:_SHOWN_SHARDS]
    ]
    evidence = (
        *verdict.evidence[:1],
        *shards,
        Evidence(end.subject, "shards", _counted(parts)),
        *verdict.evidence[1:],
    )
    return facts, replace(verdict, evidence=evidence, retries=0)


def _whole(end: SuiteEnd, results: ResultFacts, *, pod: _Part | None) -> Facts:
    limits: tuple[tuple[DeadlineName, float], ...] = (("job", end.deadlines.job_seconds),)
    return Facts(
        subject=end.subject,
        pod=pod.attempt.facts.pod if pod else None,
        results=results,
        own_failed=pod.attempt.facts.results.failed if pod else None,
        elapsed_seconds=end.elapsed_seconds,
        deadlines=limits,
    )


def _place_in_table(part: _Part) -> tuple[int, int]:
    """Return where in the table a shard's verdict stands, worst first; then the shard's number."""
    cause = part.attempt.verdict.cause
    return next(row for row, rule in enumerate(RULES) if rule.cause is cause), part.attempt.shard


def _counted(parts: Sequence[_Part]) -> str:
    causes = Counter(part.attempt.verdict.cause for part in parts)
    words = ", ".join(f"{number} {cause}" for cause, number in causes.most_common())
    again = sum(part.attempt.number > 1 for part in parts)
    more = f"; {again} needed another attempt" if again else ""
    return f"{len(parts)}: {words}{more}"


def _result_facts(parts: Sequence[_Part], problems: tuple[str, ...]) -> ResultFacts:
    facts = [part.facts for part in parts]
    collected = [each.collected for each in facts]
    known = [count for count in collected if count is not None]
    notices = [
        f"{part.name}: {notice}"
        for part, each in zip(parts, facts, strict=True)
        for notice in each.notices
    ]
    is_cut = any(EVENTS_FILE in each.cut for each in facts)
    return ResultFacts(
        complete=not problems,
        problems=shown(problems),
        notices=shown(notices),
        cut=(EVENTS_FILE,) if is_cut else (),
        collected=sum(known) if len(known) == len(collected) else None,
        reported=sum(each.reported for each in facts),
        passed=sum(each.passed for each in facts),
        failed=sum(each.failed for each in facts),
        skipped=sum(each.skipped for each in facts),
        failures=tuple(name for each in facts for name in each.failures)[:SHOWN_FAILURES],
        failed_before=tuple(name for part in parts for name in part.results.failed_before),
        in_flight=tuple(name for each in facts for name in each.in_flight),
        session_finished=bool(facts) and all(each.session_finished for each in facts),
        has_events=any(each.has_events for each in facts),
        received=bool(facts) and all(each.received for each in facts),
        expected_failures=sum(each.expected_failures for each in facts),
        has_result_file=any(each.has_result_file for each in facts),
        started=any(each.started for each in facts),
    )


# --- What is written


@dataclass(frozen=True)
class Source:
    """What a shard sent.

    Attributes:
        directory: Where it is.
        results: What is in it.
        account: What the shard says of its collection.
    """

    directory: Path
    results: SuiteResults
    account: Account | None


def merge_received(directory: Path) -> None:
    """Write the results of a sharded suite whose orchestrator was killed: all that had come.

    Args:
        directory: Folder of the suite's attempt; one without shards is left as it is.
    """
    made: dict[str, list[Path]] = {}
    for path in sorted(directory.glob("shards/*-*")):
        made.setdefault(path.name.partition("-")[0], []).append(path / "results")
    sources = [
        Source(
            paths[-1],
            with_earlier(collate(paths[-1]), [collate(path) for path in paths[:-1]]),
            read_account(paths[-1]),
        )
        for paths in made.values()
    ]
    if sources:
        write_results(directory / "results", sources)


def write_results(directory: Path, sources: Sequence[Source]) -> None:
    """Write one JUnit file, one account of events and one count.

    Args:
        directory: Where to.
        sources: What the shards sent, in their order.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cases = tuple(_united(source.results.cases for source in sources))
    if cases:
        junit.write(directory / "junit.xml", cases, suite="shards")
    if any((source.directory / EVENTS_FILE).is_file() for source in sources):
        with (directory / EVENTS_FILE).open("wb") as file:
            _write_events(file, sources)
    collected = [source.results.collected for source in sources]
    known = [count for count in collected if count is not None]
    if len(known) == len(collected):
        counts = {"collected": sum(known), "deselected": _deselected(sources)}
        (directory / COLLECTION_FILE).write_text(json.dumps(counts) + "\n")


def _united(cases: Iterable[Iterable[CaseResult]]) -> Iterator[CaseResult]:
    """Return the cases of all shards, each name once; a module that did not load failed in all."""
    budget = TextBudget()
    names: set[str] = set()
    for case in (case for each in cases for case in each):
        name, number = case.name, 1
        if case.is_collection and name in names:
            continue
        while name in names:
            number += 1
            name = f"{case.name} #{number}"
        names.add(name)
        yield budget.keep(replace(case, name=name))


def _write_events(file: BinaryIO, sources: Sequence[Source]) -> None:
    """Write the events of all shards as those of one session."""
    file.write(b'{"$report_type": "SessionStart"}\n')
    modules: set[str] = set()
    for source in sources:
        path = source.directory / EVENTS_FILE
        if path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and _is_of_the_whole(line, modules):
                    file.write(line)
    if all(source.results.session_finished for source in sources):
        statuses = [source.results.exit_status or 0 for source in sources]
        end = {"exitstatus": max(statuses), "$report_type": "SessionFinish"}
        file.write(json.dumps(end).encode() + b"\n")


def _is_of_the_whole(line: bytes, modules: set[str]) -> bool:
    """Return whether an event says something of the whole: not of a session's ends, nor twice."""
    ends = line[:_TAIL_BYTES] + line[-_TAIL_BYTES:]
    if b"Session" not in ends and b"CollectReport" not in ends:
        return True
    try:
        event: object = json.loads(line)
    except (ValueError, RecursionError):
        return True
    if not is_object(event):
        return True
    kind, node = event.get("$report_type"), text_of(event.get("nodeid"))
    if kind in {"SessionStart", "SessionFinish"}:
        return False
    if kind != "CollectReport":
        return True
    is_new = event.get("outcome") != "passed" and node not in modules
    modules.add(node)
    return is_new


def _deselected(sources: Sequence[Source]) -> int | None:
    """Return how many tests no shard was to run: each leaves out the others' too."""
    for source in sources:
        if source.account is not None and source.results.deselected is not None:
            others = source.account.all_tests - len(source.account.selected)
            return max(0, source.results.deselected - others)
    return None


def _part_of(directory: Path, last: ShardAttempt, attempts: Iterable[ShardAttempt]) -> _Part:
    """Read the last attempt at a shard, and the failures of those before it."""
    received = directory_of(directory, last.shard, last.number) / "results"
    results = collate(received, cut=last.facts.results.cut)
    earlier = [
        collate(directory_of(directory, each.shard, each.number) / "results")
        for each in attempts
        if each.shard == last.shard and each.number < last.number
    ]
    return _Part(last, with_earlier(results, earlier), read_account(received))


def _source_of(directory: Path, part: _Part) -> Source:
    attempt = part.attempt
    received = directory_of(directory, attempt.shard, attempt.number) / "results"
    return Source(received, part.results, part.account)


def _listed_shards(shards: Sequence[int]) -> str:
    """Name shards: `shards 3, 17-19`."""
    ranges: list[list[int]] = []
    for shard in shards:
        if ranges and shard == ranges[-1][-1] + 1:
            ranges[-1].append(shard)
        else:
            ranges.append([shard])
    words = [str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in ranges]
    more = f" and {len(words) - _SHOWN_SHARDS} more" if len(words) > _SHOWN_SHARDS else ""
    plural = "shards" if len(shards) > 1 else "shard"
    return f"{plural} {', '.join(words[:_SHOWN_SHARDS])}{more}"
