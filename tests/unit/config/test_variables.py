"""Variables of a suite: which may be set, by whom, and what is said of them."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from floe_tests.config.project import Workspace
from floe_tests.config.selection import Selection
from floe_tests.config.suite import SuiteSettings
from floe_tests.config.test_job import load_template
from floe_tests.config.tier import TierSettings
from floe_tests.config.variables import chosen, inherited, problems_of, said
from floe_tests.core.errors import ConfigurationError
from floe_tests.pipeline.publish import publish
from floe_tests.pipeline.run import TierRun

SAYS_ITS_VARIABLES = """\
import os

def test_it():
    assert (os.environ["ROUNDS"], os.environ["SCALE"]) == ({rounds!r}, {scale!r})
"""


@pytest.mark.parametrize(
    ("name", "value", "said_of_it"),
    [
        pytest.param("rounds", "1", "'rounds' is no name of a variable", id="lower-case"),
        pytest.param("1ROUND", "1", "'1ROUND' is no name of a variable", id="digit-first"),
        pytest.param("FLOE_RUN_ID", "1", "FLOE_RUN_ID is the orchestrator's own", id="run-id"),
        pytest.param("FLOE_TESTS_TIMEOUT_SECONDS", "1", "the orchestrator's own", id="timeout"),
        pytest.param("PYTEST_ADDOPTS", "-x", "the orchestrator's own", id="pytest"),
        pytest.param("LD_PRELOAD", "x.so", "the orchestrator's own", id="loader"),
        pytest.param("DB_PASSWORD", "x", "DB_PASSWORD looks like a secret", id="password"),
        pytest.param("AWS_ACCESS_KEY_ID", "x", "looks like a secret", id="access-key"),
        pytest.param("API_TOKEN", "x", "looks like a secret", id="token"),
        pytest.param("NOTE", "two\nlines", "Write one line of at most 1024", id="lines"),
        pytest.param("NOTE", "x" * 1025, "the value of NOTE has 1025 characters", id="long"),
    ],
)
def test_what_may_not_be_set_is_named_with_its_remedy(
    name: str, value: str, said_of_it: str
) -> None:
    (problem,) = problems_of({name: value})
    assert said_of_it in problem
    with pytest.raises(ValidationError, match="value_error"):
        SuiteSettings.model_validate({"name": "s", "job": "j.yaml", "variables": {name: value}})


DEVELOPER = {
    "HOME": "/home/user",
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TMPDIR": "/home/user/tmp",
    "https_proxy": "http://proxy:3128",
    "SSL_CERT_FILE": "/etc/ca.pem",
}
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA0",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "AWS_PROFILE": "production",
    "GITHUB_TOKEN": "ghp_0",
    "NPM_TOKEN": "npm_0",
    "DATABASE_URL": "postgres://ada:s3cret@db/live",
    "FLOE_TESTS_HISTORY": "postgresql://ada:s3cret@db/history",
    "DAGSTER_PG_PASSWORD": "s3cret",
    "DAGSTER_HOME": "/home/user/dagster",
    "PIP_INDEX_URL": "https://ada:s3cret@index/simple",
    "HTTP_PROXY": "http://ada:s3cret@proxy:3128",
    "http_proxy": "ada:s3cret@proxy:3128",
    "SSH_AUTH_SOCK": "/home/user/agent",
    "KUBECONFIG": "/home/user/.kube/production",
    "PYTEST_ADDOPTS": "-x",
    "PYTHONPATH": "/home/user/lib",
    "LD_PRELOAD": "/home/user/lib.so",
    "homemade": "s3cret",
}


def test_a_suite_on_this_machine_sees_the_few_variables_that_programs_need() -> None:
    """What it prints goes into reports that others read."""
    seen, missing = inherited({**DEVELOPER, **SECRETS})

    assert seen == DEVELOPER
    assert missing == ()


def test_a_tier_lets_more_of_them_through_by_name() -> None:
    seen, missing = inherited({**DEVELOPER, **SECRETS}, ["DATABASE_URL", "HTTP_PROXY", "ABSENT"])

    added = {name: SECRETS[name] for name in ("DATABASE_URL", "HTTP_PROXY")}
    assert seen == {**DEVELOPER, **added}
    assert missing == ("ABSENT",)


@pytest.mark.parametrize(
    "name", ["PYTEST_ADDOPTS", "PYTHONPATH", "LD_PRELOAD", "FLOE_RUN_ID", "AWS_*", "A=b", ""]
)
def test_what_changes_the_tests_is_not_let_through(name: str) -> None:
    with pytest.raises(ValidationError, match="pass_environment"):
        SuiteSettings.model_validate({"name": "s", "job": "j.yaml", "pass_environment": [name]})


def test_monkeys_and_keyboards_are_no_secrets() -> None:
    assert problems_of({"FLOE_SOAK_MINUTES": "10", "MONKEYS": "3", "KEYBOARD": "de"}) == ()


def test_each_suite_gets_the_variables_that_it_knows() -> None:
    known = {"soak": ("MINUTES", "SEED"), "benchmark": ("ROUNDS", "SEED")}
    assert chosen({"MINUTES": "3", "SEED": "9"}, known) == {
        "soak": {"MINUTES": "3", "SEED": "9"},
        "benchmark": {"SEED": "9"},
    }


def test_variable_that_no_suite_knows_is_refused_with_those_that_there_are() -> None:
    """A typing error would run for hours with the default."""
    known = {"soak": ("MINUTES", "FLOE_RUN_ID")}
    with pytest.raises(ConfigurationError) as caught:
        chosen({"MINUTE": "3", "API_TOKEN": "x"}, known)

    assert "no suite of this run knows MINUTE. They know MINUTES." in str(caught.value)
    assert "API_TOKEN looks like a secret" in str(caught.value)


def test_said_in_one_line_by_name() -> None:
    assert said({"B": "2", "A": "1"}) == "A=1, B=2"


def test_variable_of_a_secret_cannot_be_set(tmp_path: Path) -> None:
    manifest = yaml.safe_load(
        (Path(__file__).parents[2] / "integration" / "test-job.yaml").read_text()
    )
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(manifest))
    names = load_template(file).plain_variables

    assert "DAGSTER_HOST" in names
    assert "POD_NAME" not in names, "it has its value from the pod"


def write_tier(root: Path, *, rounds: str, scale: str) -> TierSettings:
    root.mkdir()
    (root / "test_suite.py").write_text(SAYS_ITS_VARIABLES.format(rounds=rounds, scale=scale))
    return TierSettings.model_validate(
        {
            "name": "small",
            "description": "One suite.",
            "environments": ["local"],
            "suites": [
                {
                    "name": "suite",
                    "command": [
                        *("pytest", "test_suite.py", "-p", "no:cacheprovider"),
                        "--junitxml=/results/junit.xml",
                        "--report-log=/results/events.jsonl",
                    ],
                    "variables": {"ROUNDS": "10", "SCALE": "100"},
                }
            ],
            "deadlines": {"tests_seconds": 60, "pod_seconds": 80, "job_seconds": 200},
        }
    )


def run_of(settings: TierSettings, root: Path) -> TierRun:
    workspace = Workspace(
        root=root, output=root / "output", home=root / "home", history_url=f"sqlite:///{root}/h.db"
    )
    return TierRun(
        settings=settings, workspace=workspace, run_id=str(uuid.uuid4()), log=lambda _text: None
    )


@pytest.mark.functional
def test_run_changes_a_tiers_variable_and_says_so_wherever_it_is_read(tmp_path: Path) -> None:
    root = tmp_path / "project"
    run = run_of(write_tier(root, rounds="3", scale="100"), root)
    with run.stage("cluster"):
        run.acquire(selection=Selection(variables={"ROUNDS": "3"}))
    with run.stage("platform"):
        run.install()
    with run.stage("test_job"):
        run.run_suites()
    published = publish(run.state())
    run.give_back()

    assert published.verdict.passed, published.verdict
    (suite,) = published.suites
    assert suite.variables == {"ROUNDS": "3"}
    assert suite.notices[0] == "variables of this run: ROUNDS=3"


def test_run_with_a_wrong_variable_creates_nothing(tmp_path: Path) -> None:
    root = tmp_path / "project"
    run = run_of(write_tier(root, rounds="3", scale="100"), root)

    with pytest.raises(ConfigurationError, match="no suite of this run knows ROUND"):
        run.acquire(selection=Selection(variables={"ROUND": "3"}))

    assert run.entries.lease() is None
