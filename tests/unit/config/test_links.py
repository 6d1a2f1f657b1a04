"""Addresses of commits, pull requests and runs, as a project gives them."""

from __future__ import annotations

import pytest

from floe_tests.config.links import Links
from floe_tests.core.errors import ConfigurationError

TEMPLATES = {
    "FLOE_TESTS_COMMIT_URL": "https://git.example.com/shop/commit/{commit}",
    "FLOE_TESTS_PULL_REQUEST_URL": "https://git.example.com/shop/pull/{number}",
    "FLOE_TESTS_RUN_URL": "https://dagster.example.com/runs/{run_id}",
}


def test_a_run_of_a_pull_request_leads_to_its_commit_its_request_and_itself() -> None:
    links = Links.from_environment(TEMPLATES)

    assert links.of(run_id="r-1", ref="refs/pull/412/merge", commit="c0ffee") == {
        "commit": "https://git.example.com/shop/commit/c0ffee",
        "pull request": "https://git.example.com/shop/pull/412",
        "run": "https://dagster.example.com/runs/r-1",
    }


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        ("refs/pull/7/merge", "7"),
        ("pull/7", "7"),
        ("7/merge", "7"),
        ("refs/merge-requests/7/head", "7"),
        ("main", None),
        ("release/7", None),
        (None, None),
    ],
)
def test_a_pull_request_is_known_however_a_ci_writes_it(
    ref: str | None, number: str | None
) -> None:
    found = Links.from_environment(TEMPLATES).of(run_id="r", ref=ref, commit=None)

    assert found.get("pull request", "none").rpartition("/")[2] == (number or "none")


def test_what_nobody_knows_leads_nowhere() -> None:
    links = Links.from_environment(TEMPLATES)

    assert "commit" not in links.of(run_id="r", ref="main", commit="unknown")
    assert Links().of(run_id="r", ref="main", commit="c") == {}


def test_on_github_the_repository_is_known() -> None:
    github = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/shop"}

    assert Links.from_environment(github).commit == "https://github.com/team/shop/commit/{commit}"


def test_a_name_cannot_lead_elsewhere() -> None:
    links = Links.from_environment(TEMPLATES)

    found = links.of(run_id="r", ref="main", commit="../../evil?x=1#y")

    assert found["commit"] == "https://git.example.com/shop/commit/..%2F..%2Fevil%3Fx%3D1%23y"


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert({commit})",
        "git.example.com/{commit}",
        "https://{commit}/x",
        "https://git.example.com/{sha}",
        "https://git.example.com/{commit!r}",
        "https://git.example.com/{commit:>99999999}",
        "https://git.example.com/{commit.__class__}",
        "https://git.example.com/{",
        "https://[half/{commit}",
    ],
)
def test_a_template_that_is_none_is_refused_with_the_variable_and_an_example(
    template: str,
) -> None:
    with pytest.raises(ConfigurationError, match=r"FLOE_TESTS_COMMIT_URL=.*such as https://"):
        Links.from_environment({"FLOE_TESTS_COMMIT_URL": template})
