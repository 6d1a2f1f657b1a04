"""A published run in short, as the ledger and verdict.json hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from floe_tests.config.project import JUNIT
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Cause, Fault
from floe_tests.core.words import listed
from floe_tests.execution.attempt import Attempt
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.pipeline.records import StageRecord
from floe_tests.results.history import bundle

_SHOWN_NAMES = 5
_MOST_FAILURES = 50


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
    """A published run without its cases, as the ledger and verdict.json hold it.

    `suite` is the suite whose evidence this is, in a tier of several; `also_red` has the others.
    `known` is how many tests the tier has, by its history; `running`, what ran when results ended.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        serialize_by_alias=True, validate_by_name=True, validate_by_alias=True
    )

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
    # verdict.json has had this name from the beginning.
    not_selected: Annotated[tuple[str, ...], Field(alias="left_out")] = ()
    quarantined: int = 0
    report: Path | None = None
    flaky: int | None = None
    pages: tuple[Path, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    uncounted: tuple[str, ...] = ()
    suite: str = ""
    also_red: tuple[str, ...] = ()
    known: int | None = None
    running: tuple[str, ...] = ()


def summary_of(
    published: PublishedRun,
    stages: Mapping[str, StageRecord],
    *,
    unremembered: FloeTestsError | None,
) -> Summary:
    """Sum up a published run.

    Args:
        published: The run.
        stages: The stages that have ended, by name.
        unremembered: Why the history does not have it; None when it has.
    """
    first, *others = [suite for suite in published.suites if not suite.verdict.passed] or [None]
    tallies = [suite.results.tally for suite in published.suites]
    verdict = published.verdict
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
        failures=_failures(published),
        notices=_all_notices(published, unremembered),
        stage_seconds={name: record.seconds for name, record in stages.items()},
        overhead_seconds=published.overhead_seconds,
        first_test_seconds=published.first_test_seconds,
        memory_peak_mib=published.memory_peak_mib,
        attempts=_attempts(published),
        not_selected=published.not_selected,
        quarantined=sum(len(suite.quarantined) for suite in published.suites),
        report=published.report,
        flaky=published.account.flaky if published.account else None,
        pages=published.pages,
        digests={name: digest_of(published.directory / name) for name in (JUNIT, bundle.NAME)},
        suite=first.name if first is not None and _has_many(published) else "",
        also_red=tuple(f"suite {suite.name}: {suite.verdict}" for suite in others if suite),
        known=published.extent.known if published.extent else None,
        running=tuple(name for suite in published.suites for name in suite.results.in_flight)[
            :_SHOWN_NAMES
        ],
        uncounted=tuple(suite.name for suite in published.suites if suite.results.is_uncounted),
    )


def _failures(published: PublishedRun) -> tuple[str, ...]:
    """Return the names of the first tests that failed."""
    return tuple(
        case.name
        for suite in published.suites
        for case in suite.results.cases
        if case.outcome.is_failing
    )[:_MOST_FAILURES]


def _attempts(published: PublishedRun) -> tuple[AttemptSummary, ...]:
    return tuple(
        AttemptSummary(
            suite=attempt.suite,
            number=attempt.number,
            cause=attempt.verdict.cause,
            verdict=_in_short(attempt, suite),
            seconds=attempt.timings.total,
            to_verdict_seconds=attempt.timings.to_verdict,
        )
        for suite in published.suites
        for attempt in suite.attempts
    )


def _in_short(attempt: Attempt, suite: PublishedSuite) -> str:
    """Return an attempt's verdict in a line, with what the quarantine list makes of it."""
    if suite.quarantined and suite.verdict.passed and attempt is suite.attempts[-1]:
        names = listed(list(suite.quarantined), shown=_SHOWN_NAMES)
        return f"PASS, excused by quarantine: {names}"
    return str(attempt.verdict)


def _all_notices(published: PublishedRun, unremembered: FloeTestsError | None) -> tuple[str, ...]:
    """Return what is to be said of the platform, of the history, and of the suites."""
    notices = [str(note) for note in published.platform_notes]
    if unremembered is not None:
        notices.append(
            f"the history does not have this run: {unremembered} `floe-tests import "
            f"{published.directory / bundle.NAME}` adds it."
        )
    return (*notices, *_notices(published))


def _notices(published: PublishedRun) -> list[str]:
    """Return what is to be said of the suites; a tier of several names each."""
    is_one_of_many = _has_many(published)
    return [
        # Evidence begins with the suite's name.
        f"{suite.name}: {notice}"
        if is_one_of_many and not notice.startswith(f"{suite.name} ")
        else notice
        for suite in published.suites
        for notice in suite.notices
    ]


def _has_many(published: PublishedRun) -> bool:
    """Whether the tier has several suites, so that each is named."""
    return len(published.suites) + len(published.not_selected) > 1


def digest_of(path: Path) -> str:
    """Return the SHA-256 digest of a file; empty for one that cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
