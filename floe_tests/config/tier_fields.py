"""What a tier's `defs.yaml` may set, each setting by itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar, cast

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails

from floe_tests.config.base import DnsLabel, Settings, error_details, not_empty
from floe_tests.config.deadlines import BudgetSettings, DeadlineSettings
from floe_tests.config.environment import (
    EmbeddedSettings,
    ExporterSettings,
    InstalledSettings,
    Keep,
    PodSecurity,
)
from floe_tests.config.provider_settings import add_to_schema, read_settings
from floe_tests.config.providers import EnvironmentName
from floe_tests.config.release import ReleaseSettings
from floe_tests.config.retention import RetentionSettings
from floe_tests.config.suite import MissingSettings, SuiteSettings
from floe_tests.config.templating import with_variables
from floe_tests.config.triggers import ScheduleSettings, TriggerSettings

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_Own = TypeVar("_Own", bound=Settings)
# As Dagster takes them. Source: https://docs.dagster.io/guides/build/assets/metadata-and-tags
_OWNER = re.compile(r"team:[\w.-]+|[^@\s]+@[^@\s]+\.[^@\s]+")


def _owner(value: str) -> str:
    if not _OWNER.fullmatch(value):
        message = f"{value!r} is no owner. Write an e-mail address, or team: and a name."
        raise ValueError(message)
    return value


Owner = Annotated[str, AfterValidator(_owner)]


class TierFields(Settings):
    """The settings of a tier; an environment adds settings of its own, under its name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: DnsLabel = Field(
        description="Name of the tier; its job and asset group have it too, with `_` for `-`."
    )
    description: str = Field(description="What this tier proves, for the Dagster UI.")
    owners: tuple[Owner, ...] = Field(
        default=(),
        description="Who looks after the tier, for Dagster: e-mail addresses, or `team:NAME`.",
    )
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
    exporter: ExporterSettings = Field(
        default_factory=ExporterSettings,
        description="The sidecar of each test pod that sends its results out.",
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

    @model_validator(mode="wrap")
    @classmethod
    def _says_what_it_knows(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Read the settings of environments too; the problems of both are told at once."""
        if not isinstance(value, Mapping):
            return handler(value)
        given, unset = with_variables(cast("Mapping[str, Any]", value), os.environ)
        read, problems = read_settings(given, known=cls.known_names())
        problems += [
            InitErrorDetails(
                type="value_error", loc=place, input=None, ctx={"error": ValueError(words)}
            )
            for place, words in unset
        ]
        try:
            made = handler(read)
        except ValidationError as error:
            problems += error_details(error)
        else:
            if not problems:
                return made
        raise ValidationError.from_exception_data(cls.__name__, problems)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the schema with the settings of environments."""
        return add_to_schema(handler.resolve_ref_schema(handler(core_schema)), handler)

    def settings_of(self, environment: str, model: type[_Own]) -> _Own:
        """Return the tier's settings of an environment, or their defaults.

        Args:
            environment: Name of the environment.
            model: The model of its settings.
        """
        found = (self.model_extra or {}).get(environment)
        return found if isinstance(found, model) else model()
