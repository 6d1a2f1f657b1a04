"""`floe-tests`: the command, and where each of its subcommands lives."""

from __future__ import annotations

import typer

from floe_tests.cli import (
    cancel,
    doctor,
    history,
    import_runs,
    migrate,
    prune,
    reap,
    report,
    run,
    serve,
    status,
    tiers,
    verdict,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Run test pipelines on real Kubernetes, from cluster to verdict.\n\n"
    "`floe-tests tiers` lists what there is; `floe-tests run integration` runs one on this "
    "machine; `FLOE_TESTS_CLUSTER=kind floe-tests run integration` on a kind cluster of its own.",
)

for _name, _command in (
    ("tiers", tiers.tiers),
    ("run", run.run),
    ("verdict", verdict.verdict),
    ("cancel", cancel.cancel),
    ("doctor", doctor.doctor),
    ("reap", reap.reap),
    ("prune", prune.prune),
    ("history", history.history),
    ("status", status.status),
    ("report", report.report),
    ("migrate", migrate.migrate),
    ("serve", serve.serve),
    ("import", import_runs.import_runs),
):
    app.command(name=_name)(_command)
