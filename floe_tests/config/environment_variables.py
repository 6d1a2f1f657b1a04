"""The environment variables that this program reads, as docs/environment.md shows them.

A test holds them against the sources: one that is read and not listed here fails it.
"""

from __future__ import annotations

from dataclasses import dataclass

from floe_tests.config.project import DEFAULT_BRANCHES, REFS


@dataclass(frozen=True)
class EnvironmentVariable:
    """A variable.

    Attributes:
        name: Its name.
        meaning: What it says, in Markdown.
        default: What holds without it, in Markdown.
    """

    name: str
    meaning: str
    default: str


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names[1:])


WHERE = (
    EnvironmentVariable(
        "FLOE_TESTS_CLUSTER",
        "the environment of a run: `local`, `kind`, `context` or a provider's of another package; "
        "`--environment` wins over it",
        "the tier's first environment",
    ),
    EnvironmentVariable(
        "FLOE_TESTS_KIND_IMAGE",
        "kind's node image, in place of the tiers' own",
        "each tier's `kind.node_image`",
    ),
    EnvironmentVariable(
        "IMAGE_REGISTRY_PREFIX",
        "put before every image, with its final `/`: a registry mirror, such as "
        "`harbor.example.com/proxy/`",
        "none",
    ),
    EnvironmentVariable(
        "FLOE_TESTS_NAMESPACE_ROLE",
        "the ClusterRole that the orchestrator's account binds itself to in a namespace that a "
        "run has made; the chart sets it",
        "none",
    ),
)
STATE = (
    EnvironmentVariable("FLOE_TESTS_OUTPUT", "the folder of results", "`output/` of the project"),
    EnvironmentVariable(
        "DAGSTER_HOME",
        "the folder of Dagster's instance, and of leases and ledger; an absolute path",
        "`dagster_home/` of the project for `floe-tests`; none for `dagster`, which then forgets",
    ),
    EnvironmentVariable(
        "FLOE_TESTS_HISTORY",
        "the history's database, SQLite or Postgres, as SQLAlchemy writes addresses",
        "`floe_tests.db` in `DAGSTER_HOME`",
    ),
)
TESTED = (
    EnvironmentVariable(
        "FLOE_TESTS_REF",
        "the branch, tag or pull request under test",
        f"the CI's ({_listed(REFS)}), then git's",
    ),
    EnvironmentVariable("FLOE_TESTS_COMMIT", "the commit under test", "`GITHUB_SHA`, then git's"),
    EnvironmentVariable(
        "FLOE_TESTS_TRIGGER", "what started the run", "`GITHUB_EVENT_NAME`, then `manual`"
    ),
    EnvironmentVariable(
        "FLOE_TESTS_DEFAULT_BRANCH",
        "the branch that health, flakiness and baselines are of",
        f"the CI's ({_listed(DEFAULT_BRANCHES)}), then what git says of `origin`, then `main`",
    ),
)
ADDRESSES = (
    EnvironmentVariable(
        "FLOE_TESTS_COMMIT_URL",
        "where pages link to for a commit: an address with `{commit}`",
        "the repository's on GitHub; elsewhere none",
    ),
    EnvironmentVariable(
        "FLOE_TESTS_PULL_REQUEST_URL",
        "the same for a pull request, with `{number}`",
        "the repository's on GitHub; elsewhere none",
    ),
    EnvironmentVariable(
        "FLOE_TESTS_RUN_URL",
        "the same for a run, in Dagster or in a CI, with `{run_id}`",
        "none",
    ),
    EnvironmentVariable(
        "FLOE_TESTS_OUTPUT_URL",
        "the address under which a web server shows the results; Dagster links to it",
        "none: paths",
    ),
)
GROUPS: dict[str, tuple[EnvironmentVariable, ...]] = {
    "Where a run takes place": WHERE,
    "Where results and state are kept": STATE,
    "What is under test": TESTED,
    "Where pages link to": ADDRESSES,
}
