"""The entries of one run in the ledger: their names and types, in one place.

Lower rooms own two of them, the lease (`environments/lease.py`) and the embedded platform
(`platform/embedded.py`); they are read and written here all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from floe_tests.config.project import Workspace
from floe_tests.config.selection import Selection
from floe_tests.core.ledger import Ledger
from floe_tests.environments.lease import ENTRY as LEASE
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.pipeline.records import (
    STAGES,
    InstalledPlatform,
    StageRecord,
    SuiteVerdict,
    Workers,
)
from floe_tests.pipeline.summary import Summary
from floe_tests.platform.embedded import LEDGER_ENTRY as EMBEDDED
from floe_tests.platform.embedded import EmbeddedPlatform
from floe_tests.platform.since_ready import Look
from floe_tests.platform.substitutes import MissingImages

_SELECTION = "selection"
_PLATFORM = "platform"
_MISSING_IMAGES = "missing-images"
_HELM_BEGUN = "helm-begun"
_STAGE = "stage-"
_JOB = "job-"
_ATTEMPT = "attempt-"
_VERDICT = "verdict-"
_LOOK = "look-"
_PUBLISHED = "published"
_UNREMEMBERED = "unremembered"
_WORKERS = "workers"
_LEFT_FOR_RESUME = "left-for-resume"


def ledger_of(workspace: Workspace) -> Ledger:
    """Return the ledger of a project: all that its runs have written down."""
    return Ledger(workspace.home / "floe-tests" / "runs")


def entries_of(workspace: Workspace, run_id: str) -> RunEntries:
    """Return the entries of one run of a project."""
    return RunEntries(ledger_of(workspace), run_id)


@dataclass(frozen=True)
class RunEntries:
    """What one run has written down. Each reader returns None for what is not there yet.

    Attributes:
        ledger: The ledger of all runs.
        run_id: The run.
    """

    ledger: Ledger
    run_id: str

    def lease(self) -> Lease | None:
        """Return the run's lease, whatever its state."""
        return self.ledger.read(self.run_id, LEASE, Lease)

    def write_lease(self, lease: Lease) -> None:
        """Write the lease as it is now."""
        self.ledger.write(self.run_id, LEASE, lease)

    def selection(self) -> Selection | None:
        """Return which tests the run chose."""
        return self.ledger.read(self.run_id, _SELECTION, Selection)

    def write_selection(self, selection: Selection) -> None:
        """Write which tests the run chose."""
        self.ledger.write(self.run_id, _SELECTION, selection)

    def platform(self) -> InstalledPlatform | None:
        """Return what the tests run against."""
        return self.ledger.read(self.run_id, _PLATFORM, InstalledPlatform)

    def write_platform(self, platform: InstalledPlatform) -> None:
        """Write what the tests run against."""
        self.ledger.write(self.run_id, _PLATFORM, platform)

    def write_embedded(self, platform: EmbeddedPlatform) -> None:
        """Write which processes serve the embedded platform: whoever ends the run stops them."""
        self.ledger.write(self.run_id, EMBEDDED, platform)

    def missing_images(self) -> MissingImages | None:
        """Return the images that the registry does not have."""
        return self.ledger.read(self.run_id, _MISSING_IMAGES, MissingImages)

    def write_missing_images(self, missing: MissingImages) -> None:
        """Write which images the registry does not have."""
        self.ledger.write(self.run_id, _MISSING_IMAGES, missing)

    def has_begun_helm(self) -> bool:
        """Return whether helm has begun to install."""
        return self.ledger.has(self.run_id, _HELM_BEGUN)

    def write_helm_begun(self) -> None:
        """Write that helm begins to install."""
        self.ledger.write(self.run_id, _HELM_BEGUN, True)  # noqa: FBT003 - an entry

    def stage(self, name: str) -> StageRecord | None:
        """Return how a stage went."""
        return self.ledger.read(self.run_id, f"{_STAGE}{name}", StageRecord)

    def stages(self) -> Mapping[str, StageRecord]:
        """Return the stages that have ended, by name, in order."""
        found = {name: self.stage(name) for name in STAGES}
        return {name: record for name, record in found.items() if record is not None}

    def write_stage(self, record: StageRecord) -> None:
        """Write how a stage went."""
        self.ledger.write(self.run_id, f"{_STAGE}{record.name}", record)

    def has_begun_job(self, suite: str, number: int) -> bool:
        """Return whether the Job of an attempt has been created."""
        return self.ledger.has(self.run_id, f"{_JOB}{suite}-{number}")

    def write_job_begun(self, suite: str, number: int) -> None:
        """Write that the Job of an attempt is there."""
        self.ledger.write(self.run_id, f"{_JOB}{suite}-{number}", True)  # noqa: FBT003 - an entry

    def attempts(self) -> tuple[Attempt, ...]:
        """Return the attempts that have ended, by suite and number."""
        found = (
            self.ledger.read(self.run_id, name, Attempt)
            for name in self.ledger.names(self.run_id, _ATTEMPT)
        )
        made = (attempt for attempt in found if attempt is not None)
        return tuple(sorted(made, key=lambda attempt: (attempt.suite, attempt.number)))

    def write_attempt(self, attempt: Attempt) -> None:
        """Write an attempt that has ended."""
        self.ledger.write(self.run_id, f"{_ATTEMPT}{attempt.suite}-{attempt.number}", attempt)

    def verdicts(self) -> Mapping[str, SuiteVerdict]:
        """Return the suites that have been judged, by name."""
        found = (
            self.ledger.read(self.run_id, name, SuiteVerdict)
            for name in self.ledger.names(self.run_id, _VERDICT)
        )
        return {verdict.suite: verdict for verdict in found if verdict is not None}

    def write_verdict(self, verdict: SuiteVerdict) -> None:
        """Write what a suite came to."""
        self.ledger.write(self.run_id, f"{_VERDICT}{verdict.suite}", verdict)

    def look(self, suite: str) -> Look | None:
        """Return what was found at the platform's pods after a suite."""
        return self.ledger.read(self.run_id, f"{_LOOK}{suite}", Look)

    def write_look(self, suite: str, look: Look) -> None:
        """Write what was found at the platform's pods after a suite."""
        self.ledger.write(self.run_id, f"{_LOOK}{suite}", look)

    def is_published(self) -> bool:
        """Return whether the run has a verdict in the history."""
        return self.ledger.has(self.run_id, _PUBLISHED)

    def summary(self) -> Summary | None:
        """Return what was published of the run, if the history has it or not."""
        return self.ledger.read(self.run_id, _PUBLISHED, Summary) or self.ledger.read(
            self.run_id, _UNREMEMBERED, Summary
        )

    def write_summary(self, summary: Summary, *, is_remembered: bool) -> None:
        """Write what was published of the run.

        Args:
            summary: Its summary.
            is_remembered: Whether the history has it.
        """
        name = _PUBLISHED if is_remembered else _UNREMEMBERED
        self.ledger.write(self.run_id, name, summary)

    def workers(self) -> Workers:
        """Return the processes that have worked on the run."""
        return self.ledger.read(self.run_id, _WORKERS, Workers) or Workers()

    def write_workers(self, workers: Workers) -> None:
        """Write which processes have worked on the run."""
        self.ledger.write(self.run_id, _WORKERS, workers)

    def left_for_resume(self) -> Workers:
        """Return the process that last left the run for another to resume."""
        return self.ledger.read(self.run_id, _LEFT_FOR_RESUME, Workers) or Workers()

    def write_left_for_resume(self, workers: Workers) -> None:
        """Write which process leaves the run for another to resume."""
        self.ledger.write(self.run_id, _LEFT_FOR_RESUME, workers)
