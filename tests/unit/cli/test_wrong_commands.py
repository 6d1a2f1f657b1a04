"""What a wrong command, variable or tier says: one panel, exit code 2, and nothing was begun."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from floe_tests.cli import common
from floe_tests.cli.app import app
from floe_tests.core.version import __version__
from tests.support.project import Project

GOOD = """\
  name: good
  description: It works. And more.
  environments: [local]
  suites: [{name: a, command: [pytest, checks]}]
"""
SHELL = """\
  name: shell
  description: A script.
  environments: [local]
  suites: [{name: a, command: [bash, run.sh]}]
"""


@pytest.fixture(autouse=True)
def place(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Return a project with two tiers that can run and one that cannot, in the working folder."""
    for name in ("DAGSTER_HOME", "IMAGE_REGISTRY_PREFIX", "FLOE_TESTS_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(project.root / "home"))
    monkeypatch.setenv("FLOE_TESTS_OUTPUT", str(project.root / "output"))
    project.tier(GOOD, folder="good")
    project.tier(SHELL, folder="shell")
    project.tier(GOOD.replace("good", "bad").replace("[local]", "[lokal]"), folder="bad")
    project.write("checks/test_a.py", "import pytest\n\n@pytest.mark.slow\ndef test_a(): pass\n")
    monkeypatch.chdir(project.root)
    common.current_project.cache_clear()
    yield project
    common.current_project.cache_clear()


def ask(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def panels(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("╭")]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("run god", ["there is no tier god. Did you mean good? There are: bad, good, shell."]),
        ("run bad", ["tier bad cannot run", "defs/bad/defs.yaml", "line 5, environments[0]"]),
        ("run good -e kid", ["--environment kid", "Did you mean kind?", "local, kind, context"]),
        ("run good -e kind", ["--environment kind: tier good does not run there", "local"]),
        ("run good --keep sometimes", ["--keep sometimes", "never, on_failure, always"]),
        ("run good --keep allways", ["Did you mean always?"]),
        ("run good -v X", ["--variable X: write NAME=VALUE"]),
        ("run good -v x=1", ["'x' is no name of a variable"]),
        ("run good -v NO_SUCH=1", ["no suite of this run knows NO_SUCH"]),
        ("run good -v API_TOKEN=1", ["API_TOKEN looks like a secret"]),
        ("run good -g slw", ["groups slw", "Did you mean slow?", "Their sources name slow"]),
        ("run good -g --all", ["'--all' is no group"]),
        ("run shell -g slow", ["suite a cannot choose", "bash run.sh"]),
        ("doctor god", ["Did you mean good?"]),
        ("doctor good -e moon", ["'moon' is no environment"]),
        ("check god", ["Did you mean good?"]),
        ("explain jib", ["there is no page jib. Did you mean job?"]),
        ("verdict good", ["no run of good has ended yet", "floe-tests run good"]),
        ("verdict ../x", ["'../x' cannot be a tier"]),
        ("prune --tier god", ["there is no tier god", "Did you mean good?"]),
        ("cancel", ["cancel which runs? Give --ref, --tier or --run."]),
        ("reap --in-cluster", ["--in-cluster: this is no pod"]),
        ("history --show nonsense", ["--show nonsense"]),
        ("history --since yesterday", ["'yesterday' is no time"]),
        ("report", ["history"]),
        ("serve --path x", ["--path 'x' is no place for a site"]),
        ("rnu good", ["No such command 'rnu'", "Did you mean 'run'?"]),
        ("run", ["Missing argument"]),
        ("serve --port 70000", ["--port"]),
    ],
)
def test_a_wrong_command_is_told_in_one_panel(
    place: Project, monkeypatch: pytest.MonkeyPatch, command: str, told: list[str]
):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    said = ask(*command.split())

    assert said.exit_code == 2, said.output
    assert isinstance(said.exception, SystemExit)
    assert len(panels(said.output)) == 1, said.output
    assert [words for words in told if words not in said.output] == [], said.output
    assert not (place.root / "output" / "good").exists()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("FLOE_TESTS_CLUSTER", "moon", "FLOE_TESTS_CLUSTER='moon' is no environment"),
        ("FLOE_TESTS_CLUSTER", "kind", "FLOE_TESTS_CLUSTER kind: tier good does not run there"),
        ("IMAGE_REGISTRY_PREFIX", "harbor", "write 'harbor/'"),
        ("IMAGE_REGISTRY_PREFIX", "a b/", "is no beginning of an image's name"),
        ("DAGSTER_HOME", "relative", "DAGSTER_HOME=relative is no absolute path"),
        ("DAGSTER_HOME", "/dev/null/x", "/dev/null/x cannot be written: Not a directory"),
        ("FLOE_TESTS_OUTPUT", "/dev/null/x", "/dev/null/x cannot be written: Not a directory"),
        ("FLOE_TESTS_OUTPUT", "/proc/x", "/proc/x cannot be written"),
        ("FLOE_TESTS_OUTPUT_URL", "nonsense", "FLOE_TESTS_OUTPUT_URL='nonsense' is no address"),
        ("FLOE_TESTS_HISTORY", "nonsense", "Write sqlite:///"),
        ("FLOE_TESTS_HISTORY", "sqlite:////dev/null/h.db", "/dev/null"),
    ],
)
def test_a_wrong_variable_is_told_before_a_run_begins(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
):
    monkeypatch.setenv(variable, value)

    said = ask("run", "good")

    assert said.exit_code == 2, said.output
    assert isinstance(said.exception, SystemExit)
    assert len(panels(said.output)) == 1, said.output
    assert told in said.output


def test_a_name_that_leaves_nothing_for_a_namespace_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The project became `project_tests` without a word."""
    monkeypatch.chdir(tmp_path)

    said = ask("init", "new", "--name", "日本")

    assert said.exit_code == 2, said.output
    assert "--name 日本" in said.output
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["ui", "serve"])
def test_a_port_in_use_is_told_with_another(command: str):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = ask(command, "--port", str(min(port, 65534)))

    assert said.exit_code == 2, said.output
    assert f"127.0.0.1:{port}" in said.output
    assert f"floe-tests {command} --port" in said.output
    assert ("make ui PORT=" in said.output) == (command == "ui")


def test_outside_of_a_project_a_command_says_how_to_begin_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    said = ask("tiers")

    assert said.exit_code == 2
    assert "`floe-tests init`" in said.output
    assert len(panels(said.output)) == 1


def test_tiers_are_listed_with_the_one_that_cannot_run():
    said, data = ask("tiers"), ask("tiers", "--json")

    assert (said.exit_code, data.exit_code) == (0, 0)
    bad, good, *_ = said.stdout.splitlines()[1:]
    assert bad.split()[:3] == ["bad", "CANNOT", "RUN"]
    assert good.split()[:2] == ["good", "local"]
    assert good.rstrip().endswith("It works")
    assert "1 tier cannot run" in said.stderr
    assert [(each["name"], each["runs"]) for each in json.loads(data.stdout)] == [
        ("bad", False),
        ("good", True),
        ("shell", True),
    ]


def test_the_check_of_a_project_fails_for_the_wrong_tier_alone():
    all_of_them, good, data = ask("check"), ask("check", "good"), ask("check", "--json")

    assert (all_of_them.exit_code, good.exit_code, data.exit_code) == (1, 0, 1)
    assert "line 5, environments[0]" in all_of_them.stdout
    fails = {each["tier"]: each["fails"] for each in json.loads(data.stdout)}
    assert fails["bad"]
    assert not fails["good"]


@pytest.mark.parametrize("command", ["doctor", "reap", "history"])
def test_a_wrong_tier_is_mentioned_by_what_goes_on_without_it(command: str):
    said = ask(command)

    assert not isinstance(said.exception, Exception), said.output
    assert "defs/bad/defs.yaml" in said.stderr or said.exit_code == 2
    assert "Traceback" not in said.output


def test_the_version_is_told():
    assert ask("--version").stdout == f"floe-tests {__version__}\n"


def test_the_contract_of_a_suite_is_explained():
    said = ask("explain", "job")

    assert said.exit_code == 0
    assert "## Exit codes" in said.stdout
    assert "](" not in said.stdout, "links lead nowhere from a terminal"
