"""What `pip install floe-tests` leaves out, because most runs do without it."""

from __future__ import annotations

from importlib.util import find_spec

from floe_tests.core.errors import ConfigurationError

# Extra in pyproject.toml → the modules of it that are imported here.
_MODULES: dict[str, tuple[str, ...]] = {
    "measure": ("numpy", "scipy", "ruptures", "matplotlib"),
    "ui": ("dagster_webserver", "starlette", "uvicorn"),
    "cluster": ("dagster_k8s",),
    "local": ("duckdb", "dagster_webserver"),
}


def has_extra(extra: str) -> bool:
    """Whether an extra is installed.

    Args:
        extra: Its name.
    """
    return not _missing(extra)


def _missing(extra: str) -> list[str]:
    return [name for name in _MODULES[extra] if find_spec(name) is None]


def require_extra(extra: str, *, purpose: str) -> None:
    """Make sure that an extra is installed.

    Args:
        extra: Its name.
        purpose: What needs it, for the message.

    Raises:
        ConfigurationError: A module of it is missing; the message has the command that installs it.
    """
    if missing := _missing(extra):
        message = (
            f"{purpose} needs {', '.join(missing)}, which is not installed: "
            f'`pip install "floe-tests[{extra}]"`.'
        )
        raise ConfigurationError(message)
