"""The settings that an environment adds to a tier, under its own name: read by its own model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from floe_tests.config.base import error_details, no_such_setting
from floe_tests.config.providers import (
    EnvironmentSettings,
    description_of,
    descriptions,
    environment_names,
)
from floe_tests.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler


def read_settings(
    found: Mapping[str, Any], *, known: tuple[str, ...]
) -> tuple[dict[str, Any], list[InitErrorDetails]]:
    """Read the settings of environments in a tier, each by the model of its provider.

    Args:
        found: What a tier says, by name of the setting.
        known: The tier's own settings, which are left as they are.

    Returns:
        The tier with what could be read, and what is wrong with the rest.
    """
    read: dict[str, Any] = {}
    problems: list[InitErrorDetails] = []
    for name, value in found.items():
        if name in known:
            read[name] = value
            continue
        try:
            model = _model_of(name)
            if model is None:
                everything = (*known, *(each for each, _ in environment_models()))
                raise ConfigurationError(no_such_setting(name, everything))  # noqa: TRY301
            read[name] = model.model_validate(value)
        except ConfigurationError as error:
            problems.append(_wrong(name, value, str(error)))
        except ValidationError as error:
            problems += error_details(error, below=name)
    return read, problems


def environment_models() -> Iterator[tuple[str, type[EnvironmentSettings]]]:
    """Return the environments that have settings, and their models."""
    for provider in descriptions():
        if provider.settings is not None:
            yield provider.name, provider.settings


def add_to_schema(schema: dict[str, Any], handler: GetJsonSchemaHandler) -> dict[str, Any]:
    """Return a tier's JSON schema with the settings of environments."""
    for name, model in environment_models():
        reference = handler(model.__pydantic_core_schema__)
        what = f"Settings of environment `{name}`, which runs {description_of(name).description}."
        schema["properties"][name] = {**reference, "description": what}
    schema["additionalProperties"] = False
    return schema


def _model_of(name: str) -> type[EnvironmentSettings] | None:
    return description_of(name).settings if name in environment_names() else None


def _wrong(name: str, value: Any, message: str) -> InitErrorDetails:
    return InitErrorDetails(
        type="value_error", loc=(name,), input=value, ctx={"error": ValueError(message)}
    )
