"""Reports of tests that are not read: each is told from its beginning, and named.

Only JUnit is read. A report of another form, or JUnit in a file that nobody takes for one, must not
lie beside a green JUnit file in silence: what failed in it would be seen by nobody.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from floe_tests.exporter.results import JUNIT_ROOTS, ROOT_BYTES, xml_root
from floe_tests.results.formats import unpacking

_SHOWN_CHARACTERS = 40
_MOST_NOTICES = 5


class _Form(NamedTuple):
    whose: str
    remedy: str
    is_of_tests: bool = True


_TRX = _Form("Visual Studio's TRX", "the logger JunitXml.TestLogger writes JUnit")
_FORMS: Mapping[str, _Form] = {
    "testng-results": _Form("TestNG's own report", "its JUnitReportReporter writes JUnit"),
    "test-run": _Form(
        "NUnit's own report", "--result=junit.xml;transform=… or a logger writes JUnit"
    ),
    "test-results": _Form("NUnit 2's own report", "convert it to JUnit"),
    "assemblies": _Form("xUnit.net's own report", "its option -junit or a logger writes JUnit"),
    "assembly": _Form("xUnit.net's own report", "its option -junit or a logger writes JUnit"),
    "testrun": _TRX,
    "site": _Form("CTest's own report", "ctest --output-junit writes JUnit"),
    "robot": _Form("Robot Framework's own report", "robot --xunit writes JUnit"),
    "catch": _Form("Catch2's own report", "its option -r junit writes JUnit"),
    "catch2testrun": _Form("Catch2's own report", "its option -r junit writes JUnit"),
    "doctest": _Form("doctest's own report", "its option -r=junit writes JUnit"),
    "testlog": _Form("Boost.Test's own log", "--log_format=JUNIT writes JUnit"),
    "testresult": _Form("Boost.Test's own report", "--log_format=JUNIT writes JUnit"),
    "testcase": _Form("Qt Test's own report", "the option -o FILE,junitxml writes JUnit"),
    "testexecutions": _Form("SonarQube's generic report", "have the tool write JUnit"),
    "coverage": _Form("a coverage report", "name the file differently", is_of_tests=False),
    "report": _Form("a coverage report", "name the file differently", is_of_tests=False),
    "checkstyle": _Form("a Checkstyle report", "name the file differently", is_of_tests=False),
    "html": _Form("a web page", "look at what was asked for it", is_of_tests=False),
}
_JUNIT = _Form("JUnit", "name it junit*.xml")
_PACKED = "write it unpacked, as junit*.xml"
_TAP = _Form("TAP", "have the tool write JUnit, or convert it")
_CTRF = _Form("CTRF", "have the tool write JUnit")

_IS_TAP = re.compile(rb"TAP version 1[34]\b")
_IS_CTRF = re.compile(rb"""["']reportFormat["']\s*:\s*["']CTRF["']""")
_BEGINNINGS = b"\0\xef\xbb\xbf\xfe\xff \t\r\n"


def explained(tag: str) -> str:
    """Say whose report a document is that has a root which JUnit has not."""
    name = tag.rpartition(":")[2]
    known = _FORMS.get(name.lower())
    shown = f"<{name[:_SHOWN_CHARACTERS]}>"
    if known is None:
        return f"its root is {shown}, not <testsuites> or <testsuite>"
    return f"its root is {shown}: it is {known.whose}, not JUnit ({known.remedy})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A file that holds results and is not read.

    Attributes:
        path: The file.
        is_packed_junit: Whether it is JUnit in gzip, which an import can read.
        notice: What it is and what to do, in a sentence.
    """

    path: Path
    is_packed_junit: bool
    notice: str


def looked_into(path: Path, name: str) -> Unread | None:
    """Look whether a file that is not taken for a result holds results; None when it does not.

    Args:
        path: The file.
        name: What to call it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(ROOT_BYTES)
    except OSError:
        return None
    is_packed = head.startswith(unpacking.MAGIC)
    if is_packed:
        head = _unpacked(head)
    form = _form_of(head)
    if form is None:
        return None
    is_packed_junit = is_packed and form is _JUNIT
    whose = f"{form.whose} in gzip" if is_packed else form.whose
    remedy = _PACKED if is_packed_junit else form.remedy
    notice = f"{name} was not read as a result: it is {whose}; {remedy}."
    return Unread(path=path, is_packed_junit=is_packed_junit, notice=notice)


def _form_of(head: bytes) -> _Form | None:
    text = head.lstrip(_BEGINNINGS)
    if _IS_TAP.match(text):
        return _TAP
    if text.startswith(b"{"):
        return _CTRF if _IS_CTRF.search(text) else None
    if not text.startswith(b"<"):
        return None
    root = xml_root(head)
    if root in JUNIT_ROOTS or (root == "testrun" and b"TeamTest" not in text.replace(b"\0", b"")):
        return _JUNIT
    form = _FORMS.get(root)
    if form is None or not form.is_of_tests:
        return None
    # CTest gives the logs of configuring and building the same root.
    return None if root == "site" and b"<Testing" not in text else form


def _unpacked(head: bytes) -> bytes:
    """Return the beginning of what a gzip file holds, as far as its own beginning tells."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, ROOT_BYTES)
    except zlib.error:
        return b""


def notices_of(unread: Sequence[Unread]) -> tuple[str, ...]:
    """Return a notice for each of the first files, and one that counts the rest."""
    more = len(unread) - _MOST_NOTICES
    rest = [f"{more} more files hold results and were not read."] if more > 0 else []
    return (*(each.notice for each in unread[:_MOST_NOTICES]), *rest)
