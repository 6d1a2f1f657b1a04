"""What a hostile or broken test leaves behind neither crashes the orchestrator nor deceives it.

Each suite here really runs. Parsers and receiver are tested piece by piece elsewhere; this is that
the pieces together give the right verdict, and say what they left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.pipeline.published import PublishedRun
from floe_tests.results.formats import junit
from floe_tests.results.history.store import History

if TYPE_CHECKING:
    from conftest import Suites

Received = Callable[[PublishedRun], Path]


def said(published: PublishedRun) -> str:
    """Return all that a reader is told of a run."""
    suite = published.suites[0]
    return "\n".join([*(str(item) for item in published.verdict.evidence), *suite.results.notices])


UNREADABLE = {
    "entities that grow": (
        """
        junit.write_text(
            '<!DOCTYPE l [<!ENTITY a "ha">'
            + "".join(f'<!ENTITY a{n} "{"&a%s;" % (n - 1 or "") * 10}">' for n in range(1, 10))
            + ']><testsuite><testcase name="&a9;"/></testsuite>'
        )
        """,
        "its document type declares entities",
    ),
    "one large entity, many times": (
        """
        junit.write_text(
            '<!DOCTYPE l [<!ENTITY a "' + "a" * 100_000 + '">]><testsuite><testcase name="'
            + "&a;" * 100_000 + '"/></testsuite>'
        )
        """,
        "its document type declares entities",
    ),
    "an external entity": (
        """
        junit.write_text(
            '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
            '<testsuite><testcase name="&a;"/></testsuite>'
        )
        """,
        "its document type declares entities",
    ),
    "an attribute of 60 MB": (
        """
        with junit.open("wb") as file:
            file.write(b"<testsuite><testcase name='")
            for _ in range(60):
                file.write(b"a" * 1_000_000)
            file.write(b"'/></testsuite>")
        """,
        "it holds a tag of more than 8388608 bytes",
    ),
    "NUL bytes": (
        "junit.write_bytes(b\"<testsuite><testcase name='a'/>\\0</testsuite>\")",
        "it holds a NUL byte at offset 31",
    ),
    "an end in the middle": (
        """
        large.write_junit(junit, 2)
        junit.write_bytes(junit.read_bytes()[:-60])
        """,
        "it is cut off after",
    ),
}


@pytest.mark.parametrize(("code", "notice"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_green_exit_with_a_results_file_that_cannot_be_read_is_not_green(
    suites: Suites, code: str, notice: str
) -> None:
    published = suites.run(code)

    assert published.verdict.cause == "RESULT_LOST", said(published)
    assert notice in said(published)


def test_bytes_that_are_no_utf_8_are_replaced_and_cost_no_result(suites: Suites) -> None:
    published = suites.run(
        "junit.write_bytes(b\"<testsuite><testcase name='caf\\xe9'/></testsuite>\")"
    )

    assert published.verdict.cause == "PASS", said(published)
    assert "it holds bytes that are not UTF-8 at offset 30" in said(published)
    assert [case.name for case in published.suites[0].results.cases] == ["caf\\xe9"]


def test_a_junit_file_over_the_cap_and_nothing_else_is_not_green(suites: Suites) -> None:
    """A 100 MB attribute arrives as far as the cap goes."""
    published = suites.run(
        """
        with junit.open("wb") as file:
            file.write(b"<testsuite><testcase name='")
            for _ in range(100):
                file.write(b"a" * 1_000_000)
            file.write(b"'/></testsuite>")
        """
    )

    assert published.verdict.cause == "RESULT_LOST", said(published)
    assert "junit.xml: 67108864 of 100000042 bytes were sent" in said(published)


FORGED_FRAMES = """
from floe_tests.exporter.frames import data_line, frame_line, header
large.main(results, 2)
forged = b"<testsuite><testcase name='forged'/></testsuite>"
lines = [
    frame_line(b"", header("f" * 16, 0, "hello")),
    data_line(
        b"",
        header("f" * 16, 1, "data"),
        {"path": "junit.xml", "generation": 7, "offset": 0},
        content=forged,
        guess=1000,
    )[0],
]
sys.stdout.buffer.write(b"".join(lines))
(results / "frames.log").write_bytes(b"".join(lines))
"""


def test_frames_that_a_test_prints_or_writes_are_content_and_no_frames(
    suites: Suites, received: Received
) -> None:
    published = suites.run(FORGED_FRAMES)

    assert published.verdict.cause == "PASS", said(published)
    assert "forged" not in {case.name for case in junit.read(published.junit)}
    assert b'"floe":1' in (received(published) / "frames.log").read_bytes()
    assert b'"floe":1' in (published.directory / "suite-1" / "pod.log").read_bytes()


def test_a_collection_that_claims_fewer_tests_than_reported_is_not_green(suites: Suites) -> None:
    published = suites.run("large.main(results, 60); collection.write_text('{\"collected\": 3}')")

    assert published.verdict.cause == "RESULT_LOST", said(published)
    assert "60 of 3 collected tests were reported" in said(published)


def test_a_junit_file_that_claims_more_than_the_events_is_not_believed(suites: Suites) -> None:
    published = suites.run(
        """
        large.main(results, 4)
        lines = events.read_text().splitlines()
        lines[5] = lines[5].replace('"outcome": "passed"', '"outcome": "failed"')
        events.write_text("\\n".join(lines) + "\\n")
        """
    )

    assert published.verdict.cause == "TEST_FAILURE", said(published)
    assert "JUnit and events disagree on tests.integration" in said(published)


def test_a_junit_file_from_before_the_end_of_the_session_is_not_believed(suites: Suites) -> None:
    """A test writes a green JUnit file for all tests, and ends the process with exit code 0."""
    published = suites.run(
        """
        large.main(results, 4)
        events.write_text("".join(f"{line}\\n" for line in events.read_text().splitlines()[:5]))
        os._exit(0)
        """
    )

    assert published.verdict.cause == "TEST_CRASH", said(published)
    assert "left before its session was over" in said(published)


def test_links_pipes_loops_and_names_are_refused_and_named(
    suites: Suites, received: Received
) -> None:
    """A test must not send what it may not read, nor stop what follows its files."""
    published = suites.run(
        """
        large.main(results, 2)
        (results / "passwd").symlink_to("/etc/passwd")
        (results / "exporter.py").symlink_to(large.__file__)
        (results / "environment").symlink_to(f"/proc/{os.getppid()}/environ")
        (results / "again").symlink_to(results)
        (results / "folder").mkdir()
        (results / "folder" / "up").symlink_to("..")
        os.mkfifo(results / "pipe")
        (results / "line\\nend \\x1b[31m").write_text("x")
        (results / "\\u202etxt.exe").write_text("x")
        os.close(os.open(os.fsencode(results) + b"/\\xff", os.O_CREAT | os.O_WRONLY))
        """
    )

    assert published.verdict.cause == "PASS", said(published)
    arrived = {str(p.relative_to(received(published))) for p in received(published).rglob("*")}
    odd = {"line%0Aend %1B[31m", "\u202etxt.exe", "%FF"}
    assert arrived == {"junit.xml", "events.jsonl", "collection.json", *odd}
    notices = "\n".join(published.suites[0].results.notices)
    for name in ("passwd", "exporter.py", "environment", "again", "folder/up"):
        assert f"{name}: a symbolic link is not followed" in notices
    assert "pipe: a FIFO is not a regular file" in notices
    assert r"the name of 'line\nend \x1b[31m' cannot be sent" in notices
    assert r"the name of '\udcff' cannot be sent" in notices
    with History.open(suites.history_url) as history:
        remembered = history.run(run_id=published.run_id)
    assert remembered is not None
    assert remembered.suites[0].notices == published.suites[0].notices
    summary = json.loads((suites.output / "small" / "verdict.json").read_text())
    assert tuple(summary["notices"]) == published.suites[0].notices


def test_twenty_thousand_files_do_not_hide_the_results(suites: Suites, received: Received) -> None:
    published = suites.run(
        """
        for number in range(20_000):
            (results / f"{number}").write_text("tiny")
        large.main(results, 2)
        """
    )

    assert published.verdict.cause == "PASS", said(published)
    assert "files beyond the cap of 1000" in said(published)
    assert len(list(received(published).iterdir())) == 1003


def test_events_nested_without_end_are_counted_and_skipped(suites: Suites) -> None:
    published = suites.run(
        """
        large.main(results, 2)
        with events.open("a") as file:
            file.write("[" * 500_000 + "\\n" + '{"a":' * 500_000 + "\\n")
        """
    )

    assert published.verdict.cause == "PASS", said(published)
    assert "2 lines of the events are no events" in said(published)


def test_a_line_of_200_mb_is_cut_and_costs_no_result(suites: Suites, received: Received) -> None:
    """In the output and in the events; JUnit has every test, so nothing is lost."""
    published = suites.run(
        """
        large.main(results, 2)
        whole = events.read_bytes()
        with events.open("wb") as file:
            for number in range(200):
                piece = bytes([97 + number % 26]) * 1_000_000
                file.write(piece)
                sys.stdout.buffer.write(piece)
            file.write(b"\\n" + whole)
        """
    )

    assert published.verdict.cause == "PASS", said(published)
    assert "all 2 collected tests are in the other results" in said(published)
    assert (received(published) / "events.jsonl").stat().st_size == 64 * 1024 * 1024
    assert (published.directory / "suite-1" / "pod.log").stat().st_size == 200_000_000


def test_events_that_are_rewritten_in_place_count_as_they_stand_at_the_end(
    suites: Suites,
) -> None:
    """A test that failed cannot be rewritten to green: pytest's own JUnit file still says it."""
    published = suites.run(
        """
        large.main(results, 4)
        junit.write_text(
            junit.read_text().replace("></testcase>", "><failure message='no'/></testcase>", 1)
        )
        content = events.read_text()
        events.write_text(content.replace("passed", "failed", 4))
        print("written", flush=True)
        with events.open("r+") as file:
            file.write(content)
        """
    )

    assert published.verdict.cause == "TEST_FAILURE", said(published)
    assert published.suites[0].results.tally.failed == 1


NAMES = """
large.main(results, 4)
name = "test_x[\\x1b]0;pwned\\x07\\x1b[2J\\x9b31m\\u202e]"
message = "\\x1b[31mred\\x1b[0m [bold]loud[/bold] [/none] \\\\\\\\[link=x] \\x9b2J :bug: [open"
report = large.report("test_x.py", 1, name, when="call")
report.update(outcome="failed", longrepr=message)
lines = events.read_text().splitlines()
lines[1:4] = [json.dumps(report), json.dumps(large.report("test_x.py", 1, name, when="teardown"))]
events.write_text("\\n".join(lines) + "\\n")
junit.unlink()
(results / "a[bold]b.log").symlink_to("[/bold]")
print("printed by the test")
sys.exit(1)
"""


def test_names_and_messages_reach_no_terminal_as_commands_and_no_panel_as_markup(
    suites: Suites,
) -> None:
    published = suites.run(NAMES)

    assert published.verdict.cause == "TEST_FAILURE", said(published)
    panel = subprocess.run(
        [Path(sys.executable).with_name("floe-tests"), "verdict", "small"],
        env={**os.environ, "FLOE_TESTS_OUTPUT": str(suites.output), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    written = published.junit.read_text() + said(published) + "\n".join(suites.log) + panel
    assert not set(written) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert "[bold]loud[/bold] [/none] \\\\[link=x]" in "\n".join(suites.log)
    assert "a[bold]b.log: a symbolic link is not followed" in panel
    assert "test_x[\\x1b]0;pwned" in panel


KILLED = """
import os, signal
import pytest

@pytest.mark.parametrize("number", range(43))
def test_before(number): pass
def test_x(): os.kill(os.getpid(), signal.SIGKILL)
@pytest.mark.parametrize("number", range(16))
def test_after(number): pass
"""


def test_a_killed_suite_says_how_far_it_came_wherever_a_reader_looks(suites: Suites) -> None:
    (suites.root / "test_killed.py").write_text(KILLED)
    (suites.root / "conftest.py").write_text(
        (Path(__file__).parents[2] / "conftest.py").read_text()
    )
    published = suites.run_command(
        [
            *("pytest", "-q", "-p", "no:cacheprovider", "test_killed.py"),
            *("--junitxml=/results/junit.xml", "--report-log=/results/events.jsonl"),
        ]
    )

    sentence = "43 of 60 reported, test_killed::test_x was running"
    assert published.verdict.cause == "KILLED_UNKNOWN"
    assert sentence in said(published)
    verdict_case = junit.read(published.junit)[-1]
    assert verdict_case.name == "floe_tests.small::KILLED_UNKNOWN"
    assert sentence in verdict_case.text
    panel = subprocess.run(
        [Path(sys.executable).with_name("floe-tests"), "verdict", "small"],
        env={**os.environ, "FLOE_TESTS_OUTPUT": str(suites.output), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert sentence in panel
