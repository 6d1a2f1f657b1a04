"""Test pipelines on real Kubernetes, from cluster to verdict, with the history of every test.

The package is plain Python below a thin Dagster layer: `definitions.py` and
`orchestration/` are the only modules that import Dagster.
"""

from typing import TYPE_CHECKING

from floe_tests.core.version import __version__

if TYPE_CHECKING:
    from floe_tests.orchestration.component import TestTier
    from floe_tests.orchestration.project import project

__all__ = ["TestTier", "__version__", "project"]


def __dir__() -> list[str]:
    """Return what there is, loaded or not: `dg` finds the component here."""
    return [*globals(), *__all__]


def __getattr__(name: str) -> object:
    """Load what needs Dagster on first use, so that plain parts import without it."""
    if name == "TestTier":
        from floe_tests.orchestration.component import TestTier

        return TestTier
    if name == "project":
        from floe_tests.orchestration.project import project

        return project
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
