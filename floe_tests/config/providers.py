"""The environments there are, by name, and what each of them can do.

A provider of environments is one folder of `floe_tests/environments/providers/`, or a package of
its own that names its class under the entry point group `floe_tests.environments`. Settings,
command line, launchpad, doctor and reaper ask here; none of them knows a provider by its name.

Two words are easily confused. `context` is an environment: an existing cluster, in which a run
creates a namespace of its own. `installed` is a setting beside it: a platform that is there before
a run and stays after it, in a namespace that runs use in turn.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
from abc import ABC
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self, TypeVar

from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from floe_tests.config.base import Settings
from floe_tests.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

    from floe_tests.kube.access import ClusterAccess

GROUP = "floe_tests.environments"
_PROVIDERS = "floe_tests.environments.providers"
_BUILT_IN: Mapping[str, str] = {
    "local": f"{_PROVIDERS}.local:LocalProvider",
    "kind": f"{_PROVIDERS}.kind:KindProvider",
    "context": f"{_PROVIDERS}.context:ContextProvider",
}


@dataclass(frozen=True)
class RequiredProgram:
    """A program that runs call.

    Attributes:
        name: Its name, as it is called.
        arguments: Arguments that make it print its version.
        minimum: The least version.
        install: How to install it, for people; empty where core/program.py says it.
        is_optional: Whether runs do without it.
    """

    name: str
    arguments: tuple[str, ...]
    minimum: tuple[int, int, int]
    install: str = ""
    is_optional: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What an environment can do, and what it needs.

    Attributes:
        is_cluster: Whether charts are installed and suites run as Jobs in it; without a cluster,
            suites run as processes of this machine.
        creates_clusters: Whether its runs create whole clusters, which a reaper has to look for.
            Runs have all rights in those; elsewhere doctor looks at their rights.
        has_own_clock: Whether a cluster tells the time by a clock of its own; False for one that
            runs on this machine.
        can_have_installed: Whether a tier's `installed` platform may be in it: a cluster that is
            there before a run and stays after it.
        outlives_process: Whether it is still there when the process that runs the stages has died,
            so that another process can resume the run.
        needs_docker: Whether it runs in this machine's Docker.
        programs: Programs that it calls.
        extras: Extras of this package that it needs.
    """

    is_cluster: bool = True
    creates_clusters: bool = False
    has_own_clock: bool = True
    can_have_installed: bool = False
    outlives_process: bool = True
    needs_docker: bool = False
    programs: tuple[RequiredProgram, ...] = ()
    extras: tuple[str, ...] = ()


class EnvironmentSettings(Settings):
    """What a tier sets of an environment, under the environment's name."""

    def with_variables(self, variables: Mapping[str, str]) -> Self:
        """Return the settings as they hold where variables take the place of some.

        Args:
            variables: The variables whose names begin with FLOE_TESTS_.
        """
        del variables
        return self


_Own = TypeVar("_Own", bound=EnvironmentSettings)


class TierOfProvider(Protocol):
    """What a provider asks a tier for, before there is an environment."""

    @property
    def name(self) -> str:
        """The tier's name."""
        ...

    def settings_of(self, environment: str, model: type[_Own]) -> _Own:
        """Return the tier's settings of an environment, or their defaults."""
        ...


class ProviderDescription(ABC):
    """What settings, launchpad and command line know of a provider; loading it must be cheap.

    Attributes:
        name: The environment's name, as settings and FLOE_TESTS_CLUSTER write it.
        description: Where a run is then, in half a sentence: "on a kind cluster".
        capabilities: What it can do, and what it needs.
        settings: The model of its own settings, which a tier writes under the provider's name; None
            where it has none.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    settings: ClassVar[type[EnvironmentSettings] | None] = None

    def access(self, tier: TierOfProvider) -> ClusterAccess:
        """Return how a tier's existing cluster is reached; only of what is a cluster already.

        Raises:
            ConfigurationError: There is no such cluster before a run.
        """
        message = f"environment {self.name} has no cluster before a run of tier {tier.name}."
        raise ConfigurationError(message)


_registered: dict[str, ProviderDescription] = {}


def register(provider: ProviderDescription) -> None:
    """Make a provider known in this process, beside those of entry points.

    Args:
        provider: The provider; one of the same name takes its place.
    """
    _registered[provider.name] = provider


def unregister(name: str) -> None:
    """Forget a provider that was registered in this process."""
    _registered.pop(name, None)


def environment_names() -> tuple[str, ...]:
    """Return the names of all environments: first this package's own, then others by name."""
    return tuple(dict.fromkeys((*_BUILT_IN, *sorted({*_entry_points(), *_registered}))))


def description_of(name: str) -> ProviderDescription:
    """Return the provider of an environment.

    Raises:
        ConfigurationError: There is none of that name, or it cannot be loaded.
    """
    if name not in _registered:
        known = {**_entry_points(), **_BUILT_IN}
        if name not in known:
            raise ConfigurationError(unknown_environment(name))
        _registered[name] = _loaded(name, known[name])
    return _registered[name]


def capabilities_of(name: str) -> Capabilities:
    """Return what an environment can do.

    Raises:
        ConfigurationError: There is none of that name, or it cannot be loaded.
    """
    return description_of(name).capabilities


def descriptions() -> Iterator[ProviderDescription]:
    """Return the providers of all environments; one that cannot be loaded is left out.

    It is told of where it is used.
    """
    for name in environment_names():
        with contextlib.suppress(ConfigurationError):
            yield description_of(name)


def unknown_environment(name: str) -> str:
    """Say that there is no environment of a name."""
    return (
        f"{name!r} is no environment. Use one of {', '.join(environment_names())}, or install the "
        f"package that provides it (entry point group {GROUP})."
    )


def environments_text() -> str:
    """Return the names for help texts: "`local`, `kind` or `context`"."""
    *most, last = (f"`{name}`" for name in environment_names())
    return f"{', '.join(most)} or {last}"


def environments_described() -> str:
    """Return where a run is in each: "`kind` on a kind cluster, …"."""
    return ", ".join(f"`{each.name}` {each.description}" for each in descriptions())


@functools.cache
def _entry_points() -> dict[str, str]:
    return {each.name: each.value for each in importlib.metadata.entry_points(group=GROUP)}


def _loaded(name: str, reference: str) -> ProviderDescription:
    module, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        message = (
            f"environment {name} cannot be loaded from {reference}: {error}. Its package names it "
            f"under the entry point group {GROUP}; install it again, or remove it."
        )
        raise ConfigurationError(message) from error
    if not isinstance(found, ProviderDescription) or found.name != name:
        message = (
            f"environment {name} is no provider of that name: {reference} has to be a class "
            f"derived from floe_tests.environments.provider.Provider whose name is {name!r}."
        )
        raise ConfigurationError(message)
    return found


class _KnownEnvironment:
    """Check a name when it is read: providers may come with other packages."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls._check, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"enum": list(environment_names()), "type": "string"}

    @staticmethod
    def _check(value: str) -> str:
        names = environment_names()
        if value not in names:
            *most, last = (repr(name) for name in names)
            raise PydanticKnownError("literal_error", {"expected": f"{', '.join(most)} or {last}"})
        try:
            return description_of(value).name
        except ConfigurationError as error:
            raise ValueError(str(error)) from error


EnvironmentName = Annotated[str, _KnownEnvironment]
