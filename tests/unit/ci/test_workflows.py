"""The workflows of GitHub, read as GitHub reads them: what a pull request and a release rely on.

actionlint (`make lint`) says whether they are well formed. These say whether they keep their word.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.main import get_command

from floe_tests.cli.app import app
from floe_tests.config.loader import load_tiers
from floe_tests.config.tier import TierSettings
from floe_tests.environments.providers.kind.settings import KindSettings

ROOT = Path(__file__).parents[3]
# As text alone: `on` would be a boolean, and a version a number.
WORKFLOWS: dict[str, Mapping[str, Any]] = {
    path.stem: yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - makes text alone
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
TIERS: dict[str, TierSettings] = {tier.name: tier for tier in load_tiers(ROOT)}
LOADED_IMAGES = {
    name: tier.settings_of("kind", KindSettings).load_images for name, tier in TIERS.items()
}
REUSABLE = "./.github/workflows/e2e-test.yml"
SYSTEM_TESTS = "./.github/workflows/system-tests.yml"
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

# The spec's table: memory, and minutes of the tests.
SPEC = {
    "unit": ("4Gi", 2),
    "integration": ("8Gi", 5),
    "e2e": ("16Gi", 12),
    "statefun": ("16Gi", 25),
}

# What GitHub's Ubuntu runners come with.
# Source: https://github.com/actions/runner-images/blob/main/images/ubuntu/Ubuntu2404-Readme.md
OF_THE_RUNNER = {"docker", "echo", "gh", "helm", "jq", "make", "tee"}


class Job(NamedTuple):
    """A job of a workflow."""

    workflow: str
    name: str
    body: Mapping[str, Any]

    @property
    def steps(self) -> list[Mapping[str, Any]]:
        """Its steps; none where it calls another workflow."""
        return self.body.get("steps", [])

    @property
    def needs(self) -> list[str]:
        """The jobs that it waits for."""
        needs = self.body.get("needs", [])
        return [needs] if isinstance(needs, str) else needs

    def __str__(self) -> str:
        """Name it."""
        return f"{self.workflow}/{self.name}"


JOBS = [
    Job(workflow, name, body)
    for workflow, document in WORKFLOWS.items()
    for name, body in document["jobs"].items()
]
WITH_STEPS = [job for job in JOBS if job.steps]
CALLS = [job for job in JOBS if job.body.get("uses") == REUSABLE]
SCRIPTS = [
    pytest.param(step["run"], id=f"{job}, {step['name']}")
    for job in WITH_STEPS
    for step in job.steps
    if "run" in step
]


def job_of(workflow: str, name: str) -> Job:
    return next(job for job in JOBS if (job.workflow, job.name) == (workflow, name))


def step_of(job: Job, name: str) -> Mapping[str, Any]:
    return next(step for step in job.steps if step.get("name") == name)


def commands(script: str) -> Iterator[list[str]]:
    """Return the commands of a script, each as its words: as much of a shell as is used here."""
    script = re.sub(r"\w+\+?=\([^)]*\)", "", script).replace("\\\n", " ")
    lexer = shlex.shlex(script, posix=True, punctuation_chars="|&;<>\n")
    lexer.whitespace, lexer.whitespace_split = " \t", True
    words: list[str] = []
    redirects = False
    for token in [*lexer, "\n"]:
        if set(token) <= set("<>"):
            redirects = True
        elif set(token) <= set("|&;\n"):
            while words and words[0] in {"do", "exec"}:
                words.pop(0)
            if words and words[0] not in {"for", "done"}:
                yield words
            words = []
        elif not redirects:
            words.append(token)
        else:
            redirects = False


# --- who may do what


def test_every_foreign_action_is_pinned_by_its_commit_with_its_version_beside_it():
    """A tag can be moved to other code; a commit cannot."""
    pins: dict[str, set[str]] = {}
    for name in WORKFLOWS:
        for line in (ROOT / ".github" / "workflows" / f"{name}.yml").read_text().splitlines():
            # For other repositories: what belongs to this one has its own tag.
            if (used := re.search(r"\buses: +(?!\./|floe/floe-tests[/@])(\S.*)", line)) is None:
                continue
            pin = re.fullmatch(r"([\w-]+/[\w/-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", used[1])
            assert pin, f"{name}.yml: {line.strip()}"
            pins.setdefault(pin[1], set()).add(pin[2])

    assert set(pins) == {"actions/checkout", "actions/upload-artifact"}
    assert {action: len(commits) for action, commits in pins.items()} == dict.fromkeys(pins, 1)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_read_the_repository_and_nothing_else(name: str):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}


def test_only_the_publication_may_write_and_each_job_only_what_it_writes():
    writes = {
        str(job): {scope for scope, access in permissions.items() if access != "read"}
        for job in JOBS
        if (permissions := job.body.get("permissions", {}))
    }

    assert {job: scopes for job, scopes in writes.items() if scopes} == {
        "release/publish": {"packages"},
        "release/announce": {"contents"},
        "release/pages": {"contents"},
    }


def test_no_workflow_gives_a_forks_code_the_rights_of_this_repository():
    events = {event for document in WORKFLOWS.values() for event in document["on"]}

    assert events == {"pull_request", "push", "schedule", "workflow_call", "workflow_dispatch"}


@pytest.mark.parametrize("job", WITH_STEPS, ids=str)
def test_a_checkout_leaves_no_token_behind(job: Job):
    for step in job.steps:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_text_from_outside_is_pasted_into_a_script(script: str):
    """The name of a branch can be a command; in a variable it is only a name."""
    assert "${{" not in script


# --- the gate


def test_a_change_is_tested_on_every_pull_request_and_every_push_to_main_and_release():
    """A required check of a workflow that was filtered out would wait forever."""
    events = WORKFLOWS["ci"]["on"]

    assert events["pull_request"] == ""
    assert events["push"] == {"branches": ["main", "release"]}


def test_the_gate_needs_every_other_job():
    gate = job_of("ci", "gate")

    assert {*gate.needs, "gate"} == set(WORKFLOWS["ci"]["jobs"])
    assert {"lint", "unit", "integration", "e2e", "statefun"} <= set(gate.needs)
    assert gate.body["if"] == "always()", "a required check that is skipped counts as passed"


@pytest.mark.functional
@pytest.mark.parametrize(
    ("results", "end"),
    [
        pytest.param(["success", "success"], "green", id="all succeeded"),
        pytest.param(["success", "failure"], "red", id="one failed"),
        pytest.param(["success", "cancelled"], "red", id="one was cancelled"),
        pytest.param(["skipped", "success"], "red", id="one was skipped"),
        pytest.param([], "red", id="it needs nothing"),
    ],
)
@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not on PATH")
def test_the_gate_passes_only_if_each_job_succeeded(tmp_path: Path, results: list[str], end: str):
    needs = {f"job-{number}": {"result": result} for number, result in enumerate(results)}
    summary = tmp_path / "summary.md"
    variables = {"NEEDS": json.dumps(needs), "GITHUB_STEP_SUMMARY": str(summary)}

    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", job_of("ci", "gate").steps[0]["run"]],
        check=False,
        env={**os.environ, **variables},
    )

    assert ("red" if done.returncode else "green") == end
    assert [line.rpartition(" ")[2] for line in summary.read_text().splitlines()] == results


def test_a_newer_push_on_a_ref_cancels_the_run_before_it():
    assert WORKFLOWS["ci"]["concurrency"] == {
        "group": "ci-${{ github.ref }}",
        "cancel-in-progress": "true",
    }


def test_a_publication_is_not_cancelled_halfway_and_does_not_wait_for_its_own_gate():
    """One group for a workflow and the one that it calls is a deadlock."""
    release = WORKFLOWS["release"]["concurrency"]

    assert release["cancel-in-progress"] == "false"
    assert release["group"] != WORKFLOWS["ci"]["concurrency"]["group"]
    assert "concurrency" not in WORKFLOWS["e2e-test"]


def test_nothing_is_published_before_the_gate_has_passed():
    assert WORKFLOWS["release"]["on"] == {"push": {"tags": ["v*.*.*"]}}
    assert job_of("release", "gate").body["uses"] == "./.github/workflows/ci.yml"
    publishing = {"publish", "announce", "pages"}
    assert publishing == {
        job.name for job in JOBS if "write" in job.body.get("permissions", {}).values()
    }
    for name in publishing:
        before: set[str] = set()
        left = [name]
        while left:
            job = job_of("release", left.pop())
            assert "if" not in job.body, "a condition may be true although the gate is red"
            before |= set(job.needs)
            left += job.needs
        assert {"gate", "version"} <= before


# --- the tiers


def test_the_gate_runs_every_tier_of_the_projects_own_images_and_none_of_staging():
    called = {job.body["with"]["tier"] for job in CALLS}

    # What runs against a platform that is there is staging's, on a schedule, and gates nothing.
    gated = {name for name, tier in TIERS.items() if tier.installed is None}
    assert called <= gated
    # A tier that somebody adds is theirs to put into the gate; what this project builds is in it.
    assert called >= {name for name in gated if LOADED_IMAGES[name]}


@pytest.mark.parametrize("job", CALLS, ids=str)
def test_a_tier_that_is_called_runs_on_kind_and_has_the_groups_that_are_named(job: Job):
    given = job.body["with"]
    assert set(given) <= set(WORKFLOWS["e2e-test"]["on"]["workflow_call"]["inputs"])
    tier = TIERS[given["tier"]]

    assert "kind" in tier.environments
    groups = given.get("groups", "")
    if groups.startswith("${{"):
        (named,) = job.body["strategy"]["matrix"].values()
        known = {group for suite in tier.suites for group in suite.groups}
        assert set(named) == known, "a suite that no call selects is never run"
    else:
        assert groups == ""


@pytest.mark.parametrize("name", SPEC)
def test_a_tier_has_the_memory_and_the_minutes_of_the_spec(name: str):
    budget = TIERS[name].budget

    assert (budget.memory, budget.minutes) == SPEC[name]


@pytest.mark.parametrize("job", WITH_STEPS, ids=str)
def test_every_job_has_a_limit_and_its_steps_have_shorter_ones(job: Job):
    limit = job.body["timeout-minutes"]
    for step in job.steps:
        if limit.isdigit() and step.get("timeout-minutes", "").isdigit():
            assert int(step["timeout-minutes"]) < int(limit)


def test_the_limits_of_a_tier_are_the_specs_minutes_and_room_around_them():
    """The tier's own deadline comes first: its verdict says what took so long."""
    job = job_of("e2e-test", "tier")
    of_jobs, of_steps = (
        json.loads(re.findall(r"fromJSON\('(.*)'\)", text)[0])
        for text in (
            job.body["timeout-minutes"],
            step_of(job, "Run the tier")["timeout-minutes"],
        )
    )

    assert set(of_jobs) == set(of_steps) == {job.body["with"]["tier"] for job in CALLS}
    for name, minutes in of_steps.items():
        assert SPEC[name][1] + 5 <= minutes <= SPEC[name][1] * 2
        assert minutes + 15 <= of_jobs[name]


def test_the_runners_are_those_of_the_spec():
    expression = job_of("e2e-test", "tier").body["runs-on"]

    assert expression == (
        "${{ inputs.tier == 'e2e' && (vars.E2E_RUNNER || 'ubuntu-latest-8-cores') "
        "|| 'ubuntu-latest' }}"
    )
    own = (job for job in WITH_STEPS if job.workflow != "tier")  # which others call
    assert {job.body["runs-on"] for job in own} == {"ubuntu-latest", expression}


def test_the_unit_job_leaves_no_unit_test_out():
    (suite,) = TIERS["unit"].suites
    assert suite.command is not None
    (beside,) = commands(step_of(job_of("ci", "unit"), "What starts processes of its own")["run"])

    assert [word for word in suite.command if word.startswith("tests/")] == ["tests/unit"]
    assert suite.command[suite.command.index("-m") + 1] == "not functional"
    assert [word for word in beside if word.startswith("tests/")] == [
        "tests/unit",
        "tests/functional",
    ]
    assert beside[beside.index("-m") + 1] == "functional and not thorough"
    assert not {
        word for word in (*suite.command, *beside) if word.startswith(("--ignore", "--deselect"))
    }


def test_a_pull_request_runs_some_of_the_system_tests_and_the_night_all_of_them():
    by_day, by_night = (job.body for job in JOBS if job.body.get("uses") == SYSTEM_TESTS)
    nights = by_night["strategy"]["matrix"]["include"]

    assert by_day["with"]["target"] == "test-kind-quick"
    assert {night["target"] for night in nights} == {"test-kind", "faults", "staging-tests"}
    assert {"test-kind-quick", *(night["target"] for night in nights)} <= TARGETS
    job = job_of("system-tests", "tests")
    around = [int(step["timeout-minutes"]) for step in job.steps[1:3]]
    assert all(
        int(run["minutes"]) + sum(around) < int(job.body["timeout-minutes"])
        for run in (by_day["with"], *nights)
    )
    assert "schedule" in WORKFLOWS["nightly"]["on"]


def test_the_quick_system_tests_are_there():
    """A file that was renamed would be an error of pytest on GitHub alone."""
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    quick = re.search(r"^QUICK := \$\(addprefix (\S+),(.*)\)$", makefile, flags=re.MULTILINE)
    assert quick is not None

    files = [ROOT / f"{quick[1]}{name}" for name in quick[2].split()]
    assert len(files) > 5
    assert [file for file in files if not file.is_file()] == []


@pytest.mark.functional
@pytest.mark.parametrize("name", [name for name, images in LOADED_IMAGES.items() if images])
def test_the_images_that_a_job_builds_are_those_that_its_tier_loads(name: str):
    listed = subprocess.run(
        [ROOT / "images" / "build", "--list", "--tier", name],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "IMAGE_REGISTRY_PREFIX": ""},
    ).stdout.split()

    assert listed == list(LOADED_IMAGES[name])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_registry_prefix_of_the_repository_reaches_every_workflow(name: str):
    """A workflow that is called has the variables of its repository, not of its caller."""
    assert WORKFLOWS[name]["env"]["IMAGE_REGISTRY_PREFIX"] == "${{ vars.IMAGE_REGISTRY_PREFIX }}"


# --- a run that fails or is cancelled


@pytest.mark.parametrize("job", [job_of("e2e-test", "tier"), job_of("ci", "unit")], ids=str)
def test_a_run_that_is_cancelled_goes_on_until_a_later_step_ends_it(job: Job):
    """GitHub signals the step's own process and no other, and kills it 10 s later."""
    run = step_of(job, "Run the tier")["run"].rstrip().splitlines()[-1]
    end = step_of(job, "End a run that was cancelled")

    assert run.startswith("exec .ci/detached .venv/bin/floe-tests run ")
    assert ".ci/detached --end" in end["run"]


@pytest.mark.parametrize("job", [job_of("e2e-test", "tier"), job_of("ci", "unit")], ids=str)
def test_whatever_becomes_of_a_run_its_results_are_kept_and_its_verdict_is_said(job: Job):
    names = [step.get("name") for step in job.steps]
    after = job.steps[names.index("End a run that was cancelled") :]
    assert all(step["if"].startswith("always()") for step in after)
    assert [step["name"] for step in after[-2:]] == ["Say the verdict", "Keep the results"]

    kept = after[-1]
    assert kept["uses"].startswith("actions/upload-artifact@")
    assert kept["if"] == "always()"
    assert kept["with"]["path"].split() == [
        "output/",
        "dagster_home/floe_tests.db*",
        "dagster_home/history/",
    ]
    assert "${{ github.run_attempt }}" in kept["with"]["name"], "a second attempt would collide"


def test_a_cluster_is_reaped_even_when_the_job_was_cancelled():
    job = job_of("e2e-test", "tier")
    names = [step.get("name") for step in job.steps]
    reap = step_of(job, "Remove what is left")

    assert reap["run"] == ".venv/bin/floe-tests reap --yes"
    assert reap["if"] == "always() && steps.setup.outcome == 'success'"
    assert names.index("Run the tier") < names.index("Remove what is left")
    # All of it within the five minutes that GitHub leaves a job that was cancelled.
    limits = [step_of(job, name)["timeout-minutes"] for name in names[-4:-2]]
    assert sum(map(int, limits)) <= 5


# --- the commands


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_program_is_the_projects_or_comes_with_the_runner(script: str):
    for words in commands(script):
        program = Path(words[0])
        if program.parts[:2] == (".venv", "bin"):
            assert (Path(sys.prefix) / "bin" / program.name).exists(), words
        elif len(program.parts) > 1:
            assert os.access(ROOT / program, os.X_OK), words
        else:
            assert words[0] in OF_THE_RUNNER, words
        if words[0] == "make":
            assert set(words[1:]) <= {*TARGETS, "$TARGET"}, words


def test_floe_tests_has_every_command_and_option_that_is_used():
    known = get_command(app).commands
    used: set[str] = set()
    for parameter in SCRIPTS:
        for words in commands(str(parameter.values[0])):
            if ".venv/bin/floe-tests" not in words:
                continue
            name, *arguments = words[words.index(".venv/bin/floe-tests") + 1 :]
            options = {option for each in known[name].params for option in each.opts}
            assert {word for word in arguments if word.startswith("-")} <= options
            used.add(name)

    assert used == {"cancel", "doctor", "reap", "run"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_command_that_fails_inside_a_pipe_fails_its_step(name: str):
    """GitHub's default shell goes without pipefail."""
    assert WORKFLOWS[name]["defaults"]["run"]["shell"] == "bash"
