"""Lists in the repository that are reviewed like code: who lets what pass, why, and until when."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from floe_tests.core.errors import ConfigurationError

_Entry = TypeVar("_Entry")


def read(
    path: Path, entries: TypeAdapter[tuple[_Entry, ...]], *, name: str, each: str
) -> tuple[_Entry, ...]:
    """Read a list.

    Args:
        path: The YAML file.
        entries: What its entries are.
        name: What the list is called in messages.
        each: What each entry has, for the message about a wrong one.

    Raises:
        ConfigurationError: It is missing or wrong; all problems at once.
    """
    try:
        return entries.validate_python(yaml.safe_load(path.read_text()) or ())
    except OSError as error:
        message = f"{path}: the {name} cannot be read: {error.strerror}."
        raise ConfigurationError(message) from error
    except yaml.YAMLError as error:
        message = f"{path}: the {name} is no YAML: {error}."
        raise ConfigurationError(message) from error
    except ValidationError as error:
        problems = "; ".join(
            f"entry {'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        message = f"{path}: {problems}. {each}"
        raise ConfigurationError(message) from error
