"""JUnit XML: read from any test tool without trusting it, written for any CI.

There is no standard, only producers; what is accepted here is what pytest, Maven Surefire, Gradle,
go-junit-report, jest-junit, GoogleTest and CTest write (Source: https://github.com/testmoapp/junitxml).
A file comes from a test pod, so it may be anything: it is read as a stream, within limits, and
entities and document types are refused.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from floe_tests import durable
from floe_tests.errors import HarnessError
from floe_tests.results.cases import CaseOutcome, CaseResult, Tally, legible
from floe_tests.results.junit_document import JUnitDocument, MalformedDocument

if TYPE_CHECKING:
    from xml.etree.ElementTree import ParseError

    import junitparser

# Large, because the parser looks at a tag from its beginning again with every further piece.
_CHUNK_BYTES = 512 * 1024
_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>\n'
# The parser's error codes for a document that ends too early: no element found, unclosed token,
# partial character, unclosed CDATA section.
# Source: https://github.com/libexpat/libexpat/blob/master/expat/lib/expat.h (enum XML_Error)
_CUT_OFF = frozenset({3, 5, 6, 20})


class UnreadableResults(HarnessError):  # noqa: N818 - says what is wrong, as the tree's other names do
    """A results file cannot be read; the message names the file, the place and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JUnitLimits:
    """What a JUnit file may cost to read.

    Attributes:
        file_bytes: Size of the file.
        cases: Number of test cases.
        depth: How deeply elements may be nested.
        token_bytes: Longest tag with its attributes. The parser holds a whole tag in memory.
        text_bytes: Text kept of all cases together.
    """

    file_bytes: int = 64 * 1024 * 1024
    cases: int = 100_000
    depth: int = 64
    token_bytes: int = 8 * 1024 * 1024
    text_bytes: int = 24 * 1024 * 1024


DEFAULT_LIMITS = JUnitLimits()


def read(path: Path, limits: JUnitLimits = DEFAULT_LIMITS) -> tuple[CaseResult, ...]:
    """Read the test cases of a JUnit file.

    Cases of one name: pytest writes a second case for an error in clean-up and one for each rerun;
    these become one case. In files of other tools they are different tests (Surefire's
    parameterised ones, for example), and later ones get ` #2`, ` #3` behind their name.

    A suite that declares failures which none of its cases shows, or carries one itself, adds an
    ERROR case of its own: a crash between tests is not green.

    Args:
        path: The file.
        limits: What it may cost.

    Raises:
        UnreadableResults: It is missing, too large, not JUnit, cut off, or not to be trusted.
    """
    document = JUnitDocument(
        max_cases=limits.cases, max_depth=limits.depth, text_bytes=limits.text_bytes
    )
    try:
        with path.open("rb") as file:
            _parse(file, document, limits)
    except OSError as error:
        message = f"{path.name} cannot be read: {error.strerror or error}."
        raise UnreadableResults(message) from error
    except MalformedDocument as error:
        message = f"{path.name} cannot be used: {error}."
        raise UnreadableResults(message) from error
    return document.cases()


def _parse(file: IO[bytes], document: JUnitDocument, limits: JUnitLimits) -> None:
    # defusedxml loads a second copy of xml.etree: not on the path that loads definitions.
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    size = os.fstat(file.fileno()).st_size
    if size > limits.file_bytes:
        message = f"it has {size} bytes; at most {limits.file_bytes} are read"
        raise MalformedDocument(message)
    parser = DefusedXMLParser(target=document, forbid_dtd=True)
    fed_bytes = 0
    try:
        while chunk := file.read(_CHUNK_BYTES):
            parser.feed(chunk)
            fed_bytes += len(chunk)
            # Where the last whole token ended. What is behind it waits in the parser's memory.
            if fed_bytes - parser.parser.CurrentByteIndex > limits.token_bytes:
                message = f"it holds a tag of more than {limits.token_bytes} bytes"
                raise MalformedDocument(message)
        parser.close()
    except DefusedXmlException as error:
        message = "it declares a document type or entities, which a results file has no need of"
        raise MalformedDocument(message) from error
    except ParseError as error:
        offset = max(0, parser.parser.ErrorByteIndex)
        raise MalformedDocument(_diagnosis(file, error, offset=offset)) from error
    except (LookupError, ValueError) as error:
        message = f"its declared encoding cannot be read ({error})"
        raise MalformedDocument(message) from error


def _diagnosis(file: IO[bytes], error: ParseError, *, offset: int) -> str:
    """Say why a file is not well-formed, in words that point at the cause."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return "it is empty"
    if error.code in _CUT_OFF:
        return f"it is cut off after {end} bytes"
    file.seek(offset)
    around = file.read(64)
    if b"\x00" in around[:4]:
        return f"it holds a NUL byte at offset {offset}"
    try:
        around.decode()
    except UnicodeDecodeError as undecodable:
        # A character cut by the window's end is no fault of the file.
        if undecodable.start < len(around) - 3:
            return f"it holds bytes that are not UTF-8 at offset {offset + undecodable.start}"
    return f"it is not well-formed XML ({error})"


def write(
    path: Path,
    cases: Sequence[CaseResult],
    *,
    suite: str,
    properties: Mapping[str, str] | None = None,
    hostname: str | None = None,
    started_at: datetime | None = None,
) -> None:
    """Write cases as one JUnit suite, whole or not at all.

    The file is written beside its place, flushed to the disk and renamed: who reads it sees the
    old content or the new. Reading it back gives the same cases without file, line and
    reruns, for which JUnit has no agreed place. No tree of the whole is built: one of 50,000 cases
    takes a hundred megabytes.

    Args:
        path: Where to; its directory is created.
        cases: The test cases.
        suite: Name of the suite.
        properties: Properties of the suite.
        hostname: Where the tests ran, for example the pod.
        started_at: When they began, aware.

    Raises:
        OSError: The file cannot be written.
    """
    from junitparser import JUnitXml, TestCase, TestSuite

    element = TestSuite(legible(suite))
    for name, value in (properties or {}).items():
        element.add_property(legible(name), legible(value))
    if hostname is not None:
        element.hostname = legible(hostname)
    if started_at is not None:
        element.timestamp = started_at.isoformat(timespec="milliseconds")
    tally = Tally.of(cases)
    element.tests, element.skipped = tally.tests, tally.skipped
    element.failures, element.errors = tally.failed, tally.errors
    element.time = round(tally.seconds, 3)
    place = TestCase()
    _append(element, place)
    xml = JUnitXml(legible(suite))
    _append(xml, element)
    xml.tests, xml.skipped = tally.tests, tally.skipped
    xml.failures, xml.errors = tally.failed, tally.errors
    xml.time = round(tally.seconds, 3)
    head, _, tail = _serialised(xml).partition(_serialised(place))
    written = (_serialised(_element(case)) for case in cases)
    durable.write(path, itertools.chain([_DECLARATION, head], written, [tail]))


def _serialised(element: junitparser.Element) -> bytes:
    return element.tostring()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - junitparser leaves it untyped


def _element(case: CaseResult) -> junitparser.TestCase:
    import junitparser

    classname, separator, name = case.name.partition("::")
    if not separator:
        # Empty, not absent: a reader would put the suite's name in its place.
        classname, name = "", case.name
    element = junitparser.TestCase(name, classname, round(case.seconds, 6))
    kind = {
        CaseOutcome.FAILED: junitparser.Failure,
        CaseOutcome.ERROR: junitparser.Error,
        CaseOutcome.SKIPPED: junitparser.Skipped,
    }.get(case.outcome)
    if kind is not None:
        result = kind(case.message)
        result.text = case.text
        _append(element, result)
    return element


def _append(parent: junitparser.Element, child: junitparser.Element) -> None:
    parent.append(child)  # pyright: ignore[reportUnknownMemberType] - junitparser leaves it untyped
