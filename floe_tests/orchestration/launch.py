"""A job run to its end in this process, as `dg launch --job` and `dagster job execute` run it.

`floe-tests run` starts it as a program of its own: Ctrl-C and a CI's SIGTERM reach Dagster, which
ends the run in order. Both commands of Dagster's are this function; `dg launch` takes no tags, and
`dagster job execute` begins with a warning that it is superseded.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import dagster as dg
import yaml
from dagster._cli.job import (
    click,  # pyright: ignore[reportPrivateImportUsage] - the one that it raises errors of
    job_execute_command_impl,
)

from floe_tests.orchestration.tiers import LOGGER

# What kept the run from beginning, in difference to one that is red.
NOT_BEGUN = 2


def main() -> int:
    """Run a job; the exit code is 0 for success, 1 for a failed run, 2 where there was none."""
    parser = argparse.ArgumentParser(prog="floe-tests run")
    for name in ("module", "source", "job", "config", "tags"):
        parser.add_argument(f"--{name}", required=True)
    wanted = parser.parse_args()
    # Who launches has said which tiers cannot run.
    logging.getLogger(LOGGER).setLevel(logging.ERROR)
    try:
        job_execute_command_impl(
            job_name=wanted.job,
            module_name=wanted.module,
            working_directory=wanted.source,
            config=(wanted.config,),
            tags=wanted.tags,
            config_json=None,
            op_selection=None,
            repository=None,
            partition=None,
            partition_range=None,
        )
    except click.UsageError as error:
        return _not_begun(error.format_message())
    except click.ClickException:
        return 1  # the run said why
    except (dg.DagsterError, yaml.YAMLError, OSError) as error:
        return _not_begun(_words(error))
    return 0


def _not_begun(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return NOT_BEGUN


def _words(error: BaseException) -> str:
    """Return what an error and those below it say, once each."""
    said: list[str] = []
    below: BaseException | None = error
    while below is not None:
        text = "\n".join(line for line in str(below).splitlines() if line.strip())
        said += [text] if text and text not in said else []
        below = below.__cause__
    return "\n".join(said)


if __name__ == "__main__":
    # As for `dagster`: a module in the working folder is found.
    sys.path.insert(0, str(Path.cwd()))
    raise SystemExit(main())
