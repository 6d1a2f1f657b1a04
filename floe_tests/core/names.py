"""What the names of a run may look like: tier, suite, run id, environment, ref, commit.

Names become folders, addresses and lines in a terminal. One that came with a file or a flag is
checked here before anything is done with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from floe_tests.core.errors import ConfigurationError

Kind = Literal["run id", "tier", "suite", "environment", "ref", "commit", "word"]

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    longest: int
    allowed: str


def _rule(pattern: str, longest: int, allowed: str) -> _Rule:
    return _Rule(re.compile(pattern, re.ASCII), longest, f"{allowed}, at most {longest} characters")


_WORDS = "letters, digits, '.', '_' and '-', a letter or digit first"
_RULES: Mapping[Kind, _Rule] = {
    # These two are names of folders.
    "tier": _rule(r"[A-Za-z0-9][A-Za-z0-9._-]*", 63, _WORDS),
    "run id": _rule(r"[A-Za-z0-9][A-Za-z0-9._-]*", 255, _WORDS),
    "suite": _rule(
        r"[A-Za-z0-9][A-Za-z0-9 ._+()=,:@-]*",
        63,
        "letters, digits, blanks and any of ._+()=,:@-, a letter or digit first",
    ),
    # Contexts of managed clusters have colons and slashes in them.
    "environment": _rule(
        r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*",
        63,
        "letters, digits and any of ._:/@+-, a letter or digit first",
    ),
    # Source: https://git-scm.com/docs/git-check-ref-format
    "ref": _rule(
        r"(?!/)(?!.*(?:\.\.|//|@\{))[^\x00-\x20\x7f-\x9f~^:?*\[\\]+",
        255,
        "what git allows: no blanks, '..', '@{', '~', '^', ':', '?', '*', '[' or backslashes",
    ),
    "commit": _rule(
        r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*",
        255,
        "letters, digits and any of ._:/@+-, a letter or digit first",
    ),
    # Outcomes, causes, faults: a newer version may know more of them.
    "word": _rule(r"[A-Za-z][A-Za-z_]*", 63, "letters and '_'"),
}


def is_name(kind: Kind, text: str) -> bool:
    """Whether a text may be such a name."""
    rule = _RULES[kind]
    return len(text) <= rule.longest and rule.pattern.fullmatch(text) is not None


def require(kind: Kind, text: str, *, where: str) -> str:
    """Return a name that may be used.

    Args:
        kind: What it names.
        text: The name.
        where: The flag or the field that it came with, for the message.

    Raises:
        ConfigurationError: It is no such name; the message says what is.
    """
    if is_name(kind, text):
        return text
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    message = f"{where}: {shown!a} cannot be a {kind}. Use {_RULES[kind].allowed}."
    raise ConfigurationError(message)
