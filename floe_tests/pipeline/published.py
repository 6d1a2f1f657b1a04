"""What is published of a run: its suites with their cases, and where its files are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.config.project import REPORT
from floe_tests.config.quarantine import QuarantineEntry
from floe_tests.config.variables import said
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Cause, Verdict
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.verdict.evidence.results import is_excuse
from floe_tests.results.collate import SuiteResults
from floe_tests.results.measurements.suite import SuiteMeasurements
from floe_tests.results.presence.compare import Presence

if TYPE_CHECKING:
    from floe_tests.results.history.analysis import TierAccount
    from floe_tests.results.history.extent import Extent


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
        measured: What it measured, where it is a soak or a benchmark.
        selection: Which tests it was narrowed to; empty for all.
        presence: How its tests compare with those of the last good run; None where they do not.
    """

    name: str
    verdict: Verdict
    results: SuiteResults
    attempts: tuple[Attempt, ...] = ()
    quarantined: Mapping[str, QuarantineEntry] = field(default_factory=dict[str, QuarantineEntry])
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    measured: SuiteMeasurements | None = None
    selection: str = ""
    presence: Presence | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What is to be said of the run, its results, and the failures in quarantine."""
        set_by_run = [f"variables of this run: {said(self.variables)}"] if self.variables else []
        excused = (f"{name} failed; {entry}" for name, entry in self.quarantined.items())
        # Whatever else there is to say: a green run must not hide how it came to be green.
        code = [f"{each.field} {each.value}" for each in self.verdict.evidence if is_excuse(each)]
        measured = self.measured.judgement if self.measured else None
        notes = (str(note) for note in measured.notes) if measured else ()
        unread = measured.notices if measured else ()
        present = map(str, self._on_presence)
        return (*code, *set_by_run, *self.results.notices, *excused, *unread, *notes, *present)

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
        not_selected: The tier's suites that the run did not choose; nothing is known of them.
        account: What the tier's history says now, this run included.
        extent: How many of the tests that the tier has reported; None where the history has not
            been asked.
        pages: The pages of its soaks and benchmarks.
        platform_notes: What became of its releases' pods, what of them was not waited for, and what
            could not be seen.
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
    not_selected: tuple[str, ...] = ()
    account: TierAccount | None = None
    extent: Extent | None = None
    pages: tuple[Path, ...] = ()
    platform_notes: tuple[Evidence, ...] = ()

    @property
    def report(self) -> Path:
        """The grid of the tier's history, as of this run."""
        return self.junit.with_name(REPORT)
