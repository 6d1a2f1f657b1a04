"""Why a case failed, in one line: what stands beside its name where people look first."""

from __future__ import annotations

import re

from floe_tests.results.cases import CaseResult

_MOST_CHARACTERS = 200
# pytest's marks of what was raised; more blanks are the source of a syntax error.
_RAISED = re.compile(r"(?:^E(?: [^\n]*)?(?:\n|\Z))+", re.MULTILINE)
_WORDS = re.compile(r"^E {3}(?=\S)(.+)$", re.MULTILINE)
_SYNTAX = re.compile(r'^E +File "([^"\n]+)", line (\d+)', re.MULTILINE)
_MODULE = re.compile(r"^([^\s:]+):(\d+): in <module>$", re.MULTILINE)


def reason_of(case: CaseResult) -> str:
    """Return the first line of what a case says of its failure; empty where it says nothing.

    Args:
        case: The case. Of a module that could not be collected pytest's message never says why, so
            that its traceback is read: what was raised, and where.
    """
    told = _of_collection(case.text) if case.is_collection else ""
    line = told or _first_line(case.message)
    return line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 2].rstrip()} …"


def _of_collection(text: str) -> str:
    raised = _RAISED.findall(text)
    words = _WORDS.search(raised[-1]) if raised else None
    if words is None:
        return _first_line(text)
    # A syntax error has a place of its own, below the line that imports the file.
    places = _SYNTAX.findall(raised[-1]) or _MODULE.findall(text)
    place = f" ({places[-1][0]}, line {places[-1][1]})" if places else ""
    return f"{words[1].strip()}{place}"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
