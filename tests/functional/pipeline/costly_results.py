"""A suite whose results are made to cost memory where they are read: 62 MB of files each.

    costly_results.py DIRECTORY names|running|faults|tags

Each text holds one character that makes all of its characters take four bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

WIDE = "\U0001f600"


def names(directory: Path) -> None:
    """Write 62,000 tests with names of a thousand characters."""
    with (
        (directory / "junit.xml").open("w", encoding="utf-8") as xml,
        (directory / "events.jsonl").open("w", encoding="utf-8") as events,
    ):
        xml.write("<testsuites name='pytest tests'><testsuite name='pytest'>")
        events.write('{"$report_type": "SessionStart"}\n')
        for number in range(62_000):
            name = f"t{number:06}{WIDE}{'x' * 950}"
            xml.write(f"<testcase classname='c' name='{name}'/>")
            report = {"nodeid": f"c.py::{name}", "when": "teardown", "outcome": "passed"}
            events.write(_report(**report))
        xml.write("</testsuite></testsuites>")
        events.write('{"$report_type": "SessionFinish", "exitstatus": 0}\n')


def running(directory: Path) -> None:
    """Write 950 tests that failed and never ended."""
    with (directory / "events.jsonl").open("w", encoding="utf-8") as events:
        events.write('{"$report_type": "SessionStart"}\n')
        for number in range(950):
            text = WIDE + "x" * 64_000
            events.write(
                _report(nodeid=f"c.py::t{number}", when="call", outcome="failed", longrepr=text)
            )


def faults(directory: Path) -> None:
    """Write one test with a hundred failures."""
    failure = f"<failure message='{WIDE}{'m' * 250_000}'>{WIDE}{'x' * 320_000}</failure>"
    (directory / "junit.xml").write_text(
        f"<testsuite><testcase classname='c' name='n'>{failure * 100}</testcase></testsuite>",
        encoding="utf-8",
    )


def tags(directory: Path) -> None:
    """Write eight tests with names of eight megabytes."""
    cases = (f"<testcase name='{number}{WIDE}{'m' * 7_900_000}'/>" for number in range(8))
    (directory / "junit.xml").write_text(
        f"<testsuite>{''.join(cases)}</testsuite>", encoding="utf-8"
    )


def _report(**fields: str) -> str:
    return json.dumps({"$report_type": "TestReport", **fields}, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    {"names": names, "running": running, "faults": faults, "tags": tags}[sys.argv[2]](folder)
