"""`floe-tests`: the command, and where each of its subcommands lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from floe_tests.cli import (
    cancel,
    check,
    doctor,
    explain,
    history,
    import_runs,
    init,
    migrate,
    prune,
    reap,
    report,
    run,
    serve,
    status,
    tiers,
    ui,
    verdict,
)
from floe_tests.cli.common import mention_broken_tiers
from floe_tests.cli.panel import guarded
from floe_tests.core.version import __version__


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - an option's callback
    if wanted:
        typer.echo(f"floe-tests {__version__}")
        raise typer.Exit


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Run test pipelines on real Kubernetes, from cluster to verdict.\n\n"
    "`floe-tests tiers` lists what there is; `floe-tests run integration` runs one on this "
    "machine; `FLOE_TESTS_CLUSTER=kind floe-tests run integration` on a kind cluster of its own.",
)


@app.callback()
def main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take what stands before a command."""
    del version


# Those that need a project's tiers say themselves which cannot run.
_OF_TIERS: dict[str, Callable[..., None]] = {
    "tiers": tiers.tiers,
    "run": run.run,
    "check": check.check,
    "doctor": doctor.doctor,
    "reap": reap.reap,
    "prune": prune.prune,
    "ui": ui.ui,
}
_OTHERS: dict[str, Callable[..., None]] = {
    "verdict": verdict.verdict,
    "cancel": cancel.cancel,
    "history": history.history,
    "status": status.status,
    "report": report.report,
    "migrate": migrate.migrate,
    "explain": explain.explain,
    "serve": serve.serve,
    "import": import_runs.import_runs,
}
app.command(name="init")(guarded(init.init))
for _name, _command in _OF_TIERS.items():
    app.command(name=_name)(guarded(_command))
for _name, _command in _OTHERS.items():
    app.command(name=_name)(guarded(_command, then=mention_broken_tiers))
