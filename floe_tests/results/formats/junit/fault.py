"""A failure, an error or a skip of a JUnit file, and the words in which it is told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from floe_tests.results.formats.junit.texts import Text
from floe_tests.results.formats.junit.words import Element

TRIES_TYPE = "floe-tests.tries"
"""Type of an element whose text tells all earlier tries of a test, as `texts.tried` words them."""
XFAIL_TYPE = "pytest.xfail"
"""Type of a skip that is a failure which was expected."""
XFAIL_MESSAGE = "expected failure: "

# Catch2 writes this skip beside the failures of a test that may fail, and ends with 0.
# Source: https://github.com/catchorg/Catch2/blob/devel/src/catch2/reporters/catch_reporter_junit.cpp
_MAY_FAIL = "TEST_CASE tagged with !mayfail"
# What a test of Go said itself, and where.
_GO_LINE = re.compile(r"^[ \t]*((?:\S+\.go:\d+|panic): .*\S)", re.MULTILINE)
# Behave writes this where there is no message.
_NONE = "None"
# First lines and types that every failure of a tool has (Catch2, bats).
_SAYS_NOTHING = frozenset({"FAILED:", "failure", "error", "TEST_CASE"})


@dataclass(slots=True)
class Fault:
    """A failure, an error, a skip or an earlier try."""

    kind: Element
    message: str
    type: str
    of: str
    """Name of its case."""
    text: Text = field(default_factory=Text)

    @property
    def may_fail(self) -> bool:
        """Whether it says that the failures beside it are expected."""
        return self.message.startswith(_MAY_FAIL)

    @property
    def is_expected(self) -> bool:
        """Whether it is a skip that stands for a failure which was expected."""
        return self.kind is Element.SKIPPED and (self.type == XFAIL_TYPE or self.may_fail)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: WebdriverIO writes such a failure before the real error."""
        return not (self.message or self.type or str(self.text).strip())

    @property
    def _is_of_go(self) -> bool:
        """Whether its message is the same for every failure or skip of Go's."""
        return self.message in {"Failed", "Skipped"} or self.message.startswith("=== RUN")

    def told(self) -> str:
        """Return its message as it is shown."""
        if self.is_expected:
            return f"{XFAIL_MESSAGE}{self.message}"
        said = _GO_LINE.search(f"{self.message}\n{self.text}") if self._is_of_go else None
        if said is not None:
            return said[1]
        if self.message and self.message != _NONE:
            return self.message
        line = self._first_line()
        if not self.type or self.message == _NONE or self.type in _SAYS_NOTHING:
            return line
        if line.startswith(self.type):
            return line
        return f"{self.type}: {line}" if line else self.type

    def _first_line(self) -> str:
        """Return the first line of its text that is not the same for every failure of a tool."""
        lines = [line.strip() for line in str(self.text).splitlines() if line.strip()]
        telling = (
            line
            for line in lines
            # PHPUnit begins with the test's own name.
            if line not in _SAYS_NOTHING and not ("::" in self.of and line.startswith(self.of))
        )
        return next(telling, lines[0] if lines else "")
