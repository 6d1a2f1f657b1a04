"""The TestTier component: a tier's settings in, its assets, checks, job and schedule out."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel

from floe_tests.config import references
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.labels import CAUSE, CLUSTER, COMMIT, ENVIRONMENT, REF, TIER
from floe_tests.environments.lease import longest_seconds
from floe_tests.orchestration.assets import tier_assets
from floe_tests.orchestration.scaffolder import TierScaffolder
from floe_tests.orchestration.sensors.installed import tier_schedules, trigger_sensors

# What run monitoring goes by.
# Source: https://docs.dagster.io/deployment/execution/run-monitoring
_MAX_RUNTIME = "dagster/max_runtime"


@dg.scaffold_with(TierScaffolder)
class TestTier(dg.Component):
    """A tier of tests on a real cluster: five assets, a check for each suite, a job, a schedule.

    Written as data in `floe_tests/defs/<tier>/defs.yaml`; nobody writes Python to add one.
    """

    __test__ = False  # its name begins with Test, and pytest would collect it

    def __init__(self, settings: TierSettings, root: Path) -> None:
        """Keep the settings.

        Args:
            settings: The tier.
            root: The project's folder, which relative paths start from.
        """
        self.settings = settings
        self.root = root

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """Return the model that defs.yaml is checked against."""
        return TierSettings

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> TestTier:
        """Take the checked settings, and look for the files that they name.

        Raises:
            ConfigurationError: One is missing; all problems of the tier at once.
        """
        settings = TierSettings.model_validate(attributes)
        file = context.path / "defs.yaml"
        problems = references.problems_in(settings, context.project_root)
        if problems:
            raise ConfigurationError("\n".join(f"{file}: {problem}" for problem in problems))
        return cls(settings, context.project_root)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the tier's assets, job, schedule and sensors."""
        del context
        settings = self.settings
        name = settings.name.replace("-", "_")  # Dagster's names have no hyphens
        job = dg.define_asset_job(  # pyright: ignore[reportUnknownMemberType] - its metadata is untyped
            name,
            selection=f'group:"{name}"',
            description=job_description(settings),
            tags=job_tags(settings),
        )
        return dg.Definitions(
            assets=tier_assets(settings, self.root),
            jobs=[job],
            schedules=tier_schedules(settings, job),
            sensors=trigger_sensors(settings, job),
        )


def job_tags(settings: TierSettings) -> dict[str, str]:
    """Return the tags of a tier's runs, which limits of concurrency go by.

    Runs on one installed platform are on one cluster, whatever their tier.
    """
    tags = {TIER: settings.name}
    if settings.installed is not None:
        tags[CLUSTER] = settings.cluster_name
        # A soak takes longer than dagster.yaml allows the others.
        tags[_MAX_RUNTIME] = f"{longest_seconds(settings):.0f}"
    return tags


def job_description(settings: TierSettings) -> str:
    """Say what a tier's job proves, where it can run, what it may use, and where its results go."""
    suites = ", ".join(suite.name for suite in settings.suites)
    environments = " or ".join(settings.environments)
    paragraphs = [
        settings.description,
        (
            f"**Runs** the suites {suites} on {environments}: "
            "cluster → platform → test_job → results → released."
        ),
        (
            f"**May use** {settings.budget.memory} of memory; its tests "
            f"{settings.budget.minutes:g} minutes."
        ),
        _LAUNCH.format(tier=settings.name),
        _RESULTS,
        _TAGS,
    ]
    if settings.quarantine:
        paragraphs.append(f"**In quarantine** are the tests of {settings.quarantine}.")
    return "\n\n".join(paragraphs)


_LAUNCH = (
    "**To launch it**, open the launchpad: environment, `keep` and groups stand in the config of "
    "the first asset, all with defaults. From a terminal: `floe-tests run {tier}`."
)
_RESULTS = (
    "**Its results**: the asset `results` has the verdict, the counts of every run as plots, a "
    "check for each suite and the page of the tier's history. A run is green on PASS alone. What "
    "the infrastructure did to it stands there as an observation, not as a failed test."
)
_TAGS = f"**To find runs**, filter them by tag: `{REF}`, `{COMMIT}`, `{ENVIRONMENT}`, `{CAUSE}`."
