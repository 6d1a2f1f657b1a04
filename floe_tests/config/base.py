"""What all settings have in common: how they are checked, and what a wrong one is told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails

_Item = TypeVar("_Item")

# RFC 1123 label, as Kubernetes wants it for namespaces and in labels; cut to 40 characters because
# a run's id and a suite's name are appended to it and the result must fit in 63.
# Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_LABEL_CHARACTERS = 40


def _dns_label(value: str) -> str:
    if len(value) > _DNS_LABEL_CHARACTERS or not _DNS_LABEL.fullmatch(value):
        message = (
            f"{value!r} is no DNS label. Use at most {_DNS_LABEL_CHARACTERS} lower-case letters, "
            "digits and '-', beginning and ending with a letter or digit."
        )
        raise ValueError(message)
    return value


def not_empty(value: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """Return a list as it is, unless nothing is in it."""
    # Not pydantic's min_length: that also complains when an item is wrong, and hides which.
    if not value:
        message = "empty. Write at least one."
        raise ValueError(message)
    return value


DnsLabel = Annotated[str, AfterValidator(_dns_label)]


class Settings(BaseModel):
    """A group of settings: never changed once read, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _says_what_it_knows(cls, value: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Name the settings there are beside one that there is not; all errors stay."""
        try:
            return handler(value)
        except ValidationError as error:
            details = [_with_remedy(item, cls.known_names()) for item in error.errors()]
            raise ValidationError.from_exception_data(error.title, details) from error

    @classmethod
    def known_names(cls) -> tuple[str, ...]:
        """Return the names of its settings."""
        return tuple(cls.model_fields)


class ProblemsError(ValueError):
    """Several things that do not go together, each a sentence that begins with its field."""

    def __init__(self, problems: Iterable[str]) -> None:
        """Keep them.

        Args:
            problems: One sentence each, with field and remedy.
        """
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def error_details(error: ValidationError, *, below: str | None = None) -> list[InitErrorDetails]:
    """Return what a validation found, to be raised again.

    Args:
        error: The validation's error.
        below: The setting that holds what was validated; None for the same place.
    """
    return [
        InitErrorDetails(
            type=item["type"],
            loc=item["loc"] if below is None else (below, *item["loc"]),
            input=item["input"],
            ctx=item.get("ctx", {}),
        )
        for item in error.errors()
    ]


def no_such_setting(name: str, known: Iterable[str]) -> str:
    """Say that there is no setting of a name, and which there are."""
    names = tuple(known)
    close = difflib.get_close_matches(name, names, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"there is no such setting.{meant} There are: {', '.join(names)}."


def _with_remedy(error: ErrorDetails, known: tuple[str, ...]) -> InitErrorDetails:
    found = InitErrorDetails(
        type=error["type"], loc=error["loc"], input=error["input"], ctx=error.get("ctx", {})
    )
    # An inner model has worded its own: those lie deeper than one name.
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        # A type of pydantic's own, because Dagster builds these errors once more.
        found["type"] = "value_error"
        found["ctx"] = {"error": ValueError(no_such_setting(str(error["loc"][0]), known))}
    return found
