"""Names of what is begun, made from the name of a chart or a folder."""

from __future__ import annotations

import keyword
import re
import sys

_LONGEST_LABEL = 40  # of 63: a namespace adds a run's number, a Job's pods add more
_SUFFIX = "tests"


def label_from(text: str, *, default: str) -> str:
    """Return a DNS label made of what a text has that may stand in one.

    Args:
        text: The text, such as the name of a chart.
        default: What it is where nothing is left.
    """
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST_LABEL].strip("-")
    if not label:
        return default
    # helm takes a release that begins with a digit, and a Service of its name is refused.
    return label if label[0].isalpha() else f"{default[0]}{label}"


def package_from(label: str) -> str:
    """Return the name of a project's Python package, which is nobody else's.

    Args:
        label: A DNS label.
    """
    name = label.replace("-", "_")
    name = name if name.split("_")[-1] == _SUFFIX else f"{name}_{_SUFFIX}"
    taken = {"floe_tests", _SUFFIX, *sys.stdlib_module_names}
    return f"my_{name}" if name in taken or keyword.iskeyword(name) else name
