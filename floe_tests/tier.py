"""The TestTier component: a tier's settings in, its assets, checks, job and schedule out."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel

from floe_tests.errors import ConfigurationError
from floe_tests.labels import TIER, TRIGGER
from floe_tests.settings import TierSettings
from floe_tests.stages.assets import tier_assets


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
        """Give the model that defs.yaml is checked against."""
        return TierSettings

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> TestTier:
        """Take the checked settings, and look for the files that they name.

        Raises:
            ConfigurationError: One is missing; all problems of the tier at once.
        """
        settings = TierSettings.model_validate(attributes)
        file = context.path / "defs.yaml"
        problems = settings.problems_in(context.project_root)
        if problems:
            raise ConfigurationError("\n".join(f"{file}: {problem}" for problem in problems))
        return cls(settings, context.project_root)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Give the tier's assets, job and schedule."""
        del context
        settings = self.settings
        name = settings.name.replace("-", "_")  # Dagster's names have no hyphens
        job = dg.define_asset_job(  # pyright: ignore[reportUnknownMemberType] - its metadata is untyped
            name,
            selection=f'group:"{name}"',
            description=settings.description,
            tags={TIER: settings.name},
        )
        schedules = (
            [
                dg.ScheduleDefinition(
                    name=f"{name}_schedule",
                    job=job,
                    cron_schedule=settings.schedule.cron,
                    execution_timezone=settings.schedule.timezone,
                    tags={TRIGGER: "schedule"},
                )
            ]
            if settings.schedule
            else []
        )
        return dg.Definitions(
            assets=tier_assets(settings, self.root), jobs=[job], schedules=schedules
        )
