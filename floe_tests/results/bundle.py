"""A run as one file, to carry it from the machine that ran it into another history.

A CI's runner and its disk are gone after the job. What it uploads is this file, and `floe-tests
import` adds it elsewhere: gzipped JSON of a `RunRecord` with its cases.
"""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from floe_tests.errors import ConfigurationError
from floe_tests.results.cases import Tally
from floe_tests.results.records import RunRecord

NAME = "bundle.json.gz"
MAGIC = b"\x1f\x8b"

_LIMIT_BYTES = 512 * 1024 * 1024


class _Bundle(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["floe-tests-run"] = "floe-tests-run"
    version: Literal[1] = 1
    run: RunRecord


_ADAPTER = TypeAdapter(_Bundle)


def write(path: Path, run: RunRecord) -> None:
    """Write a run with its cases; the same run gives the same bytes.

    Args:
        path: The file; one that is there is replaced at once, or not at all.
        run: The run.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    content = _ADAPTER.dump_json(_Bundle(run=run))
    temporary.write_bytes(gzip.compress(content, compresslevel=6, mtime=0))
    temporary.replace(path)


def read(path: Path) -> RunRecord:
    """Read a run.

    Raises:
        ConfigurationError: The file is no bundle, is cut off, or is larger than any run.
    """
    try:
        with gzip.open(path) as file:
            content = file.read(_LIMIT_BYTES + 1)
        if len(content) > _LIMIT_BYTES:
            message = f"{path} holds more than {_LIMIT_BYTES >> 20} MiB: no run has as much."
            raise ConfigurationError(message)
        run = _ADAPTER.validate_json(content).run
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path} cannot be read as a bundle: {error}. Copy it again from the run."
        raise ConfigurationError(message) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = (
            f"{path} is no bundle of this floe-tests: {where}: {first['msg']}. A newer version "
            "may have written it."
        )
        raise ConfigurationError(message) from error
    # What others counted is counted again: the grid's numbers are those of its cells.
    suites = tuple(replace(suite, tally=Tally.of(suite.cases)) for suite in run.suites)
    return replace(run, suites=suites)
