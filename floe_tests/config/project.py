"""Where a project's files are, and what its environment variables say: read once, at the edge."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from floe_tests.config.links import Links
from floe_tests.config.providers import (
    EnvironmentName,
    EnvironmentSettings,
    description_of,
    environment_names,
    unknown_environment,
)
from floe_tests.config.tier import TierSettings
from floe_tests.core import names, refs
from floe_tests.core.errors import ConfigurationError
from floe_tests.core.registry import reference

UNKNOWN = "unknown"
_VARIABLES = "FLOE_TESTS_"

# A CI checks out a commit, not a branch: only its variables say what that commit belongs to.
# GitHub, GitLab, Azure, Buildkite, Jenkins.
REFS = (
    "FLOE_TESTS_REF",
    "GITHUB_REF",
    "CI_MERGE_REQUEST_REF_PATH",
    "CI_COMMIT_REF_NAME",
    "BUILD_SOURCEBRANCH",
    "BUILDKITE_BRANCH",
    "GIT_BRANCH",
)
DEFAULT_BRANCHES = (
    "FLOE_TESTS_DEFAULT_BRANCH",
    "CI_DEFAULT_BRANCH",
    "BUILDKITE_PIPELINE_DEFAULT_BRANCH",
)
_REMOTE_HEAD = "refs/remotes/origin/HEAD"

# What a run leaves in the folder of its tier.
REPORT = "report.html"
JUNIT = "junit.xml"
VERDICT = "verdict.json"


# A registry and a path in it; helm would take a comma or a brace for values of its own.
# Source: https://pkg.go.dev/github.com/distribution/reference
_PREFIX = re.compile(
    r"(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?)(:[0-9]{1,5})?"
    r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*/"
)


def output_of(root: Path, environ: Mapping[str, str]) -> Path:
    """Return where a project's results go, whatever else its environment says."""
    return Path(environ.get("FLOE_TESTS_OUTPUT") or root / "output").absolute()


@dataclass(frozen=True)
class Workspace:
    """The project's folders and the choices of its environment.

    Attributes:
        root: The project's folder; relative paths in a tier's settings start here.
        output: Where a run's results go, a folder a tier (FLOE_TESTS_OUTPUT).
        home: Where state lives that outlasts a run: DAGSTER_HOME, else dagster_home in the project.
        history_url: SQLAlchemy address of the history (FLOE_TESTS_HISTORY), SQLite beside home.
        image_registry_prefix: Put before every image (IMAGE_REGISTRY_PREFIX), with its final slash.
        environment: The environment that FLOE_TESTS_CLUSTER chooses; None leaves it to the tier.
        ref: The git ref under test (FLOE_TESTS_REF, GITHUB_REF and the like of other CIs, else what
            git says): HEAD for a detached checkout that is not of the default branch, `unknown`
            outside of a repository.
        commit: The commit under test (FLOE_TESTS_COMMIT, GITHUB_SHA, else what git says).
        trigger: What started the run (FLOE_TESTS_TRIGGER, GITHUB_EVENT_NAME, else `manual`).
        default_branch: The branch that health, flakiness and baselines are of, by its bare name
            (FLOE_TESTS_DEFAULT_BRANCH and the like of CIs, else what git says of `origin`, else
            `main`).
        output_url: Address under which a web server shows `output` (FLOE_TESTS_OUTPUT_URL), with
            its final slash; None where none does.
        links: Where a commit, a pull request and a run are looked at (FLOE_TESTS_COMMIT_URL,
            FLOE_TESTS_PULL_REQUEST_URL, FLOE_TESTS_RUN_URL).
        namespace_role: ClusterRole that this pod's account binds itself to in a namespace that a
            run has made (FLOE_TESTS_NAMESPACE_ROLE); None where it needs none.
        variables: All variables that begin with FLOE_TESTS_: an environment may have its own.
    """

    root: Path
    output: Path
    home: Path
    history_url: str
    image_registry_prefix: str = ""
    environment: EnvironmentName | None = None
    ref: str = UNKNOWN
    commit: str = UNKNOWN
    trigger: str = "manual"
    default_branch: str = "main"
    output_url: str | None = None
    links: Links = field(default_factory=Links)
    namespace_role: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    @classmethod
    def from_environment(cls, root: Path, environ: Mapping[str, str]) -> Workspace:
        """Read the environment variables.

        Args:
            root: The project's folder.
            environ: The variables, as `os.environ`.

        Raises:
            ConfigurationError: One of them has a value that means nothing.
        """
        home = Path(environ.get("DAGSTER_HOME") or root / "dagster_home")
        default_branch = _default_branch(root, environ)
        return cls(
            root=root,
            output=output_of(root, environ),
            home=home.absolute(),
            history_url=environ.get("FLOE_TESTS_HISTORY")
            or f"sqlite:///{home.absolute() / 'floe_tests.db'}",
            image_registry_prefix=_prefix(environ.get("IMAGE_REGISTRY_PREFIX", "")),
            environment=environment_named(
                environ.get("FLOE_TESTS_CLUSTER", ""), source="FLOE_TESTS_CLUSTER"
            ),
            ref=_first(environ, REFS) or _ref_of(root, default_branch),
            commit=environ.get("FLOE_TESTS_COMMIT")
            or environ.get("GITHUB_SHA")
            or _git(root, "rev-parse", "HEAD"),
            trigger=environ.get("FLOE_TESTS_TRIGGER")
            or environ.get("GITHUB_EVENT_NAME")
            or "manual",
            default_branch=default_branch,
            output_url=_directory_url(environ.get("FLOE_TESTS_OUTPUT_URL", "")),
            links=Links.from_environment(environ),
            namespace_role=environ.get("FLOE_TESTS_NAMESPACE_ROLE") or None,
            variables={
                key: environ[key] for key in environ if key.startswith(_VARIABLES) and environ[key]
            },
        )

    def image(self, name: str) -> str:
        """Return the reference that is pulled for an image's upstream name."""
        return f"{self.image_registry_prefix}{name}"

    def loaded_images(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the references of images that are copied from the local Docker into nodes.

        None where the prefix is a registry of this machine, which `images/build --push` fills. A
        mirror is asked for what the local Docker does not have: it may know an older image by the
        same name.

        Args:
            names: The images' upstream names.
        """
        if self.image_registry_prefix and reference(self.image("any")).is_local:
            return ()
        return tuple(self.image(name) for name in names)

    def newest(self, tier: str) -> Path:
        """Return the folder of a tier's newest results.

        Raises:
            ConfigurationError: The name could lead out of the output folder.
        """
        return self.output / names.require("tier", tier, where="the tier's name")

    def received(self, tier: str, run_id: str) -> Path:
        """Return the folder of all that a run receives: its suites' results, its platform's logs.

        Raises:
            ConfigurationError: A name could lead out of the output folder.
        """
        return self.newest(tier) / "runs" / names.require("run id", run_id, where="the run's id")

    def adapted(self, tier: TierSettings) -> TierSettings:
        """Return a tier's settings as they hold here, where a variable takes the place of one."""
        changed: dict[str, EnvironmentSettings] = {}
        for name in tier.environments:
            model = description_of(name).settings
            if model is not None:
                own = tier.settings_of(name, model)
                here = own.with_variables(self.variables)
                if here != own:
                    changed[name] = here
        return tier.model_copy(update=changed) if changed else tier


def _directory_url(text: str) -> str | None:
    url = text.strip()
    if url and not url.startswith(("http://", "https://")):
        message = (
            f"FLOE_TESTS_OUTPUT_URL={text!r} is no address. Write the one under which a browser "
            "finds the output folder, such as https://ci.example.com/results/."
        )
        raise ConfigurationError(message)
    return f"{url.rstrip('/')}/" if url else None


def _prefix(text: str) -> str:
    prefix = text.strip()
    if prefix and not prefix.endswith("/"):
        message = (
            f"IMAGE_REGISTRY_PREFIX={text!r} does not end with '/'. It is put before an image's "
            f"name as it stands: write {prefix + '/'!r}."
        )
        raise ConfigurationError(message)
    if prefix and not _PREFIX.fullmatch(prefix):
        message = (
            f"IMAGE_REGISTRY_PREFIX={text!r} is no beginning of an image's name. Write the "
            "registry's host, with its port where it has one, and a path in small letters, such as "
            "harbor.example.com/proxy/."
        )
        raise ConfigurationError(message)
    return prefix


def environment_named(text: str, *, source: str) -> EnvironmentName | None:
    """Return the environment of a name; None for no name.

    Args:
        text: The name.
        source: Where it stands, for the message.

    Raises:
        ConfigurationError: There is no such environment, or it cannot be loaded.
    """
    if not text:
        return None
    if text in environment_names():
        return description_of(text).name
    message = f"{source}={unknown_environment(text)}"
    raise ConfigurationError(message)


def _first(environ: Mapping[str, str], variables: Iterable[str]) -> str | None:
    return next((environ[each] for each in variables if environ.get(each)), None)


def _default_branch(root: Path, environ: Mapping[str, str]) -> str:
    """Return the bare name of the default branch."""
    told = _first(environ, DEFAULT_BRANCHES)
    found = told or _git(root, "symbolic-ref", "--short", _REMOTE_HEAD)
    return refs.name_of(found) or "main"


def _ref_of(root: Path, default_branch: str) -> str:
    """Return the branch that is checked out; of a detached checkout what can be said of it."""
    branch = _git(root, "symbolic-ref", "--short", "HEAD")
    if branch != UNKNOWN or _git(root, "rev-parse", "HEAD") == UNKNOWN:
        return branch
    for tip in (default_branch, f"origin/{default_branch}"):
        if _git(root, "merge-base", "--is-ancestor", "HEAD", tip) != UNKNOWN:
            return default_branch
    return refs.DETACHED


def _git(root: Path, *words: str) -> str:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(root), *words],  # noqa: S607 - git from PATH, as everywhere
            check=True,
            capture_output=True,
            text=True,
            timeout=5,
        ).stdout.strip()
    return UNKNOWN
