"""A suite of 50,000 tests: the files as pytest and pytest-reportlog write them, without the wait.

    fifty_thousand_tests.py DIRECTORY TESTS [CHARACTERS]

With CHARACTERS every test fails, with a text of that length. A test compares the form with what the
installed pytest writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr


def names(tests: int) -> Iterator[tuple[str, int, str]]:
    """Return file, line and name of each test."""
    for number in range(tests):
        file = f"tests/integration/services/test_service_{number // 500:03}.py"
        yield file, 10 + number % 500, f"test_an_order_is_priced_and_shipped[region-{number:05}-eu]"


def report(file: str, line: int, name: str, *, when: str) -> dict[str, object]:
    """Return one phase of a test that passes."""
    words = (name, "parametrize", "pytestmark", name[name.index("[") + 1 : -1])
    folders = (file.rpartition("/")[2], "services", "integration", "tests", "app", "")
    return {
        "location": [file, line, name],
        "keywords": dict.fromkeys((*words, *folders), 1),
        "outcome": "passed",
        "longrepr": None,
        "when": when,
        "user_properties": [],
        "sections": [],
        "duration": 0.0001868770000328368,
        "start": 1795509996.915385,
        "stop": 1795509996.915572,
        "nodeid": f"{file}::{name}",
        "$report_type": "TestReport",
    }


def failure_text(characters: int) -> str:
    """Return a text that takes four bytes a character in memory."""
    return "\U0001f600" + "x" * characters


def write_events(path: Path, tests: int, characters: int = 0) -> None:
    """Write what pytest-reportlog writes."""
    with path.open("w", encoding="utf-8") as events:

        def write(event: dict[str, object]) -> None:
            events.write(json.dumps(event) + "\n")

        write({"pytest_version": "9.0.0", "$report_type": "SessionStart"})
        for file, line, name in names(tests):
            for when in ("setup", "call", "teardown"):
                event = report(file, line, name, when=when)
                if characters and when == "call":
                    event.update(outcome="failed", longrepr=failure_text(characters))
                write(event)
        status = 1 if characters else 0
        write({"exitstatus": status, "$report_type": "SessionFinish"})


def write_junit(path: Path, tests: int, characters: int = 0) -> None:
    """Write what pytest writes when it ends."""
    failure = f'<failure message="no">{failure_text(characters)}</failure>' if characters else ""
    failures = tests if characters else 0
    with path.open("w", encoding="utf-8") as xml:
        xml.write(
            '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">'
            f'<testsuite name="pytest" errors="0" failures="{failures}" skipped="0" '
            f'tests="{tests}" time="9.0" timestamp="2026-11-24T08:46:36.895167+00:00">'
        )
        for file, _, name in names(tests):
            classname = file.removesuffix(".py").replace("/", ".")
            xml.write(
                f"<testcase classname={quoteattr(classname)} name={quoteattr(name)} "
                f'time="0.001">{failure}</testcase>'
            )
        xml.write("</testsuite></testsuites>")


def main(directory: Path, tests: int, characters: int = 0) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "collection.json").write_text(json.dumps({"collected": tests, "deselected": 0}))
    write_events(directory / "events.jsonl", tests, characters)
    write_junit(directory / "junit.xml", tests, characters)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(word) for word in sys.argv[2:]))
    sys.exit(len(sys.argv) > 3)
