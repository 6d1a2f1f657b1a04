"""The contract between a suite and a run as a page: docs/test-job.md and `floe-tests explain job`.

The text stands in page/test-job.md; what the code decides (names, sizes, variables) comes from it.
"""

from __future__ import annotations

import re
from pathlib import Path

from floe_tests.config.groups import ADDOPTS_VARIABLE
from floe_tests.config.test_job import DEFAULT_CONTAINER, EXPORTER_MEMORY, RESULTS
from floe_tests.core.program import RUN_VARIABLE
from floe_tests.execution import manifest
from floe_tests.execution.sharding import job as sharding
from floe_tests.exporter import results

_PAGE = Path(__file__).parent / "page" / "test-job.md"
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_VARIABLES = (
    (RUN_VARIABLE, "the run's id, the same for all that it makes"),
    (manifest.PROVIDER_VARIABLE, "the environment: `local`, `kind`, `context` or another's name"),
    (
        manifest.TESTS_TIMEOUT_VARIABLE,
        "seconds until the tests should have ended by themselves; floe-tests-pytest does it",
    ),
    (ADDOPTS_VARIABLE, "`-m` with the groups of the run, behind what the file says"),
    (
        f"{sharding.INDEX_VARIABLE}`, `{sharding.COUNT_VARIABLE}",
        "which shard of how many, where the suite has `shards`",
    ),
)


def markdown() -> str:
    """Return the page, as it stands in docs/."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown of our own, and no HTML
        keep_trailing_newline=True,
    )
    return environment.from_string(_PAGE.read_text(encoding="utf-8")).render(
        results=RESULTS,
        grace=manifest.GRACE_SECONDS,
        least_ttl=manifest.LEAST_TTL_SECONDS,
        policies=", ".join(f"`{name}`" for name in manifest.POLICIES),
        exporter_memory=EXPORTER_MEMORY,
        variables=_VARIABLES,
        addopts=ADDOPTS_VARIABLE,
        junit_names=", ".join(f"`{name}`" for name in results.JUNIT_NAMES),
        events=results.EVENTS_FILE,
        collection=results.COLLECTION_FILE,
        soak=results.SOAK_FILE,
        benchmark=results.BENCHMARK_FILE,
        default_container=DEFAULT_CONTAINER,
    )


def for_terminal() -> str:
    """Return the page without its links, which lead nowhere from a terminal."""
    text = markdown().partition("-->\n")[2].lstrip()
    return _LINK.sub(r"\1", text)
