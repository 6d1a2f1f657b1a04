"""A run's end: its verdict, its JUnit file, its place in the history."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.config.project import JUNIT, REPORT, VERDICT
from floe_tests.config.quarantine import NOTHING, Quarantine, QuarantineEntry
from floe_tests.config.selection import selected
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.variables import said
from floe_tests.core import durable
from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.core.evidence import Evidence
from floe_tests.core.ledger import as_json
from floe_tests.core.verdict import Cause, Fault, Verdict
from floe_tests.environments.lease import ENTRY, Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.verdict.facts import ErrorFacts, Facts
from floe_tests.execution.verdict.rules import classify
from floe_tests.pipeline.gate import counts_required, quarantine_of, results_of, verdict_of
from floe_tests.pipeline.judgement import (
    SuiteJudgement,
    compare_suite,
    environment_name,
    judge_suite,
)
from floe_tests.pipeline.run import StageRecord, TierRun
from floe_tests.results import received
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.collate import SuiteResults
from floe_tests.results.formats import junit
from floe_tests.results.history import bundle
from floe_tests.results.presence.compare import Presence
from floe_tests.results.records import UNKNOWN_COUNT, AttemptRecord, RunRecord, SuiteRecord

if TYPE_CHECKING:
    from floe_tests.results.history.analysis import TierAccount

PUBLISHED = "published"

_NO_RESULTS = SuiteResults(
    cases=(),
    source="none",
    collected=None,
    deselected=None,
    reported=0,
    in_flight=(),
    session_finished=False,
    exit_status=None,
    notices=(),
)


@dataclass(frozen=True)
class PublishedSuite:
    """A suite as it went into the history.

    Attributes:
        name: Name of the suite.
        verdict: What its last attempt came to.
        results: Its cases, and what is to be said of them.
        attempts: Every attempt, in order; none when the run ended before.
        quarantined: What lets a failed test fail, by its name.
        variables: The variables that the run itself set.
        judged: What it measured, where it is a soak or a benchmark.
        selection: Which tests it was narrowed to; empty for all.
        presence: How its tests compare with those of the last good run; None where they do not.
    """

    name: str
    verdict: Verdict
    results: SuiteResults
    attempts: tuple[Attempt, ...] = ()
    quarantined: Mapping[str, QuarantineEntry] = field(default_factory=dict[str, QuarantineEntry])
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    judged: SuiteJudgement | None = None
    selection: str = ""
    presence: Presence | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What is to be said of the run, its results, and the failures that the gate lets pass."""
        set_by_run = [f"variables of this run: {said(self.variables)}"] if self.variables else []
        excused = (f"{name} failed; {entry}" for name, entry in self.quarantined.items())
        measured = self.judged.judgement if self.judged else None
        notes = (str(note) for note in measured.notes) if measured else ()
        unread = measured.notices if measured else ()
        present = map(str, self._on_presence)
        return (*set_by_run, *self.results.notices, *excused, *unread, *notes, *present)

    @property
    def _on_presence(self) -> tuple[Evidence, ...]:
        """What is to be said of missing tests beside the verdict."""
        if self.presence is None:
            return ()
        told = self.verdict.cause is Cause.TESTS_MISSING
        return (*(() if told else self.presence.missing), *self.presence.notes)


@dataclass(frozen=True)
class PublishedRun:
    """A run as it went into the history.

    Attributes:
        run_id: The Dagster run.
        tier: Name of the tier.
        provider: Where it ran.
        verdict: The first verdict that is not PASS, in the order of the suites.
        suites: The suites.
        junit: Its JUnit file.
        directory: All that it received.
        seconds: From its first stage to its verdict.
        first_test_seconds: From its first stage to its first test; None when none ran.
        overhead_seconds: What the Job runner added to the pods' own start and the tests.
        memory_peak_mib: Highest memory of the tests, where it could be read.
        left_out: The tier's suites that the run did not choose; nothing is said of them.
        account: What the tier's history says now, this run included.
        pages: The pages of its soaks and benchmarks.
        platform_notes: What of its releases was not waited for, or could not be seen.
    """

    run_id: str
    tier: str
    provider: str
    verdict: Verdict
    suites: tuple[PublishedSuite, ...]
    junit: Path
    directory: Path
    seconds: float
    first_test_seconds: float | None
    overhead_seconds: float | None
    memory_peak_mib: float | None
    left_out: tuple[str, ...] = ()
    account: TierAccount | None = None
    pages: tuple[Path, ...] = ()
    platform_notes: tuple[Evidence, ...] = ()

    @property
    def report(self) -> Path:
        """The grid of the tier's history, as of this run."""
        return self.junit.with_name(REPORT)


@dataclass(frozen=True)
class AttemptSummary:
    """An attempt in one line."""

    suite: str
    number: int
    cause: Cause
    verdict: str
    seconds: float
    to_verdict_seconds: float | None


@dataclass(frozen=True)
class Summary:
    """A published run without its cases, as the ledger and verdict.json hold it."""

    run_id: str
    tier: str
    provider: str
    cause: Cause
    fault: Fault
    evidence: tuple[Evidence, ...]
    remedy: str
    tests: int
    passed: int
    failed: int
    skipped: int
    seconds: float
    junit: Path
    finished_at: datetime
    failures: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    stage_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    overhead_seconds: float | None = None
    first_test_seconds: float | None = None
    memory_peak_mib: float | None = None
    attempts: tuple[AttemptSummary, ...] = ()
    left_out: tuple[str, ...] = ()
    quarantined: int = 0
    report: Path | None = None
    flaky: int | None = None
    pages: tuple[Path, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    uncounted: tuple[str, ...] = ()


def publish(run: TierRun) -> PublishedRun:
    """Judge a run, write its JUnit file, and remember it.

    Can be called again: the newer account replaces the older one.

    Args:
        run: The run, whatever became of it.

    Returns:
        What was written.

    Raises:
        FloeTestsError: The history cannot be written; the files have been, and say so.
    """
    stages = run.stages()
    lease = run.ledger.read(run.run_id, ENTRY, Lease)
    attempts = run.attempts()
    suites_chosen, listed = _chosen_suites(run), _quarantine(run)
    chosen = tuple(suite.name for suite in suites_chosen)
    variables = _variables(run)
    suites = tuple(
        _suite(
            settings,
            tuple(attempt for attempt in attempts if attempt.suite == settings.name),
            stages=stages,
            run=run,
            listed=listed,
            variables=variables.get(settings.name, {}),
        )
        for settings in suites_chosen
    )
    verdict = next(
        (suite.verdict for suite in suites if not suite.verdict.passed), suites[0].verdict
    )
    notes = _platform_notes(run)
    if not verdict.passed:
        # Whoever reads why it is red should know what was not looked at.
        verdict = replace(verdict, evidence=(*verdict.evidence, *notes))
    began = min((record.started_at for record in stages.values()), default=datetime.now(UTC))
    directory = run.workspace.received(run.settings.name, run.run_id)
    overheads = [a.timings.overhead for a in attempts if a.timings.overhead is not None]
    published = PublishedRun(
        run_id=run.run_id,
        tier=run.settings.name,
        provider=lease.provider if lease else "none",
        verdict=verdict,
        suites=suites,
        junit=run.workspace.newest(run.settings.name) / JUNIT,
        directory=directory,
        seconds=(datetime.now(UTC) - began).total_seconds(),
        first_test_seconds=_first_test_seconds(began, attempts),
        overhead_seconds=sum(overheads) if overheads else None,
        memory_peak_mib=max(
            (
                peak
                for attempt in attempts
                if attempt.facts.pod and (peak := attempt.facts.pod.memory_peak_mib) is not None
            ),
            default=None,
        ),
        left_out=tuple(suite.name for suite in run.settings.suites if suite.name not in chosen),
        platform_notes=notes,
    )
    _write_own_junit(run, published)
    record = _record(run, published, lease=lease, stages=stages, began=began)
    bundle.write(published.directory / bundle.NAME, record)
    unremembered: FloeTestsError | None = None
    try:
        published = _remember(run, published, record)
    except FloeTestsError as error:
        unremembered = error
    summary = _summary(published, stages, unremembered=unremembered)
    _put_in_place(published, summary)
    if unremembered is not None:
        raise unremembered
    run.ledger.write(run.run_id, PUBLISHED, summary)
    received.forget()
    return published


def _chosen_suites(run: TierRun) -> tuple[SuiteSettings, ...]:
    try:
        return run.suites()
    except ConfigurationError:  # it chose none, which is its verdict
        return run.settings.suites


def _platform_notes(run: TierRun) -> tuple[Evidence, ...]:
    """Return what of the platform was not waited for, or could not be seen."""
    installed = run.installed()
    if installed is None:
        return ()
    releases = (*installed.releases, *(change.release for change in installed.changes))
    notes = (
        Evidence(f"release/{release.name}", "watched", note)
        for release in releases
        for note in release.notes
    )
    return tuple(dict.fromkeys(notes))


def _variables(run: TierRun) -> Mapping[str, Mapping[str, str]]:
    try:
        return run.variables()
    except ConfigurationError:  # which is its verdict
        return {}


def _quarantine(run: TierRun) -> Quarantine:
    try:
        return quarantine_of(run.settings, run.workspace.root)
    except ConfigurationError:  # which has ended the run: its verdict says so
        return NOTHING


def _suite(
    settings: SuiteSettings,
    attempts: tuple[Attempt, ...],
    *,
    stages: Mapping[str, StageRecord],
    run: TierRun,
    listed: Quarantine,
    variables: Mapping[str, str],
) -> PublishedSuite:
    name = settings.name
    if not attempts:
        verdict = _verdict_of_stages(run.run_id, stages)
        return PublishedSuite(name, verdict, _NO_RESULTS, variables=variables)
    last = attempts[-1]
    results = _results(attempts)
    judged = judge_suite(run, settings, last)
    presence = _presence(run, settings, attempts, results)
    verdict = verdict_of(
        attempts,
        listed,
        results=results,
        judged=judged.facts if judged else None,
        presence=presence,
        require_collection=counts_required(run.settings, settings),
    )
    earlier = attempts[:-1]
    tests = stages.get("test_job")
    if tests is not None and tests.cancelled and last.number <= verdict.retries:
        # Cancelled between two attempts: the one that was to come has the last word.
        verdict, earlier = _verdict_of_stages(run.run_id, stages), attempts
    return PublishedSuite(
        name=name,
        verdict=replace(verdict, earlier=tuple(str(attempt.verdict) for attempt in earlier)),
        results=results,
        attempts=attempts,
        quarantined={
            case.name: entry
            for case in results.cases
            if case.outcome.is_failing
            and (entry := listed.entry(suite=name, test=case.name)) is not None
        },
        variables=variables,
        judged=judged,
        selection=selected(settings),
        presence=presence,
    )


def _presence(
    run: TierRun, settings: SuiteSettings, attempts: Sequence[Attempt], results: SuiteResults
) -> Presence | None:
    try:
        return compare_suite(run, settings, attempts, results)
    except ConfigurationError:  # which has ended the run: its verdict says so
        return None


def _results(attempts: Sequence[Attempt]) -> SuiteResults:
    """Read the results of a suite's attempts, with what was said of them on their way."""
    results = results_of(attempts)
    on_the_way = attempts[-1].facts.results
    return replace(results, notices=(*on_the_way.notices, *results.notices))


def _verdict_of_stages(run_id: str, stages: Mapping[str, StageRecord]) -> Verdict:
    """Judge a run that ended without a last attempt."""
    cancelled = next((record.cancelled for record in stages.values() if record.cancelled), None)
    error = next((record.error for record in stages.values() if record.error), None)
    if cancelled is None and error is None:
        error = ErrorFacts("harness", "the run ended before its tests, and no stage says why.")
    return classify(Facts(subject=f"run/{run_id[:8]}", cancelled=cancelled, error=error))


def _first_test_seconds(began: datetime, attempts: Iterable[Attempt]) -> float | None:
    starts = [
        attempt.facts.pod.test.started_at
        for attempt in attempts
        if attempt.facts.pod and attempt.facts.pod.test and attempt.facts.pod.test.started_at
    ]
    return (min(starts) - began).total_seconds() if starts else None


def _write_own_junit(run: TierRun, published: PublishedRun) -> None:
    """Write the JUnit file of a run beside all that it received."""
    cases = [_gated(case, suite) for suite in published.suites for case in suite.results.cases]
    is_said = any(case.outcome.is_failing for case in cases) and published.verdict.cause in {
        Cause.TEST_FAILURE,
        Cause.SUSPECT_ENV,
    }
    if not (published.verdict.passed or is_said):
        cases.append(_verdict_case(published))
    junit.write(
        published.directory / JUNIT,
        cases,
        suite=published.tier,
        properties={
            "floe-tests.verdict": published.verdict.cause,
            "floe-tests.fault": published.verdict.fault,
            "floe-tests.run": published.run_id,
            "floe-tests.provider": published.provider,
            "floe-tests.commit": run.workspace.commit,
            "floe-tests.ref": run.workspace.ref,
            **_collected_properties(published),
            **_attempt_properties(published),
        },
    )


def _put_in_place(published: PublishedRun, summary: Summary) -> None:
    """Put a run's files where the tier's newest ones stand; its verdict last.

    The verdict says what the others must be: see `torn`.
    """
    content = [json.dumps(as_json(summary), indent=1).encode() + b"\n"]
    durable.write(published.directory / VERDICT, content)
    newest = published.junit.parent
    own = (JUNIT, bundle.NAME, VERDICT)
    durable.replace({newest / name: durable.pieces_of(published.directory / name) for name in own})


def torn(path: Path, summary: Summary) -> tuple[str, ...]:
    """Return a sentence for each file beside a verdict that is of another run.

    A process that is killed while it puts its files in place leaves those of two runs.

    Args:
        path: The verdict.json.
        summary: What it says.
    """
    return tuple(
        f"{path.with_name(name)} is missing or of another run than this verdict: a run was ended "
        f"while it wrote. This run's own is in {path.parent / 'runs' / summary.run_id}."
        for name, digest in summary.digests.items()
        if _digest(path.with_name(name)) != digest
    )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _gated(case: CaseResult, suite: PublishedSuite) -> CaseResult:
    """Return a case as a CI that reads JUnit alone must see it: what may fail is skipped there."""
    entry = suite.quarantined.get(case.name)
    if entry is None:
        return case
    return replace(case, outcome=CaseOutcome.SKIPPED, message=f"{entry}; failed: {case.message}")


def _attempt_properties(published: PublishedRun) -> dict[str, str]:
    """Name every attempt of a suite that had more than one: a green file hides no retry."""
    return {
        f"floe-tests.attempt.{suite.name}.{attempt.number}": str(attempt.verdict)
        for suite in published.suites
        for attempt in suite.attempts
        if len(suite.attempts) > 1
    }


def _collected_properties(published: PublishedRun) -> dict[str, str]:
    """Say of each suite how many tests it collected, or that nobody counted."""
    return {
        f"floe-tests.collected.{suite.name}": UNKNOWN_COUNT
        if suite.results.is_uncounted
        else str(suite.results.collected)
        for suite in published.suites
        if suite.results.is_uncounted or suite.results.collected is not None
    }


def _verdict_case(published: PublishedRun) -> CaseResult:
    """Return the run itself as a case, so that a CI that reads JUnit alone sees why it is red."""
    verdict = published.verdict
    return CaseResult(
        name=f"floe_tests.{published.tier}::{verdict.cause}",
        outcome=CaseOutcome.ERROR,
        seconds=0,
        message=str(verdict),
        text="\n".join([*(str(item) for item in verdict.evidence), verdict.remedy]),
    )


def _record(
    run: TierRun,
    published: PublishedRun,
    *,
    lease: Lease | None,
    stages: Mapping[str, StageRecord],
    began: datetime,
) -> RunRecord:
    """Return the run as the history takes it."""
    installed = run.installed()
    return RunRecord(
        run_id=run.run_id,
        tier=published.tier,
        provider=published.provider,
        environment=environment_name(lease),
        outcome=published.verdict.outcome,
        cause=published.verdict.cause,
        fault=published.verdict.fault,
        summary=str(published.verdict),
        ref=run.workspace.ref,
        commit=run.workspace.commit,
        trigger=run.workspace.trigger,
        started_at=began,
        finished_at=datetime.now(UTC),
        stage_seconds={name: record.seconds for name, record in stages.items()},
        first_test_seconds=published.first_test_seconds,
        overhead_seconds=published.overhead_seconds,
        platform=as_json(installed) if installed else {},
        retained_lease=lease.run_id if lease and lease.stays else None,
        suites=tuple(suite_record(suite) for suite in published.suites),
    )


def _remember(run: TierRun, published: PublishedRun, record: RunRecord) -> PublishedRun:
    """Write the run's place in the history, its pages, and the tier's report.

    The report shows the default branch, and beside it the branch of a run that was on another.
    """
    from floe_tests.report import grid, measured
    from floe_tests.results.history.analysis import Question, read_accounts
    from floe_tests.results.history.store import History

    with History.open(run.workspace.history_url) as history:
        history.record(run=record)
        question = Question(tier=published.tier, default_branch=run.workspace.default_branch)
        accounts = read_accounts(history, question, with_texts=True)
        own = replace(question, ref=record.ref, provider=record.provider)
        if own.branch.name not in {
            each.branch for each in accounts if each.grid.provider == record.provider
        }:
            accounts += read_accounts(history, own, with_texts=True)
    pages = measured.write(published, at=datetime.now(UTC), commit=run.workspace.commit)
    grid.write(published.report, accounts)
    account = next((each for each in accounts if each.grid.provider == published.provider), None)
    return replace(published, account=account, pages=pages)


def suite_record(suite: PublishedSuite) -> SuiteRecord:
    """Return a suite as the history takes it."""
    results = suite.results
    seconds = sum(attempt.timings.total for attempt in suite.attempts)
    return SuiteRecord(
        name=suite.name,
        outcome=suite.verdict.outcome,
        cause=suite.verdict.cause,
        fault=suite.verdict.fault,
        tally=results.tally,
        cases=results.cases,
        attempts=tuple(_attempt_records(suite.attempts)),
        source=results.source,
        collected=results.collected,
        deselected=results.deselected,
        reported=results.reported,
        in_flight=results.in_flight,
        session_finished=results.session_finished,
        exit_status=results.exit_status,
        notices=suite.notices,
        quarantined=tuple(suite.quarantined),
        seconds=seconds if suite.attempts else None,
        shards=_shards_of(suite.attempts),
        selection=suite.selection,
        measurements=suite.judged.judgement.measurements if suite.judged else (),
        soak=suite.judged.judgement.soak if suite.judged else (),
    )


def _shards_of(attempts: Sequence[Attempt]) -> int | None:
    """Return how many shards a suite was cut into; None when it ran whole."""
    shards = {shard.shard for attempt in attempts for shard in attempt.shards}
    return max(shards) + 1 if shards else None


def _attempt_records(attempts: Sequence[Attempt]) -> Iterator[AttemptRecord]:
    """Return every attempt, of a suite in shards every attempt at each shard.

    Where such a suite was begun anew as a whole, its shards' attempts are counted on.
    """
    made: Counter[int] = Counter()
    for attempt in attempts:
        if not attempt.shards:
            yield _attempt_record(attempt)
        for shard in attempt.shards:
            made[shard.shard] += 1
            yield AttemptRecord(
                number=made[shard.shard],
                shard=shard.shard,
                cause=shard.cause,
                fault=shard.fault,
                evidence=shard.evidence,
                job=shard.job,
                pod=shard.pod,
                node=shard.node,
                exit_code=shard.exit_code,
                started_at=shard.started_at,
                seconds=shard.seconds,
                selected=shard.selected,
                reported=shard.reported,
            )


def _attempt_record(attempt: Attempt) -> AttemptRecord:
    pod = attempt.facts.pod
    return AttemptRecord(
        number=attempt.number,
        cause=attempt.verdict.cause,
        fault=attempt.verdict.fault,
        evidence=attempt.verdict.evidence,
        job=attempt.facts.subject,
        pod=pod.name if pod else None,
        node=pod.node if pod else None,
        exit_code=pod.test.exit_code if pod and pod.test else None,
        started_at=attempt.started_at,
        seconds=attempt.timings.total,
    )


def _notices(published: PublishedRun) -> list[str]:
    """Return what is to be said of the suites; a tier of several names each."""
    is_one_of_many = len(published.suites) + len(published.left_out) > 1
    return [
        # Evidence begins with the suite's name.
        f"{suite.name}: {notice}"
        if is_one_of_many and not notice.startswith(f"{suite.name} ")
        else notice
        for suite in published.suites
        for notice in suite.notices
    ]


def _summary(
    published: PublishedRun,
    stages: Mapping[str, StageRecord],
    *,
    unremembered: FloeTestsError | None,
) -> Summary:
    tallies = [suite.results.tally for suite in published.suites]
    verdict = published.verdict
    notices = _notices(published)
    if unremembered is not None:
        notices.insert(
            0,
            f"the history does not have this run: {unremembered} `floe-tests import "
            f"{published.directory / bundle.NAME}` adds it.",
        )
    return Summary(
        run_id=published.run_id,
        tier=published.tier,
        provider=published.provider,
        cause=verdict.cause,
        fault=verdict.fault,
        evidence=verdict.evidence,
        remedy=verdict.remedy,
        tests=sum(tally.tests for tally in tallies),
        passed=sum(tally.passed for tally in tallies),
        failed=sum(tally.failing for tally in tallies),
        skipped=sum(tally.skipped for tally in tallies),
        seconds=published.seconds,
        junit=published.junit,
        finished_at=datetime.now(UTC),
        failures=tuple(
            case.name
            for suite in published.suites
            for case in suite.results.cases
            if case.outcome.is_failing
        )[:50],
        notices=(*(str(note) for note in published.platform_notes), *notices),
        stage_seconds={name: record.seconds for name, record in stages.items()},
        overhead_seconds=published.overhead_seconds,
        first_test_seconds=published.first_test_seconds,
        memory_peak_mib=published.memory_peak_mib,
        attempts=tuple(
            AttemptSummary(
                suite=attempt.suite,
                number=attempt.number,
                cause=attempt.verdict.cause,
                verdict=str(attempt.verdict),
                seconds=attempt.timings.total,
                to_verdict_seconds=attempt.timings.to_verdict,
            )
            for suite in published.suites
            for attempt in suite.attempts
        ),
        left_out=published.left_out,
        quarantined=sum(len(suite.quarantined) for suite in published.suites),
        report=published.report,
        flaky=published.account.flaky if published.account else None,
        pages=published.pages,
        digests={name: _digest(published.directory / name) for name in (JUNIT, bundle.NAME)},
        uncounted=tuple(suite.name for suite in published.suites if suite.results.is_uncounted),
    )
