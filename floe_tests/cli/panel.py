"""How the command line says what is wrong: one panel, on stderr, read once and acted upon."""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from floe_tests.config.broken import BrokenTier
from floe_tests.core.errors import FloeTestsError
from floe_tests.results.cases import legible

# What asked for something that cannot be, in difference to a run that is red.
USAGE = 2

_SHOWN_TIERS = 4
_SHOWN_PROBLEMS = 6
_MOST_LINES = 20
# Around a panel's text.
_FRAME = 4

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def show(message: str, *, title: str, style: str = "red") -> None:
    """Print a panel.

    Args:
        message: What is wrong, with the remedy.
        title: What it is about, in a few words.
        style: Colour of its frame.
    """
    text = legible(message)
    # Beside a terminal nothing is folded: what is searched for stands in one line.
    longest = max((len(line) for line in (*text.splitlines(), title)), default=0)
    width = None if sys.stderr.isatty() else longest + 2 * _FRAME
    console = Console(stderr=True, highlight=False, emoji=False, width=width)
    # No markup: names of files and of what is in them are part of it.
    body = Group(*(_line(each) for each in text.splitlines()))
    console.print(Panel(body, title=Text(title), border_style=style, expand=False))


def _line(text: str) -> RenderableType:
    """Return a line of a panel, whose indent holds where it is folded."""
    inner = text.lstrip(" ")
    return Padding(Text(inner), (0, 0, 0, len(text) - len(inner)))


def fail(message: str, *, title: str = "error") -> NoReturn:
    """Say what is wrong and end with exit code 2, which is not that of a red run."""
    show(message, title=title)
    raise typer.Exit(USAGE)


def show_broken(tiers: Sequence[BrokenTier], root: Path, *, all_of_them: bool = False) -> None:
    """Say which tiers cannot run, and why.

    Args:
        tiers: Those that cannot; nothing is said where there are none.
        root: The project's folder.
        all_of_them: Whether to say all that is wrong, or only the first.
    """
    if not tiers:
        return
    shown = tiers if all_of_them else tiers[:_SHOWN_TIERS]
    blocks = [_block(each, root, all_of_it=all_of_them) for each in shown]
    if len(shown) < len(tiers):
        blocks.append(f"and {len(tiers) - len(shown)} more tiers: floe-tests check")
    count = "1 tier" if len(tiers) == 1 else f"{len(tiers)} tiers"
    show("\n".join(blocks), title=f"{count} cannot run", style="red" if all_of_them else "yellow")


def _block(tier: BrokenTier, root: Path, *, all_of_it: bool) -> str:
    lines = tier.text(root).splitlines()
    shown = lines if all_of_it else lines[: _SHOWN_PROBLEMS + 1]
    more = len(lines) - len(shown)
    return "\n".join([*shown, *([f"  and {more} more: floe-tests check"] if more else [])])


def guarded(
    command: Callable[_Arguments, _Result], *, then: Callable[[], None] | None = None
) -> Callable[_Arguments, _Result]:
    """Let a command end with a panel, and no traceback, for all that its user can cause.

    Args:
        command: The command.
        then: What to do after it, unless it could not do what it was asked for.
    """

    @functools.wraps(command)
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            result = command(*args, **kwargs)
        except typer.Exit as end:
            if then is not None and end.exit_code != USAGE:
                then()
            raise
        except BrokenPipeError:
            raise  # click's: who reads has gone
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            message = words_of(error)
            if message is None:
                raise
            fail(message)
        if then is not None:
            then()
        return result

    return run


def words_of(error: Exception) -> str | None:
    """Return what an error is to who uses the command; None where it is the command's own bug."""
    if isinstance(error, FloeTestsError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}. {_remedy_of(error)}"
    package = type(error).__module__.partition(".")[0]
    if package == "sqlalchemy":
        first = str(error).splitlines()[0]
        return (
            f"a database does not answer: {first}. Look at FLOE_TESTS_HISTORY and at dagster.yaml "
            "in DAGSTER_HOME; `floe-tests doctor` says more."
        )
    if package in {"dagster", "dagster_shared", "yaml"}:
        return f"{shortened(str(error))}\nLook at dagster.yaml in DAGSTER_HOME."
    return None


def _remedy_of(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Make room: `floe-tests prune` lists old runs, and --yes removes them."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return (
            "Give this user the right to it, or choose another folder with FLOE_TESTS_OUTPUT "
            "(results) or DAGSTER_HOME (state)."
        )
    return "`floe-tests doctor` looks at the machine."


def shortened(text: str) -> str:
    """Return Dagster's words on a wrong configuration without its whole schema."""
    lines = [line.partition(" Expected: ")[0] for line in text.splitlines() if line.strip()]
    return "\n".join(lines[:_MOST_LINES])
