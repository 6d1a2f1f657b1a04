"""A run as one file, to carry it from the machine that ran it into another history.

A CI's runner and its disk are gone after the job. What it uploads is this file, and `floe-tests
import` adds it elsewhere: gzipped JSON of a `RunRecord` with its cases.

Whoever uploads to a CI can have written the file. So what it may cost is bounded before it is
parsed, and nothing in it is used before it is checked.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from floe_tests.core import durable, names
from floe_tests.core.errors import ConfigurationError
from floe_tests.results.formats import unpacking
from floe_tests.results.history.bundle_check import require_sound
from floe_tests.results.records import RunRecord, SuiteRecord

NAME = "bundle.json.gz"
PLAIN = b"{"
"""How one begins that was unpacked; it is read as well."""

_LIMIT_BYTES = 96 * 1024 * 1024
"""The most that a run of 100,000 cases takes, with all names and texts that its limits allow."""
_BYTES_A_VALUE = 12
_FREE_VALUES = 50_000
"""A value takes about 100 bytes in memory, however few the file spends on it. A case has 20."""
_DEPTH = 64
_GZIP = zlib.MAX_WBITS + 16
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{,\]}]', re.DOTALL)


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
    durable.write(path, [packed(run)])


def is_one(path: Path, begin: bytes) -> bool:
    """Return whether a file is to be read as a bundle: by how it begins, when it is unpacked too.

    Args:
        path: The file.
        begin: Its first bytes.
    """
    if begin.startswith(unpacking.MAGIC):
        return not unpacking.is_xml(path)
    return begin.startswith(PLAIN)


def packed(run: RunRecord) -> bytes:
    """Return the bytes of a run's bundle."""
    content = _ADAPTER.dump_json(_Bundle(run=run))
    data = gzip.compress(content, compresslevel=6, mtime=0)
    if unpacking.is_expanding(len(content), len(data)):
        # A thousand equal tracebacks look like a bomb to the reader: this way they shrink by half.
        packer = zlib.compressobj(wbits=_GZIP, strategy=zlib.Z_HUFFMAN_ONLY)
        data = packer.compress(content) + packer.flush()
    return data


def read(path: Path) -> RunRecord:
    """Read a run.

    Raises:
        ConfigurationError: The file is no bundle, is cut off, is larger than any run, names what
            cannot be a name, or contradicts itself.
    """
    try:
        content = unpacking.content_of(path, what="a run", most_bytes=_LIMIT_BYTES)
        _require_bounded(path, content)
        run = _ADAPTER.validate_json(content).run
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path} cannot be read as a bundle: {error}. Copy it again from the run."
        raise ConfigurationError(message) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        if not first["loc"]:
            message = (
                f"{path} is no bundle of this floe-tests: it holds no JSON of a run. Import "
                f"takes a run's {NAME} and JUnit files, as they are or gzipped; unpack an archive "
                "first."
            )
            raise ConfigurationError(message) from error
        where = ".".join(str(part) for part in first["loc"])
        message = (
            f"{path} is no bundle of this floe-tests: {where}: {first['msg']}. A newer version "
            "may have written it."
        )
        raise ConfigurationError(message) from error
    _require_names(path, run)
    require_sound(path, run)
    return run


def _require_bounded(path: Path, content: bytes) -> None:
    """Refuse what would take many times its size once it is parsed: nests, and lists of nothing."""
    most = _FREE_VALUES + len(content) // _BYTES_A_VALUE
    values = depth = 0
    for match in _TOKEN.finditer(content):
        token = content[match.start()]
        if token == ord('"'):
            continue
        if token in b"]}":
            depth -= 1
            continue
        values += 1
        depth += token != ord(",")
        if depth > _DEPTH or values > most:
            what = f"is nested deeper than {_DEPTH}" if depth > _DEPTH else f"has {values} values"
            message = f"{path} is no bundle of a run: its JSON {what}. Copy it again from the run."
            raise ConfigurationError(message)


def _require_names(path: Path, run: RunRecord) -> None:
    """Refuse names that are none, and two of what must be one, before any of it is used."""
    for kind, field, text in _names_of(run):
        names.require(kind, text, where=f"{path}: {field}")
    suites = [suite.name for suite in run.suites]
    _require_distinct(path, "run.suites", suites)
    for suite in run.suites:
        field = f"run.suites.{suite.name}"
        _require_distinct(path, f"{field}.cases", [case.name for case in suite.cases])
        attempts = [f"{each.number} of shard {each.shard}" for each in suite.attempts]
        _require_distinct(path, f"{field}.attempts", attempts)
        _require_distinct(path, f"{field}.measurements", [each.name for each in suite.measurements])
        soaked = [f"{each.component}, {each.metric}" for each in suite.soak]
        _require_distinct(path, f"{field}.soak", soaked)


def _names_of(run: RunRecord) -> Iterator[tuple[names.Kind, str, str]]:
    yield "run id", "run.run_id", run.run_id
    yield "tier", "run.tier", run.tier
    yield "environment", "run.provider", run.provider
    yield from _verdict_words("run", run)
    if run.ref is not None:
        yield "ref", "run.ref", run.ref
    if run.commit is not None:
        yield "commit", "run.commit", run.commit
    for number, suite in enumerate(run.suites):
        yield "suite", f"run.suites.{number}.name", suite.name
        yield from _verdict_words(f"run.suites.{number}", suite)


def _verdict_words(
    field: str, judged: RunRecord | SuiteRecord
) -> Iterator[tuple[names.Kind, str, str]]:
    yield "word", f"{field}.outcome", judged.outcome
    yield "word", f"{field}.cause", judged.cause
    if judged.fault is not None:
        yield "word", f"{field}.fault", judged.fault


def _require_distinct(path: Path, field: str, found: list[str]) -> None:
    if len(set(found)) == len(found):
        return
    seen: set[str] = set()
    twice = next(name for name in found if name in seen or seen.add(name))
    message = f"{path}: {field}: {twice[:80]!a} is there twice. Copy it again from the run."
    raise ConfigurationError(message)
