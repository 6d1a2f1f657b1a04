"""What a run writes into the ledger as it goes: plain values, read back by its later stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from floe_tests.config.quarantine import QuarantineEntry
from floe_tests.core.errors import (
    CleanupError,
    ConfigurationError,
    FloeTestsError,
    HarnessError,
    InfrastructureError,
    LeaseError,
    PlatformError,
)
from floe_tests.core.process_identity import Holder
from floe_tests.core.verdict import Verdict
from floe_tests.execution.verdict.facts import ErrorFacts, Party
from floe_tests.platform.embedded import EmbeddedPlatform
from floe_tests.platform.helm import InstalledRelease
from floe_tests.platform.installed import Fingerprint
from floe_tests.results.measurements.suite import SuiteMeasurements
from floe_tests.results.presence.compare import Presence

STAGES = ("cluster", "platform", "test_job", "results", "released")

_ERRORS: Mapping[Party, type[FloeTestsError]] = {
    "configuration": ConfigurationError,
    "platform": PlatformError,
    "harness": HarnessError,
    "cleanup": CleanupError,
}


@dataclass(frozen=True)
class StageRecord:
    """How a stage went.

    Attributes:
        name: Name of the stage.
        started_at: When it began (UTC).
        seconds: How long it took.
        error: The error that ended it; None when it went well or was interrupted.
        cancelled: Why it was interrupted, if it was.
    """

    name: str
    started_at: datetime
    seconds: float
    error: ErrorFacts | None = None
    cancelled: str | None = None


@dataclass(frozen=True)
class ReleaseChange:
    """An upgrade or a rollback between two suites.

    Attributes:
        suite: The suite that it was made for.
        action: `upgrade` or `rollback`.
        release: What was installed then.
    """

    suite: str
    action: str
    release: InstalledRelease


@dataclass(frozen=True)
class InstalledPlatform:
    """What a run's tests run against.

    Attributes:
        releases: The Helm releases.
        embedded: The embedded platform of `local`.
        seconds: How long the installation took.
        changes: What was done to a release before a suite, in order.
        substituted: Images that cannot be had here, and that the releases do without.
        fingerprint: What a platform is that was there already; None for one of the run's own.
    """

    releases: tuple[InstalledRelease, ...] = ()
    embedded: EmbeddedPlatform | None = None
    seconds: float = 0
    changes: tuple[ReleaseChange, ...] = ()
    substituted: tuple[str, ...] = ()
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True)
class SuiteVerdict:
    """A judged suite. A run judges each suite once; all that shows a verdict reads this.

    Attributes:
        suite: Name of the suite.
        attempts: How many attempts were judged.
        verdict: What they came to.
        quarantined: The failed tests that the quarantine list allows to fail, by name.
        measured: What it measured, if it is a soak or a benchmark.
        presence: How its tests compare with those of the last good run; None if they were not
            compared.
    """

    suite: str
    attempts: int
    verdict: Verdict
    quarantined: Mapping[str, QuarantineEntry] = field(default_factory=dict[str, QuarantineEntry])
    measured: SuiteMeasurements | None = None
    presence: Presence | None = None


@dataclass(frozen=True)
class Workers:
    """The processes that have worked on a run, oldest first."""

    holders: tuple[Holder, ...] = ()


def error_of(facts: ErrorFacts) -> FloeTestsError:
    """Return an error that was written down, as it was raised."""
    kind = _ERRORS.get(facts.party, InfrastructureError)
    return kind(facts.message, evidence=facts.evidence)


def error_facts(error: FloeTestsError) -> ErrorFacts:
    """Return an error as facts, with whose fault it is."""
    party: Party = "infrastructure"
    if isinstance(error, ConfigurationError | LeaseError):
        party = "configuration"
    elif isinstance(error, PlatformError):
        party = "platform"
    elif isinstance(error, HarnessError):
        party = "harness"
    elif isinstance(error, CleanupError):
        party = "cleanup"
    return ErrorFacts(party, str(error), error.evidence)
