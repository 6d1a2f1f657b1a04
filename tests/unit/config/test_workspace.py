"""What a project's environment variables mean."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from floe_tests.config.project import Workspace
from floe_tests.config.tier import TierSettings
from floe_tests.core.errors import ConfigurationError


def test_without_variables_everything_is_below_the_project(tmp_path: Path):
    workspace = Workspace.from_environment(tmp_path, {})

    assert workspace.output == tmp_path / "output"
    assert workspace.home == tmp_path / "dagster_home"
    assert workspace.history_url == f"sqlite:///{tmp_path}/dagster_home/floe_tests.db"
    assert (workspace.environment, workspace.trigger) == (None, "manual")


def test_without_git_ref_and_commit_are_unknown(tmp_path: Path):
    workspace = Workspace.from_environment(tmp_path, {})

    assert (workspace.ref, workspace.commit) == ("unknown", "unknown")


def _git(root: Path, *commands: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in commands:
        subprocess.run(
            ["git", "-C", str(root), *identity, *command.split()], check=True, capture_output=True
        )


_COMMIT = "commit --allow-empty --no-verify --message=a"


@pytest.mark.functional
def test_ref_and_commit_are_what_git_says(tmp_path: Path):
    _git(tmp_path, "init --initial-branch=topic", _COMMIT)

    workspace = Workspace.from_environment(tmp_path, {})

    assert workspace.ref == "topic"
    assert len(workspace.commit) == 40


@pytest.mark.functional
def test_a_detached_checkout_is_the_default_branchs_or_nobodys(tmp_path: Path):
    """A bisection on main is main's; another commit must not count as main's."""
    _git(tmp_path, "init --initial-branch=main", _COMMIT, _COMMIT, "checkout --detach HEAD~1")
    assert Workspace.from_environment(tmp_path, {}).ref == "main"

    _git(tmp_path, f"{_COMMIT}-of-another-branch")
    assert Workspace.from_environment(tmp_path, {}).ref == "HEAD"


@pytest.mark.functional
def test_the_default_branch_is_what_the_clone_says(tmp_path: Path):
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    _git(origin, "init --initial-branch=trunk", _COMMIT)
    _git(tmp_path, f"clone {origin} {clone}")

    assert Workspace.from_environment(clone, {}).default_branch == "trunk"
    variables = {"FLOE_TESTS_DEFAULT_BRANCH": "refs/heads/develop"}
    assert Workspace.from_environment(clone, variables).default_branch == "develop"


@pytest.mark.parametrize(
    ("variables", "ref"),
    [
        pytest.param(
            {"CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/3/head", "CI_COMMIT_REF_NAME": "x"},
            "refs/merge-requests/3/head",
            id="GitLab, a merge request",
        ),
        pytest.param({"CI_COMMIT_REF_NAME": "develop"}, "develop", id="GitLab, a branch"),
        pytest.param({"BUILD_SOURCEBRANCH": "refs/pull/4/merge"}, "refs/pull/4/merge", id="Azure"),
        pytest.param({"GIT_BRANCH": "origin/main"}, "origin/main", id="Jenkins"),
        pytest.param({"GITHUB_REF": "", "BUILDKITE_BRANCH": "main"}, "main", id="Buildkite"),
    ],
)
def test_a_ci_that_checks_out_a_commit_says_what_it_belongs_to(
    tmp_path: Path, variables: dict[str, str], ref: str
):
    assert Workspace.from_environment(tmp_path, variables).ref == ref


def test_gitlab_says_the_default_branch(tmp_path: Path):
    workspace = Workspace.from_environment(tmp_path, {"CI_DEFAULT_BRANCH": "master"})
    assert workspace.default_branch == "master"


def test_variables_win_over_what_is_found(tmp_path: Path):
    workspace = Workspace.from_environment(
        tmp_path,
        {
            "DAGSTER_HOME": "/srv/dagster",
            "FLOE_TESTS_OUTPUT": "/srv/output",
            "FLOE_TESTS_HISTORY": "postgresql://db/history",
            "FLOE_TESTS_CLUSTER": "kind",
            "FLOE_TESTS_REF": "main",
            "FLOE_TESTS_COMMIT": "72c65fc",
            "FLOE_TESTS_TRIGGER": "nightly",
            "GITHUB_REF": "refs/heads/other",
            "GITHUB_SHA": "0000000",
            "GITHUB_EVENT_NAME": "push",
        },
    )

    assert (workspace.home, workspace.output) == (Path("/srv/dagster"), Path("/srv/output"))
    assert workspace.history_url == "postgresql://db/history"
    assert workspace.environment == "kind"
    assert (workspace.ref, workspace.commit, workspace.trigger) == ("main", "72c65fc", "nightly")


def test_on_github_its_variables_are_read(tmp_path: Path):
    workspace = Workspace.from_environment(
        tmp_path,
        {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_SHA": "abc", "GITHUB_EVENT_NAME": "push"},
    )

    assert (workspace.ref, workspace.commit) == ("refs/pull/7/merge", "abc")
    assert workspace.trigger == "push"


def test_an_empty_variable_is_no_choice(tmp_path: Path):
    """A CI that passes on an unset secret sets an empty variable."""
    empty = dict.fromkeys(
        ["DAGSTER_HOME", "FLOE_TESTS_OUTPUT", "FLOE_TESTS_HISTORY", "FLOE_TESTS_CLUSTER"], ""
    )

    assert Workspace.from_environment(tmp_path, empty) == Workspace.from_environment(tmp_path, {})


def test_relative_folders_become_absolute_because_dagster_changes_directories(tmp_path: Path):
    workspace = Workspace.from_environment(
        tmp_path, {"DAGSTER_HOME": "home", "FLOE_TESTS_OUTPUT": "out"}
    )

    assert workspace.home.is_absolute()
    assert workspace.output.is_absolute()


def test_the_prefix_is_put_before_an_images_name_as_it_stands(tmp_path: Path):
    workspace = Workspace.from_environment(tmp_path, {"IMAGE_REGISTRY_PREFIX": "localhost:5001/"})

    assert workspace.image("ghcr.io/floe/platform:0.1.0") == (
        "localhost:5001/ghcr.io/floe/platform:0.1.0"
    )


@pytest.mark.parametrize(
    ("prefix", "loaded"),
    [
        pytest.param("", ("a:1", "ghcr.io/b:2"), id="no prefix"),
        pytest.param(
            "harbor.example.com/proxy/",
            ("harbor.example.com/proxy/a:1", "harbor.example.com/proxy/ghcr.io/b:2"),
            id="a mirror, which cannot have what this machine has just built",
        ),
        pytest.param("localhost:5001/", (), id="a registry of this machine, where it was pushed"),
    ],
)
def test_images_come_from_the_local_docker_unless_this_machine_has_a_registry(
    tmp_path: Path, prefix: str, loaded: tuple[str, ...]
):
    """Behind a mirror, a change's images were not those it built: the node asked the mirror."""
    workspace = Workspace.from_environment(tmp_path, {"IMAGE_REGISTRY_PREFIX": prefix})

    assert workspace.loaded_images(["a:1", "ghcr.io/b:2"]) == loaded


@pytest.mark.parametrize(
    "prefix",
    [
        "localhost:5001/",
        "harbor.example.com/proxy/",
        "10.0.0.7:5000/a/b__c/",
        "[::1]:5001/",
        "mirror/",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/",
    ],
)
def test_a_registry_and_a_path_are_a_prefix(tmp_path: Path, prefix: str) -> None:
    workspace = Workspace.from_environment(tmp_path, {"IMAGE_REGISTRY_PREFIX": prefix})

    assert workspace.image("library/python:3.11").startswith(prefix)


@pytest.mark.parametrize(
    "prefix",
    [
        pytest.param("mirror,image.pullPolicy=Never/", id="another value"),
        pytest.param("{a,b}/", id="list"),
        pytest.param("-v/", id="option"),
        pytest.param("--privileged a/", id="words"),
        pytest.param("$(id)/", id="shell"),
        pytest.param("https://harbor.example.com/", id="scheme"),
        pytest.param("harbor.example.com/Proxy/", id="capitals"),
        pytest.param("harbor.example.com//", id="empty part"),
        pytest.param("../", id="dots"),
    ],
)
def test_what_is_no_prefix_is_refused_with_an_example(tmp_path: Path, prefix: str) -> None:
    """It becomes a value of helm and a word of docker, which would take it for more."""
    with pytest.raises(ConfigurationError, match=r"such as harbor\.example\.com/proxy/"):
        Workspace.from_environment(tmp_path, {"IMAGE_REGISTRY_PREFIX": prefix})


def test_a_prefix_without_its_slash_is_refused_with_the_right_one(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="write 'localhost:5001/'"):
        Workspace.from_environment(tmp_path, {"IMAGE_REGISTRY_PREFIX": "localhost:5001"})


def test_an_environment_that_there_is_not_is_refused_with_those_there_are(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"'minikube'.*local, kind, context"):
        Workspace.from_environment(tmp_path, {"FLOE_TESTS_CLUSTER": "minikube"})


def test_another_node_image_takes_the_place_of_every_tiers_own(tmp_path: Path):
    tier = TierSettings.model_validate(
        {
            "name": "small",
            "description": "A small tier.",
            "environments": ["kind"],
            "suites": [{"name": "suite", "job": "test-job.yaml"}],
        }
    )
    image = "kindest/node:v1.33.1-cilium"

    here = Workspace.from_environment(tmp_path, {"FLOE_TESTS_KIND_IMAGE": image}).adapted(tier)

    assert here.kind.node_image == image
    assert here.kind.kubernetes_version == "v1.33.1"
    assert Workspace.from_environment(tmp_path, {}).adapted(tier) == tier


@pytest.mark.parametrize("name", ["/etc", "../elsewhere", "a/b", "..", "", "a\\b"])
def test_what_a_run_receives_never_lies_outside_of_the_output_folder(name: str):
    """A bundle or a lease may name any tier: files were written to an absolute path."""
    workspace = Workspace(root=Path(), output=Path("output"), home=Path(), history_url="")

    with pytest.raises(ConfigurationError, match="cannot be a tier"):
        workspace.received(name, "1a2b3c4d")
    with pytest.raises(ConfigurationError, match="cannot be a run id"):
        workspace.received("integration", name)
