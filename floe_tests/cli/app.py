"""`floe-tests`: a tier from a terminal, with its verdict in words instead of an event log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn, get_args

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from floe_tests.config.project import Workspace
from floe_tests.config.tier import EnvironmentName, Keep, TierSettings
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.core.labels import COMMIT, REF, TRIGGER
from floe_tests.results.cases import legible
from floe_tests.results.records import UNKNOWN_COUNT

if TYPE_CHECKING:
    from floe_tests.pipeline.publish import Summary

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Run test pipelines on real Kubernetes, from cluster to verdict.\n\n"
    "`floe-tests tiers` lists what there is; `floe-tests run integration` runs one on this "
    "machine; `FLOE_TESTS_CLUSTER=kind floe-tests run integration` on a kind cluster of its own.",
)

_ROOT = Path(__file__).resolve().parents[2]
_MODULE = "floe_tests.definitions"
# Dagster's own log line: time, logger, level, job, run, (process,) step, message.
_LINE = re.compile(
    r"^\S+ (?P<time>\S+) \S+ - dagster - (?P<level>\w+) - (?P<where>.+?) - "
    r"(?P<run>[0-9a-f-]{36}) - (?:\d+ - )?(?:(?P<step>[\w-]+__\w+) - )?(?P<message>.*)$"
)
_EVENT = re.compile(r"^[A-Z_]{4,} - ")
_SHOWN_FAILURES = 20
_SHOWN_NOTICES = 10


@app.command()
def tiers() -> None:
    """List the tiers of this project, where each runs and within which budget."""
    table = Table(box=None, pad_edge=False)
    for title in ("tier", "runs on", "budget", "what it proves"):
        table.add_column(title, overflow="fold")
    for settings in _tiers(_ROOT):
        budget = f"{settings.budget.memory}, {settings.budget.minutes:g} min"
        table.add_row(settings.name, ", ".join(settings.environments), budget, settings.description)
    Console().print(table)


@app.command()
def run(  # noqa: PLR0913 - one a choice of the run
    tier: Annotated[str, typer.Argument(help="Name of the tier, such as `integration`.")],
    *,
    environment: Annotated[
        str | None,
        typer.Option("--environment", "-e", help="`local`, `kind` or `context`."),
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

    The exit code is the gate: 0 on PASS, 1 on anything else.
    """
    _check_choices(tier, environment=environment, keep=keep)
    config = _run_config(
        tier,
        {
            "environment": environment,
            "keep": keep,
            "groups": group,
            "excluded_groups": exclude_group,
            "variables": _variables(variable or []),
        },
    )
    variables = {"DAGSTER_HOME": str(_ROOT / "dagster_home"), **os.environ}
    command = ["dagster", "job", "execute", "-m", _MODULE, "-j", tier.replace("-", "_")]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(config))
        file.flush()
        command += ["-c", file.name, "--tags", json.dumps(_launch_tags(variables))]
        code, run_id = _execute(command, variables, verbose=verbose)
    if run_id is None:
        raise typer.Exit(code or 1)
    _show_verdict(run_id, variables)
    raise typer.Exit(code)


def _check_choices(tier: str, *, environment: str | None, keep: str | None) -> None:
    """Refuse a tier or a choice that there is not, before Dagster is started."""
    names = [one.name for one in _tiers(_ROOT)]
    if tier not in {*names, *(name.replace("-", "_") for name in names)}:
        _fail(f"there is no tier {tier}. There are: {', '.join(names)}.")
    for option, value, allowed in (
        ("--environment", environment, get_args(EnvironmentName)),
        ("--keep", keep, get_args(Keep)),
    ):
        if value is not None and value not in allowed:
            _fail(f"{option} {value}: choose one of {', '.join(allowed)}.")


def _tiers(root: Path) -> tuple[TierSettings, ...]:
    """Return the tiers of the project, or end with what is wrong with them."""
    from floe_tests.config.loader import load_tiers

    try:
        return load_tiers(root)
    except FloeTestsError as error:
        _fail(str(error))


@app.command()
def verdict(tier: Annotated[str, typer.Argument(help="Name of the tier.")]) -> None:
    """Show the verdict of the newest run of a tier again."""
    from pydantic import TypeAdapter, ValidationError

    from floe_tests.config.project import VERDICT
    from floe_tests.pipeline.publish import Summary, torn

    try:
        path = _workspace(os.environ).newest(tier) / VERDICT
    except FloeTestsError as error:
        _fail(str(error))
    try:
        summary = TypeAdapter(Summary).validate_json(path.read_bytes())
    except FileNotFoundError:
        _fail(
            f"no run of {tier} has ended yet: {path} is missing. `floe-tests run {tier}` runs it."
        )
    except (OSError, ValidationError) as error:
        _fail(
            f"{path} cannot be read ({first_line(error)}). `floe-tests run {tier}` writes it anew."
        )
    _print_summary(summary)
    for line in torn(path, summary):
        _complain(line)


@app.command()
def cancel(
    *,
    ref: Annotated[
        str | None, typer.Option(help="Cancel the runs on this ref, such as `main`.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="Only the runs of this tier.")] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="The run, or how its id begins.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the verdict.")] = None,
    deadline: Annotated[float, typer.Option(help="How long to wait for their end, in s.")] = 60,
) -> None:
    """Cancel runs in progress, and wait until they have given their environments back.

    Exit code 0 when all are over, or when there are none; 1 when one is not.
    """
    from floe_tests.cli.cancel import cancel_runs

    if ref is None and tier is None and run_id is None:
        _fail("cancel which runs? Give --ref, --tier or --run.")
    ended = cancel_runs(
        _workspace({"DAGSTER_HOME": str(_ROOT / "dagster_home"), **os.environ}),
        ref=ref,
        tier=tier,
        run_id=run_id,
        reason=reason,
        deadline_seconds=deadline,
        log=partial(Console(highlight=False, soft_wrap=True).print, markup=False),
    )
    raise typer.Exit(0 if ended else 1)


@app.command()
def doctor(
    tier: Annotated[str | None, typer.Argument(help="Name of the tier; all, without one.")] = None,
    *,
    environment: Annotated[
        str | None,
        typer.Option("--environment", "-e", help="`local`, `kind` or `context`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Look at all that a tier needs, and say what to do about what is missing.

    Exit code 1 when a run would fail, 0 with warnings alone.
    """
    from floe_tests.config.project import environment_named
    from floe_tests.doctor import page
    from floe_tests.doctor.examination import examine

    try:
        wanted = environment_named(environment or "", source="--environment")
    except FloeTestsError as error:
        _fail(str(error))
    known = _tiers(_ROOT)
    tiers = [one for one in known if tier in {None, one.name}]
    if tier is None and wanted is not None:
        tiers = [one for one in tiers if wanted in one.environments]
    if not tiers:
        _fail(f"there is no tier {tier}. There are: {', '.join(one.name for one in known)}.")
    checks = examine(
        tiers, environment=wanted, workspace=_workspace(os.environ), environ=os.environ
    )
    if as_json:
        typer.echo(page.as_json(checks))
    else:
        page.show(checks, Console(highlight=False, width=None if sys.stdout.isatty() else 160))
    raise typer.Exit(1 if page.has_failed(checks) else 0)


@app.command()
def reap(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without, only list it.")] = False,
    kubeconfig: Annotated[str | None, typer.Option(help="Look into its cluster too.")] = None,
    context: Annotated[str | None, typer.Option(help="Look into this context too.")] = None,
    in_cluster: Annotated[
        bool, typer.Option("--in-cluster", help="Look into the cluster around this pod too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what killed and expired runs have left, here and in clusters; `--yes` removes it.

    Only what a run is proved to have created is removed. Labels alone prove nothing: anything with
    labels and no proof is listed, with the command that removes it by hand. The exit code is 1 if
    anything stays that should have gone.
    """
    from floe_tests.cleanup.plan import Scope
    from floe_tests.cleanup.reaper import plan
    from floe_tests.cleanup.reaper import reap as remove
    from floe_tests.config.loader import platforms_of
    from floe_tests.environments.ownership import platform_namespaces
    from floe_tests.kube.access import ClusterAccess
    from floe_tests.pipeline.orphaned_run import remember_killed
    from floe_tests.pipeline.run import ledger_of
    from floe_tests.report import leftovers

    workspace = _workspace(os.environ)
    named = [ClusterAccess(kubeconfig, context)] if kubeconfig or context else []
    if in_cluster and "KUBERNETES_SERVICE_HOST" not in os.environ:
        _fail("--in-cluster: this is no pod. Name a context with --context.")
    clusters = (*named, *([ClusterAccess()] if in_cluster else []))
    tiers = _tiers(workspace.root)
    platforms = platforms_of(tiers, clusters) if clusters else ()
    scope = Scope(ledger_of(workspace), clusters, platforms, protected=platform_namespaces(tiers))
    console, progress = Console(highlight=False), Console(stderr=True, highlight=False)
    if yes:
        found = remove(
            scope,
            log=lambda line: progress.print(line, markup=False),
            on_killed=partial(remember_killed, workspace),
        )
        failed = bool(found.remaining or found.problems)
    else:
        found = plan(scope)
        failed = bool(found.problems)
    if as_json:
        typer.echo(leftovers.as_text(found))
    else:
        leftovers.show(found, console)
    raise typer.Exit(int(failed))


@app.command()
def history(  # noqa: PLR0913 - one a flag
    *,
    test: Annotated[
        str | None, typer.Option(help="What one test did in each run: its name, as in JUnit.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="Only this tier.")] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", help="Only runs on it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only runs since: `12h`, `7d`, `2w` or a date.")
    ] = None,
    show: Annotated[
        str,
        typer.Option(
            help="Tests that are `noteworthy`, `failing`, `newly-failing`, `flaky`, `slowest`, "
            "`new`, `never-run`, `gone`; or what was measured: `measurements`, `soak`."
        ),
    ] = "noteworthy",
    ref: Annotated[
        str | None, typer.Option(help="The branch or tag; the default branch without.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How many of the newest runs.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Ask the history of all runs: what fails, since when, what is flaky, slow or never runs."""
    from floe_tests.cli import history as asked
    from floe_tests.cli import measured
    from floe_tests.results.history.analysis import Question, read_accounts
    from floe_tests.results.history.store import History

    workspace = _workspace(os.environ)
    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 200)
    try:
        view = measured.view_named(show) if test is None else None
        choice = asked.show_named("noteworthy" if view else show)
        question = Question(
            tier=tier,
            provider=environment,
            since=asked.time_of(since, now=datetime.now(UTC)) if since else None,
            runs=runs,
            ref=ref,
            default_branch=workspace.default_branch,
        )
        with History.open_to_read(workspace.history_url) as opened:
            asked.require_known(opened, question)
            if test is not None:
                found = asked.runs_of_test(opened, test, question)
                if as_json:
                    typer.echo(asked.runs_as_json(found))
                else:
                    asked.print_runs(test, found, console)
                return
            if view is not None:
                numbers = measured.seen(opened, question, view)
                if as_json:
                    typer.echo(measured.as_text(numbers))
                else:
                    measured.show(numbers, view, console)
                return
            accounts = read_accounts(opened, question)
    except FloeTestsError as error:
        _fail(str(error))
    if as_json:
        typer.echo(asked.accounts_as_json(accounts, choice))
    else:
        asked.print_accounts(accounts, choice, console)


@app.command()
def report(
    *,
    tier: Annotated[str | None, typer.Option(help="Only this tier.")] = None,
    ref: Annotated[
        str | None, typer.Option(help="The branch or tag; the default branch without.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How many of the newest runs.")] = 200,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write each tier's history as a page: tests by runs, one HTML file without network."""
    from floe_tests.report import grid
    from floe_tests.results.history.analysis import Question, read_accounts
    from floe_tests.results.history.store import History

    workspace = _workspace(os.environ)
    question = Question(tier=tier, runs=runs, ref=ref, default_branch=workspace.default_branch)
    try:
        with History.open_to_read(workspace.history_url) as opened:
            accounts = read_accounts(opened, question, with_texts=True)
        names = sorted({account.grid.tier for account in accounts})
        if not names:
            which = f"{f' of {tier}' if tier else ''}{f' on {ref}' if ref else ''}"
            _fail(f"the history has no run{which}: nothing to show.")
        for name in names:
            path = workspace.newest(name) / grid.NAME
            grid.write(path, [account for account in accounts if account.grid.tier == name])
            typer.echo(path)
            if open_it:
                typer.launch(str(path))
    except FloeTestsError as error:
        _fail(str(error))
    except OSError as error:
        _fail(
            f"{error.filename}: the page cannot be written: {error.strerror}. Set "
            "FLOE_TESTS_OUTPUT to a folder that can be."
        )


@app.command()
def migrate() -> None:
    """Bring the history to the schema of this version; one that has it is left alone."""
    from floe_tests.results.history.store import History

    try:
        with History.open(_workspace(os.environ).history_url) as opened:
            typer.echo(f"{opened.name} has the schema of this version")
    except FloeTestsError as error:
        _fail(str(error))


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 3001,
    path: Annotated[
        str, typer.Option(help="Where on its host the site begins, such as `/reports`.")
    ] = "/",
) -> None:
    """Show the results of all runs in a browser: reports, JUnit, what pods sent. Read-only.

    Set FLOE_TESTS_OUTPUT_URL to its address, and the assets in Dagster link to it. It asks nobody
    who they are: put what does in front of it before others can reach it.
    """
    from floe_tests.report.server import serve as run_server

    try:
        output = _workspace(os.environ).output
        run_server(output, host=host, port=port, path=path, say=typer.echo)
    except FloeTestsError as error:
        _fail(str(error))


@app.command(name="import")
def import_runs(  # noqa: PLR0913 - one a flag
    files: Annotated[
        list[Path], typer.Argument(help="Bundles of runs, JUnit files, folders of them.")
    ],
    *,
    tier: Annotated[str | None, typer.Option(help="The tier of a JUnit file.")] = None,
    suite: Annotated[str | None, typer.Option(help="Its suite; the tier's name without.")] = None,
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="What a JUnit file's run was on.")
    ] = "imported",
    ref: Annotated[str | None, typer.Option(help="Branch or tag of a JUnit file.")] = None,
    commit: Annotated[str | None, typer.Option(help="Commit of a JUnit file.")] = None,
    at: Annotated[
        str | None, typer.Option(help="When it began; without, what the file says.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Let a file take the place of a run that is there already."),
    ] = False,
) -> None:
    """Add runs that were made elsewhere to the history.

    A run writes `bundle.json.gz` beside its JUnit file, which says all of itself. Importing the
    same file again changes nothing. A file that cannot be used stops none behind it; the exit code
    is 2 then.
    """
    from floe_tests.cli import history as asked
    from floe_tests.results.history.importing import Origin
    from floe_tests.results.history.store import History

    failed = False
    try:
        began = asked.time_of(at, now=datetime.now(UTC)) if at else None
        origin = (
            Origin(
                tier=tier,
                provider=environment,
                suite=suite,
                ref=ref,
                commit=commit,
                started_at=began,
            )
            if tier
            else None
        )
        with History.open(_workspace(os.environ).history_url) as opened:
            for found in asked.import_files(opened, files, origin, replaces=replace):
                if isinstance(found, asked.NotImported):
                    failed = True
                    _complain(str(found.error))
                else:
                    typer.echo(asked.imported_line(found))
    except FloeTestsError as error:
        _fail(str(error))
    if failed:
        raise typer.Exit(2)


def _execute(
    command: list[str], variables: dict[str, str], *, verbose: bool
) -> tuple[int, str | None]:
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    program = Path(sys.executable).with_name(command[0])
    process = subprocess.Popen(  # noqa: S603 - a list of words
        [str(program), *command[1:]],
        cwd=_ROOT,
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
    known = False
    for line in process.stdout or ():
        match = _LINE.match(line.rstrip("\n"))
        run_id = match["run"] if match else run_id
        known = known or match is not None
        if verbose or not known:
            console.print(legible(line.rstrip("\n")), markup=False)
        elif match and match["level"] != "DEBUG" and not _EVENT.match(match["message"]):
            stage = (match["step"] or "").rpartition("__")[2]
            message = legible(match["message"])
            console.print(f"{match['time']} {stage:<9} {message}", markup=False)
    return process.wait(), run_id


def _show_verdict(run_id: str, variables: dict[str, str]) -> None:
    from floe_tests.pipeline.publish import PUBLISHED, Summary
    from floe_tests.pipeline.run import ledger_of

    summary = ledger_of(_workspace(variables)).read(run_id, PUBLISHED, Summary)
    if summary is None:
        _fail(f"run {run_id} ended without a verdict: see its log with --verbose.")
    _print_summary(summary)


def _print_summary(summary: Summary) -> None:
    passed = summary.cause == "PASS"
    lines = [
        summary.cause + ("" if passed else f"  (fault: {summary.fault})"),
        (
            f"{summary.tests} tests: {summary.passed} passed, {summary.failed} failed"
            + (f" ({summary.quarantined} in quarantine)" if summary.quarantined else "")
            + f", {summary.skipped} skipped, in {summary.seconds:.0f} s on {summary.provider}"
            + (f"; {UNKNOWN_COUNT}" if summary.uncounted else "")
        ),
    ]
    shown = Console(highlight=False, emoji=False)
    if not passed:
        lines += [f"  {legible(str(item))[:500]}" for item in summary.evidence[:_SHOWN_FAILURES]]
        lines.append(legible(summary.remedy))
    if any(attempt.number > 1 for attempt in summary.attempts):
        lines += [
            f"  {each.suite}, attempt {each.number}: {legible(each.verdict)[:500]}"
            for each in summary.attempts
        ]
    lines += [f"  not selected: suite {name}" for name in summary.left_out]
    lines += [f"  note: {legible(text)[:500]}" for text in summary.notices[:_SHOWN_NOTICES]]
    lines += [
        "",
        f"JUnit    {summary.junit}",
        *([f"history  {summary.report}"] if summary.report else []),
        *(f"{page.stem:<8} {page}" for page in summary.pages),
        f"files    {summary.junit.parent / 'runs' / summary.run_id}",
        "Dagster  make ui   (then http://127.0.0.1:3000)",
    ]
    # No markup: names and messages are whatever a test made of them.
    body = Text("\n".join(lines))
    body.stylize("bold", 0, len(summary.cause))
    shown.print(
        Panel(
            body,
            title=Text(legible(f"{summary.tier} · {summary.run_id[:8]}")),
            border_style="green" if passed else "red",
            expand=False,
        )
    )


def _variables(assignments: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in assignments]
    wrong = [name for name, sign, _ in pairs if not sign]
    if wrong:
        _fail(f"--variable {wrong[0]}: write NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _run_config(tier: str, chosen: Mapping[str, object]) -> dict[str, object]:
    config = {key: value for key, value in chosen.items() if value}
    return {"ops": {f"{tier.replace('-', '_')}__cluster": {"config": config}}} if config else {}


def _launch_tags(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what is under test, so that the run can be found by it from its first second."""
    workspace = _workspace(variables)
    return {REF: workspace.ref, COMMIT: workspace.commit, TRIGGER: workspace.trigger}


def _workspace(variables: Mapping[str, str]) -> Workspace:
    try:
        return Workspace.from_environment(_ROOT, variables)
    except FloeTestsError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    _complain(message)
    raise typer.Exit(2)


def _complain(message: str) -> None:
    # Names of files and of what is in them are part of it.
    Console(stderr=True, highlight=False, soft_wrap=True).print(legible(message), markup=False)
