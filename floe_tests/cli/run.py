"""`floe-tests run`: a tier as a Dagster job, with its verdict in words instead of an event log."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated, get_args

import typer
from rich.console import Console

from floe_tests.cli.common import (
    current_project,
    fail,
    mention_broken_tiers,
    tier_named,
    workspace_of,
)
from floe_tests.cli.panel import shortened
from floe_tests.cli.verdict import print_summary
from floe_tests.config.choices import variables_of
from floe_tests.config.environment import Keep
from floe_tests.config.project import Workspace, output_of
from floe_tests.config.providers import environment_names, environments_text
from floe_tests.config.selection import Selection
from floe_tests.config.tier import TierSettings
from floe_tests.config.wording import meant
from floe_tests.core.labels import COMMIT, REF, TRIGGER
from floe_tests.core.names import is_name
from floe_tests.pipeline.refused_run import put_refusal
from floe_tests.results.cases import legible

# Dagster's own log line: time, logger, level, job, run, (process,) step, message.
_LINE = re.compile(
    r"^\S+ (?P<time>\S+) \S+ - dagster - (?P<level>\w+) - (?P<where>.+?) - "
    r"(?P<run>[0-9a-f-]{36}) - (?:\d+ - )?(?:(?P<step>[\w-]+__\w+) - )?(?P<message>.*)$"
)
_LAST_LINES = 20
_EVENT = re.compile(r"^[A-Z_]{4,} - ")
# Of the stages behind a red one Dagster says that they are not run, `released` among them: the
# environment is given back all the same.
_NOT_RUN = re.compile(r"Dependencies for step .*Not executing\.$", re.DOTALL)


def run(  # noqa: PLR0913 - one a choice of the run
    tier: Annotated[str, typer.Argument(help="Name of the tier, such as `integration`.")],
    *,
    environment: Annotated[
        str | None,
        typer.Option("--environment", "-e", help=f"{environments_text()}."),
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="Keep the environment: `never`, `on_failure`, `always`.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", "-g", help="Only tests with this marker.")
    ] = None,
    exclude_group: Annotated[
        list[str] | None, typer.Option("--exclude-group", help="No tests with this marker.")
    ] = None,
    variable: Annotated[
        list[str] | None,
        typer.Option("--variable", "-v", help="NAME=VALUE for the tests, over the tier's own."),
    ] = None,
    verbose: Annotated[bool, typer.Option(help="Show Dagster's whole event log.")] = False,
) -> None:
    """Run a tier as a Dagster job, show its progress, and end with its verdict.

    The exit code is the gate: 0 on PASS, 1 on anything else, 2 where nothing was begun.
    """
    project = current_project()
    variables = {"DAGSTER_HOME": str(project.root / "dagster_home"), **os.environ}
    with _no_stale_results(output_of(project.root, variables), tier):
        settings = tier_named(tier, project.root)
        workspace = workspace_of(variables)
    chosen = _variables(variable or [])
    selection = Selection(tuple(group or ()), tuple(exclude_group or ()), chosen)
    _check_choices(settings, workspace, environment=environment, keep=keep)
    variables_of(selection, settings, project.root)
    _require_folders(workspace, variables)
    mention_broken_tiers()
    config = _run_config(
        settings.name,
        {
            "environment": environment,
            "keep": keep,
            "groups": group,
            "excluded_groups": exclude_group,
            "variables": chosen,
        },
    )
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(config))
        file.flush()
        command = [
            *(sys.executable, "-m", "floe_tests.orchestration.launch"),
            *("--module", project.definitions_module, "--source", str(project.source)),
            *("--job", settings.name.replace("-", "_"), "--config", file.name),
            *("--tags", json.dumps(_launch_tags(workspace))),
        ]
        code, run_id = _execute(command, variables, verbose=verbose)
    if run_id is None:
        raise typer.Exit(code or 1)
    _show_verdict(run_id, workspace)
    raise typer.Exit(code)


@contextlib.contextmanager
def _no_stale_results(output: Path, tier: str) -> Generator[None]:
    """Have a tier that cannot run, or not in this environment, leave no green of a run before."""
    try:
        yield
    except typer.Exit:
        if is_name("tier", tier) and (output / tier).is_dir():
            put_refusal(output, tier, "What was wrong is in the output of `floe-tests run`.")
        raise


def _check_choices(
    tier: TierSettings, workspace: Workspace, *, environment: str | None, keep: str | None
) -> None:
    """Refuse what a tier does not have, before Dagster is started."""
    chosen = environment or workspace.environment
    option = "--environment" if environment else "FLOE_TESTS_CLUSTER"
    for name, value, allowed in (
        (option, environment, environment_names()),
        (option, chosen, tier.environments),
        ("--keep", keep, get_args(Keep)),
    ):
        if value is not None and value not in allowed:
            where = f" tier {tier.name} does not run there." if allowed is tier.environments else ""
            fail(
                f"{name} {value}:{where}{meant(value, allowed)} Choose one of {', '.join(allowed)}."
            )


def _require_folders(workspace: Workspace, variables: Mapping[str, str]) -> None:
    """Make the folders of a run, and refuse those and a history that it could not write to."""
    from floe_tests.doctor import machine

    for name, folder in (("DAGSTER_HOME", workspace.home), ("FLOE_TESTS_OUTPUT", workspace.output)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            fail(
                f"{folder} cannot be written: {error.strerror}. Make room or change its "
                f"permissions, or choose another folder with {name}."
            )
    checks = (machine.check_home(workspace, variables), machine.check_history(workspace))
    failed = [check for check in checks if check.state == "failed"]
    if failed:
        fail("\n".join(f"{check.name}: {check.found}\n  {check.remedy}" for check in failed))


def _execute(
    command: list[str], variables: dict[str, str], *, verbose: bool
) -> tuple[int, str | None]:
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    process = subprocess.Popen(  # noqa: S603 - a list of words
        command,
        cwd=current_project().root,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    # Ctrl-C reaches the job as well, which gives its environment back; this waits for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def hand_on(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    signal.signal(signal.SIGTERM, hand_on)
    run_id: str | None = None
    # What Dagster says before the run begins is of interest where none begins.
    before: list[str] = []
    for line in process.stdout or ():
        match = _LINE.match(line.rstrip("\n"))
        run_id = match["run"] if match else run_id
        if verbose:
            console.print(legible(line.rstrip("\n")), markup=False)
        elif run_id is None:
            before.append(line.rstrip("\n"))
        elif match and match["level"] != "DEBUG" and not _is_dagsters(match["message"]):
            stage = (match["step"] or "").rpartition("__")[2]
            message = legible(match["message"])
            console.print(f"{match['time']} {stage:<9} {message}", markup=False)
    code = process.wait()
    if run_id is None and before:
        said = shortened("\n".join(before[-_LAST_LINES:]))
        fail(f"the run did not begin:\n{said}")
    return code, run_id


def _is_dagsters(message: str) -> bool:
    """Whether a line is of Dagster's own books, and tells nothing of the run."""
    return bool(_EVENT.match(message) or _NOT_RUN.match(message))


def _show_verdict(run_id: str, workspace: Workspace) -> None:
    from floe_tests.pipeline.entries import entries_of

    entries = entries_of(workspace, run_id)
    lease = entries.lease()
    if lease is not None and lease.state == "released":
        typer.echo("The environment was given back.")
    elif lease is not None and lease.state != "kept":
        typer.echo("The environment was not given back: `floe-tests reap` does.")
    summary = entries.summary()
    if summary is None:
        fail(f"run {run_id} ended without a verdict: see its log with --verbose.")
    print_summary(summary)


def _variables(assignments: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in assignments]
    wrong = [name for name, sign, _ in pairs if not sign]
    if wrong:
        fail(f"--variable {wrong[0]}: write NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _run_config(tier: str, chosen: Mapping[str, object]) -> dict[str, object]:
    config = {key: value for key, value in chosen.items() if value}
    return {"ops": {f"{tier.replace('-', '_')}__cluster": {"config": config}}} if config else {}


def _launch_tags(workspace: Workspace) -> dict[str, str]:
    """Return what is under test, so that the run can be found by it from its first second."""
    return {REF: workspace.ref, COMMIT: workspace.commit, TRIGGER: workspace.trigger}
