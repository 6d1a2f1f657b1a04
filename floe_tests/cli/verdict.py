"""`floe-tests verdict`: what the newest run of a tier came to."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from floe_tests.cli.common import complain, fail, workspace_of
from floe_tests.cli.ui import HOST, PORT
from floe_tests.core.errors import FloeTestsError, first_line
from floe_tests.results.cases import legible
from floe_tests.results.records import UNKNOWN_COUNT

if TYPE_CHECKING:
    from floe_tests.pipeline.summary import Summary

_SHOWN_FAILURES = 20
_SHOWN_NOTICES = 10
_MOST_CHARACTERS = 500
_COMMAND = re.compile(r"More\b[^`]{0,80}`[^`]{0,2000}`")
# The last word of a text that was cut may have lost its end.
_LAST_WORD = re.compile(r"\s+\S*\Z")


def verdict(
    tier: Annotated[str, typer.Argument(help="Name of the tier.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a panel.")] = False,
) -> None:
    """Show the verdict of the newest run of a tier again."""
    from pydantic import TypeAdapter, ValidationError

    from floe_tests.config.project import VERDICT
    from floe_tests.pipeline.files import torn
    from floe_tests.pipeline.summary import Summary

    try:
        path = workspace_of(os.environ).newest(tier) / VERDICT
    except FloeTestsError as error:
        fail(str(error))
    try:
        content = path.read_bytes()
        summary = TypeAdapter(Summary).validate_json(content)
    except FileNotFoundError:
        fail(f"no run of {tier} has ended yet: {path} is missing. `floe-tests run {tier}` runs it.")
    except (OSError, ValidationError) as error:
        fail(
            f"{path} cannot be read ({first_line(error)}). `floe-tests run {tier}` writes it anew."
        )
    if as_json:
        typer.echo(content)
    else:
        print_summary(summary)
    for line in torn(path, summary):
        complain(line)


def _tests(summary: Summary) -> str:
    """Return how many tests reported, of how many where some did not."""
    if summary.known is None or summary.known <= summary.tests:
        return f"{summary.tests} tests"
    return f"{summary.tests:,} of {summary.known:,} tests"


def _bounded(text: str) -> str:
    """Return what a panel shows of a text: whole words, and its last line whole if a command."""
    text = legible(text)
    if len(text) <= _MOST_CHARACTERS:
        return text
    told, _, last = text.rpartition("\n")
    # Half a command is of no use: pasted, it names another object.
    command = f"\n{last}" if told and _COMMAND.fullmatch(last) else ""
    begin = told if command else text
    if len(begin) > _MOST_CHARACTERS:
        begin = f"{_LAST_WORD.sub('', begin[:_MOST_CHARACTERS])} …"
    return f"{begin}{command}"


def _not_run(summary: Summary) -> list[str]:
    """Return what to say of the tests that did not run."""
    missing = (summary.known or 0) - summary.tests
    lines = (
        [f"  did not run: {missing:,} test{'s'[: missing > 1]} that the history knows"]
        if missing > 0
        else []
    )
    if summary.running:
        lines.append(f"  running at the end: {_bounded(', '.join(summary.running))}")
    return lines


def print_summary(summary: Summary) -> None:
    """Print what a run came to, with its evidence and where its files are."""
    passed = summary.cause == "PASS"
    lines = [
        summary.cause
        + ("" if passed else f"  (fault: {summary.fault})")
        + (f"  suite {summary.suite}" if summary.suite else ""),
        (
            f"{_tests(summary)}: {summary.passed} passed, {summary.failed} failed"
            + (f" ({summary.quarantined} in quarantine)" if summary.quarantined else "")
            + f", {summary.skipped} skipped, in {summary.seconds:.0f} s on {summary.provider}"
            + (f"; {UNKNOWN_COUNT}" if summary.uncounted else "")
        ),
    ]
    lines += _not_run(summary)
    shown = Console(highlight=False, emoji=False)
    if not passed:
        lines += [f"  {_bounded(str(item))}" for item in summary.evidence[:_SHOWN_FAILURES]]
        lines.append(legible(summary.remedy))
        lines += [f"  also red: {_bounded(each)}" for each in summary.also_red]
    if any(attempt.number > 1 for attempt in summary.attempts):
        lines += [
            f"  {each.suite}, attempt {each.number}: {_bounded(each.verdict)}"
            for each in summary.attempts
        ]
    lines += [f"  not selected: suite {name}" for name in summary.not_selected]
    lines += [f"  note: {_bounded(text)}" for text in summary.notices[:_SHOWN_NOTICES]]
    lines += [
        "",
        f"JUnit    {summary.junit}",
        *([f"history  {summary.report}"] if summary.report else []),
        *(f"{page.stem:<8} {page}" for page in summary.pages),
        f"files    {summary.junit.parent / 'runs' / summary.run_id}",
        f"Dagster  http://{HOST}:{PORT}/runs/{summary.run_id}",
        "         by `floe-tests ui`",
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
