"""What is known of a run: read from the ledger once, and handed to those who need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from floe_tests.config.project import Workspace
from floe_tests.config.selection import Selection
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.tier import TierSettings
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.pipeline.entries import RunEntries, entries_of
from floe_tests.pipeline.records import InstalledPlatform, StageRecord, SuiteVerdict


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """What the ledger says of a run. Of one whose process was killed, there is nothing else.

    Attributes:
        run_id: The Dagster run.
        selection: Which tests it chose.
        lease: Its environment; None when it never took one.
        platform: What its tests run against; None when it did not get that far.
        stages: The stages that have ended, by name, in order.
        attempts: The attempts that have ended, by suite and number.
        verdicts: The suites that have been judged, by name.
    """

    run_id: str
    selection: Selection
    lease: Lease | None
    platform: InstalledPlatform | None
    stages: Mapping[str, StageRecord]
    attempts: tuple[Attempt, ...]
    verdicts: Mapping[str, SuiteVerdict]

    @property
    def provider(self) -> str:
        """Where it ran."""
        return self.lease.provider if self.lease else "none"

    @property
    def environment(self) -> str:
        """The name of the cluster or context that it had."""
        if self.lease is None:
            return "none"
        if self.lease.cluster:
            return self.lease.cluster
        context = self.lease.access.context if self.lease.access else None
        return context or self.lease.provider

    @property
    def began_at(self) -> datetime:
        """When its first stage began (UTC); when its process did, if no stage has ended."""
        stages = [record.started_at for record in self.stages.values()]
        if stages:
            return min(stages)
        return (
            datetime.fromtimestamp(self.lease.holder.created, tz=UTC)
            if self.lease
            else datetime.now(UTC)
        )

    @property
    def first_test_seconds(self) -> float | None:
        """Seconds from its first stage to its first test; None when none ran."""
        starts = [
            attempt.facts.pod.test.started_at
            for attempt in self.attempts
            if attempt.facts.pod and attempt.facts.pod.test and attempt.facts.pod.test.started_at
        ]
        return (min(starts) - self.began_at).total_seconds() if starts else None

    @property
    def overhead_seconds(self) -> float | None:
        """What the Job runner added to the pods' own start and the tests; None when unknown."""
        found = (attempt.timings.overhead for attempt in self.attempts)
        known = [seconds for seconds in found if seconds is not None]
        return sum(known) if known else None

    @property
    def memory_peak_mib(self) -> float | None:
        """Highest memory of the tests; None where it could not be read."""
        pods = (attempt.facts.pod for attempt in self.attempts)
        peaks = (pod.memory_peak_mib for pod in pods if pod is not None)
        return max((peak for peak in peaks if peak is not None), default=None)

    def attempts_of(self, suite: str) -> tuple[Attempt, ...]:
        """Return the attempts at a suite that have ended, in order."""
        return tuple(attempt for attempt in self.attempts if attempt.suite == suite)


@dataclass(frozen=True, kw_only=True)
class RunState(RecordedRun):
    """A run with its tier: what judging, sharding, publishing and the UI need.

    Attributes:
        settings: The tier.
        workspace: Folders and choices of the environment.
    """

    settings: TierSettings
    workspace: Workspace

    def suites(self) -> tuple[SuiteSettings, ...]:
        """Return the suites that the run chose, narrowed to the tests that it chose.

        Raises:
            ConfigurationError: It chose none.
        """
        return self.selection.suites_of(self.settings)

    def variables(self) -> Mapping[str, Mapping[str, str]]:
        """Return the variables that the run itself sets, by suite.

        Raises:
            ConfigurationError: One may not be set, or no suite knows it or the groups.
        """
        from floe_tests.config.choices import variables_of

        return variables_of(self.selection, self.settings, self.workspace.root)


def recorded_run(entries: RunEntries, *, parent: RunEntries | None = None) -> RecordedRun:
    """Read what the ledger says of a run.

    Args:
        entries: Its entries.
        parent: Those of the run that it re-executes: one that begins after the first stage has
            its parent's selection.
    """
    selection = entries.selection() or (parent.selection() if parent else None)
    return RecordedRun(
        run_id=entries.run_id,
        selection=selection or Selection(),
        lease=entries.lease(),
        platform=entries.platform(),
        stages=entries.stages(),
        attempts=entries.attempts(),
        verdicts=entries.verdicts(),
    )


def read_state(
    settings: TierSettings, workspace: Workspace, *, run_id: str, parent_run_id: str | None = None
) -> RunState:
    """Read what is known of a run of a tier.

    Args:
        settings: The tier.
        workspace: The project, with the ledger.
        run_id: The run.
        parent_run_id: The run that it re-executes, if it does.
    """
    parent = entries_of(workspace, parent_run_id) if parent_run_id else None
    recorded = recorded_run(entries_of(workspace, run_id), parent=parent)
    known = {each.name: getattr(recorded, each.name) for each in fields(recorded)}
    order = {suite.name: place for place, suite in enumerate(settings.suites)}
    known["attempts"] = tuple(
        sorted(
            (attempt for attempt in recorded.attempts if attempt.suite in order),
            key=lambda attempt: (order[attempt.suite], attempt.number),
        )
    )
    return RunState(settings=settings, workspace=workspace, **known)
