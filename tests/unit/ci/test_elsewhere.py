"""What other repositories take of this one: actions, a workflow, a component of GitLab."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from floe_tests.cli.app import app

ROOT = Path(__file__).parents[3]
ACTIONS = {name: ROOT / name for name in ("action.yml", "end/action.yml")}
CALLED = ROOT / ".github" / "workflows" / "tier.yml"
COMPONENT = ROOT / "templates" / "tier" / "template.yml"
PAGE = ROOT / "docs" / "ci-elsewhere.md"


def document(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - makes text alone


def component() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return GitLab's component: what it asks for, and its job with all of that filled in."""
    header, body = COMPONENT.read_text().split("\n---\n")
    inputs = yaml.safe_load(header)["spec"]["inputs"]
    for name, each in inputs.items():
        value = each.get("default", "smoke") if each else "smoke"
        body = body.replace(f"$[[ inputs.{name} ]]", str(value))
    assert "$[[" not in body, "an input that is not declared"
    return inputs, yaml.safe_load(body)


def scripts() -> Iterator[str]:
    for path in ACTIONS.values():
        yield from (step["run"] for step in document(path)["runs"]["steps"])
    (job,) = component()[1].values()
    yield from (*job["script"], *job["after_script"])
    yield from re.findall(r"^ {4,}(.*floe-tests .*)$", PAGE.read_text(), flags=re.MULTILINE)


def test_every_command_and_option_is_the_programs() -> None:
    known = get_command(app).commands
    used: set[str] = set()
    for script in scripts():
        text = re.sub(r"'[^']*'", "WORDS", script.replace("\\\n", " "))
        for line in re.findall(
            r"(?:^|[\s/])floe-tests ((?:cancel|doctor|reap|run|verdict).*)", text
        ):
            name, *arguments = re.split(r"[|;&]", line)[0].split()
            options = {option for each in known[name].params for option in each.opts}
            assert {word for word in arguments if word.startswith("-")} <= options, line
            used.add(name)

    assert used == {"cancel", "doctor", "reap", "run", "verdict"}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_pastes_no_text_from_outside_into_a_script(name: str) -> None:
    for step in document(ACTIONS[name])["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]


@pytest.mark.parametrize("name", ACTIONS)
def test_the_programs_that_an_action_calls_are_there(name: str) -> None:
    base = ACTIONS[name].parent
    for step in document(ACTIONS[name])["runs"]["steps"]:
        for program in re.findall(r"\$ACTION/([\w./-]+)", step["run"]):
            assert os.access(base / program, os.X_OK), program


def test_the_workflow_hands_all_that_it_is_asked_for_to_the_actions() -> None:
    called = document(CALLED)
    inputs = set(called["on"]["workflow_call"]["inputs"])
    run, end = (
        step
        for step in called["jobs"]["tier"]["steps"]
        if "floe/floe-tests" in step.get("uses", "")
    )
    given = {"action.yml": run, "end/action.yml": end}

    assert {step["uses"] for step in given.values()} == {
        "floe/floe-tests@v0",
        "floe/floe-tests/end@v0",
    }
    for name, step in given.items():
        assert set(step["with"]) == set(document(ACTIONS[name])["inputs"])
        assert set(step["with"].values()) <= {f"${{{{ inputs.{each} }}}}" for each in inputs}
    assert set(run["with"]) == inputs - {"runner", "minutes"}


def test_a_cancelled_run_is_ended_by_a_step_of_its_own() -> None:
    """The steps of a composite action are not gone on with once its job is cancelled."""
    *_, end, keep = document(CALLED)["jobs"]["tier"]["steps"]

    assert end["uses"] == "floe/floe-tests/end@v0"
    assert end["if"] == "always() && steps.run.outcome != 'skipped'"
    assert int(end["timeout-minutes"]) <= 5, "GitHub kills the job then"
    assert keep["if"] == "always()"


def test_gitlabs_job_keeps_its_results_and_is_cleaned_up_whatever_becomes_of_it() -> None:
    inputs, jobs = component()
    (job,) = jobs.values()

    assert [name for name, each in inputs.items() if "default" not in (each or {})] == ["tier"]
    assert job["artifacts"]["when"] == "always"
    assert "output/" in job["artifacts"]["paths"]
    assert job["artifacts"]["reports"] == {"junit": "output/$TIER/junit.xml"}
    assert any("floe-tests reap --yes" in line for line in job["after_script"])
    assert job["interruptible"] is True, "a newer pipeline on the ref takes its place"


@pytest.mark.functional
@pytest.mark.parametrize("schema", ["github-actions", "github-workflows", "gitlab-ci"])
def test_it_is_what_the_servers_schema_says(schema: str, tmp_path: Path) -> None:
    job = tmp_path / "job.yml"
    job.write_text(yaml.safe_dump(component()[1]))
    files = {
        "github-actions": [*ACTIONS.values()],
        "github-workflows": [*sorted(CALLED.parent.glob("*.yml"))],
        "gitlab-ci": [job],
    }[schema]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]

    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
