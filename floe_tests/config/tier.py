"""A tier's settings, as its `defs.yaml` writes them.

Everything a team has to say about a tier stands here, checked when it is loaded: a wrong setting
stops with file, field and remedy before anything is created.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from floe_tests.config import consistency
from floe_tests.config.base import DnsLabel, Settings, not_empty
from floe_tests.config.deadlines import BudgetSettings, DeadlineSettings
from floe_tests.config.environment import (
    ContextSettings,
    EmbeddedSettings,
    EnvironmentName,
    InstalledSettings,
    Keep,
    KindSettings,
    PodSecurity,
)
from floe_tests.config.release import ReleaseSettings
from floe_tests.config.retention import RetentionSettings
from floe_tests.config.suite import MissingSettings, SuiteSettings
from floe_tests.config.triggers import ScheduleSettings, TriggerSettings


class TierSettings(Settings):
    """One tier of tests: where it runs, what it installs, which suites, within which limits."""

    name: DnsLabel = Field(
        description="Name of the tier; its job and asset group have it too, with `_` for `-`."
    )
    description: str = Field(description="What this tier proves, for the Dagster UI.")
    environments: Annotated[tuple[EnvironmentName, ...], AfterValidator(not_empty)] = Field(
        description="Where the tier can run; the first is the default. FLOE_TESTS_CLUSTER or the "
        "run's config chooses another of them.",
    )
    suites: Annotated[tuple[SuiteSettings, ...], AfterValidator(not_empty)] = Field(
        description="The tier's suites, run in order."
    )
    releases: tuple[ReleaseSettings, ...] = Field(
        default=(), description="Helm releases, in order."
    )
    embedded: EmbeddedSettings | None = Field(
        default=None, description="The platform of the `local` environment."
    )
    installed: InstalledSettings | None = Field(
        default=None,
        description="A platform that is there already, in place of `releases`; one run at a time "
        "has its cluster.",
    )
    namespace: DnsLabel = Field(
        default="floe-test", description="Prefix of the namespace that each run gets for itself."
    )
    pod_security: PodSecurity = Field(
        default="restricted",
        description="Level of the Pod Security Standards that the run's namespace enforces: what "
        "the pods of charts and suites may ask for. `floe-tests doctor` names every field that it "
        "would refuse.",
    )
    kind: KindSettings = Field(default_factory=KindSettings, description="The tier's kind cluster.")
    context: ContextSettings = Field(
        default_factory=ContextSettings, description="The tier's existing cluster."
    )
    deadlines: DeadlineSettings = Field(
        default_factory=DeadlineSettings, description="Deadlines of each part of a run."
    )
    budget: BudgetSettings = Field(default_factory=BudgetSettings, description="Memory and time.")
    keep: Keep = Field(
        default="never",
        description="Whether the environment stays after the run, for a look into it.",
    )
    schedule: ScheduleSettings | None = Field(
        default=None, description="When the tier runs by itself."
    )
    triggers: TriggerSettings = Field(
        default_factory=TriggerSettings, description="Which sensors start the tier."
    )
    quarantine: str | None = Field(
        default=None,
        description="Path of the tier's quarantine list, relative to the project: tests that run "
        "and are reported, and whose failure does not fail the gate until their last day.",
    )
    removals: str | None = Field(
        default=None,
        description="Path of the tier's list of tests that were removed on purpose, relative to "
        "the project.",
    )
    missing: MissingSettings = Field(
        default_factory=MissingSettings,
        description="When tests that the last good run had make a run red, TESTS_MISSING.",
    )
    require_collection: bool = Field(
        default=False,
        description="Whether results are complete only with a count of collected tests "
        "(collection.json); without it the run says that the count is unknown.",
    )

    retention: RetentionSettings = Field(
        default_factory=RetentionSettings,
        description="What `floe-tests prune` leaves of the tier's runs.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = consistency.problems_in(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def cluster_name(self) -> str:
        """What runs that must not meet have in common: the installed platform; empty without one.

        The context is in it where the tier names one: two clusters may have the same namespace.
        """
        if self.installed is None:
            return ""
        names = (self.context.context, self.installed.namespace)
        return "/".join(name for name in names if name)
