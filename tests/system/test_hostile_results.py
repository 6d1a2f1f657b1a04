"""A pod of hostile or broken tests on a real cluster neither crashes the orchestrator nor lies."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from floe_tests.exporter.frames import data_line, frame_line, header
from floe_tests.results.formats import junit

from .conftest import job

if TYPE_CHECKING:
    from floe_tests.pipeline.published import PublishedRun

    from .conftest import SmallTier

MIB = 1024 * 1024


def program(code: str) -> dict[str, object]:
    """Return a test-job.yaml that runs a Python program instead of pytest."""
    return job("", command=["python", "-c", f"from pathlib import Path\n{code}"])


def said(published: PublishedRun) -> str:
    """Return all that a reader is told of a run."""
    suite = published.suites[0]
    return "\n".join([*(str(item) for item in published.verdict.evidence), *suite.results.notices])


def received(published: PublishedRun) -> Path:
    """Name the folder of a run's received files."""
    return published.directory / "suite-1" / "results"


def forged_frames() -> str:
    """Return the beginning of a stream that says that a JUnit file of one passed test came."""
    head = header("f" * 16, 1, "data")
    place = {"path": "junit.xml", "generation": 7, "offset": 0}
    content = b"<testsuite><testcase name='forged'/></testsuite>"
    lines = [
        frame_line(b"", header("f" * 16, 0, "hello")),
        data_line(b"", head, place, content=content, guess=1000)[0],
    ]
    return b"".join(lines).decode()


def test_frames_that_a_test_prints_or_writes_hide_no_failure(small_tier: SmallTier) -> None:
    frames = forged_frames()
    code = f"""
        import sys
        FRAMES = {frames!r}
        def test_forges():
            with open("/results/frames.log", "w") as file:
                file.write(FRAMES)
            with open("/proc/self/fd/1", "w") as out:
                out.write(FRAMES)
            sys.__stdout__.write(FRAMES)
            sys.__stdout__.flush()
        def test_fails():
            assert False, "still red"
    """

    published = small_tier.run(job(code))

    assert published.verdict.cause == "TEST_FAILURE", said(published)
    names = {case.name for case in junit.read(published.junit)}
    assert names == {"test_suite::test_forges", "test_suite::test_fails"}
    assert (received(published) / "frames.log").read_text() == frames
    assert "forged" not in (received(published) / "junit.xml").read_text()


def test_what_a_link_points_at_does_not_leave_the_pod(small_tier: SmallTier) -> None:
    """Neither a file of the test's container nor one of the exporter's, nor the node's token."""
    code = """
        import os
        LINKS = {
            "passwd": "/etc/passwd",
            "exporter": "/proc/1/cmdline",
            "digest": "/dev/termination-log",
            "token": "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "again": "/results",
            "zero": "/dev/zero",
        }
        def test_links():
            for name, target in LINKS.items():
                os.symlink(target, f"/results/{name}")
            os.mkfifo("/results/pipe")
            open("/results/line\\nend", "w").close()
    """

    published = small_tier.run(job(code))

    assert published.verdict.cause == "PASS", said(published)
    names = ("passwd", "exporter", "digest", "token", "again", "zero")
    for name in names:
        assert f"{name}: a symbolic link is not followed" in said(published)
    assert "pipe: a FIFO is not a regular file" in said(published)
    assert r"line%0Aend: the name of 'line\nend' cannot be sent" in said(published)
    arrived = list(received(published).rglob("*"))
    assert {path.name for path in arrived}.isdisjoint({*names, "pipe"})
    assert all(b"root:x:0" not in path.read_bytes() for path in arrived if path.is_file())
    summary = json.loads((small_tier.root / "output" / "small" / "verdict.json").read_text())
    assert tuple(summary["notices"]) == published.suites[0].notices


def test_what_the_first_of_two_sessions_reported_stays_known(small_tier: SmallTier) -> None:
    """`pytest || pytest --lf`: the last files alone would be those of one green test."""
    tests = """
        from pathlib import Path
        SEEN = Path("/tmp/seen")
        def test_passes(): pass
        def test_passes_again():
            was_seen = SEEN.exists()
            SEEN.touch()
            assert was_seen, "not seen yet"
    """
    script = (
        "mkdir /tmp/suite && cp /app/tests/conftest.py /tmp/suite/ && cd /tmp/suite && "
        'printf %s "$TEST_CODE" > test_suite.py && options="-o cache_dir=/tmp/cache test_suite.py '
        '--junitxml=/results/junit.xml --report-log=/results/events.jsonl" && '
        "(pytest $options || pytest --lf $options)"
    )

    published = small_tier.run(job(tests, command=["sh", "-c", script]))

    assert published.verdict.cause == "PASS", said(published)
    cases = {case.name: case for case in published.suites[0].results.cases}
    assert set(cases) == {"test_suite::test_passes", "test_suite::test_passes_again"}
    assert cases["test_suite::test_passes_again"].reruns == 1
    assert "1 failure of account 1 is kept: test_suite::test_passes_again" in said(published)


BOMB = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + ']><testsuite><testcase name="&a9;"/></testsuite>'
)
CASES = "<testsuites><testsuite name='s'><testcase classname='t' name='a'/>"


@pytest.mark.parametrize(
    ("content", "notice"),
    [
        pytest.param(CASES.encode() + b"\0", "it holds a NUL byte at offset", id="NUL byte"),
        pytest.param(
            CASES.replace("'a'", "'\xff\xfe'").encode("latin-1"),
            "it holds bytes that are not UTF-8",
            id="no UTF-8",
        ),
        pytest.param(CASES.encode(), "it is cut off after", id="cut off"),
        pytest.param(BOMB.encode(), "its document type declares entities", id="XML bomb"),
    ],
)
def test_an_exit_code_of_0_with_a_junit_file_that_cannot_be_read_is_not_green(
    small_tier: SmallTier, content: bytes, notice: str
) -> None:
    published = small_tier.run(program(f"Path('/results/junit.xml').write_bytes({content!r})"))

    assert published.verdict.cause == "RESULT_LOST", said(published)
    assert notice in said(published)
    assert junit.read(published.junit)[-1].name == "floe_tests.small::RESULT_LOST"


def test_a_green_junit_file_from_before_the_end_is_not_believed(small_tier: SmallTier) -> None:
    code = """
        import os
        XML = "<testsuites name='pytest tests'><testsuite name='pytest'>%s</testsuite></testsuites>"
        CASE = "<testcase classname='test_suite' name='test_%s'/>"
        def test_first(): pass
        def test_forges():
            with open("/results/junit.xml", "w") as file:
                file.write(XML % "".join(CASE % name for name in ("first", "forges", "third")))
            os._exit(0)
        def test_third(): assert False
    """

    published = small_tier.run(job(code))

    assert published.verdict.cause == "TEST_CRASH", said(published)
    assert "left before its session was over" in said(published)
    assert "test_suite::test_forges was running" in said(published)


def test_a_file_of_64_mib_written_at_the_very_end_arrives_whole(small_tier: SmallTier) -> None:
    """Noise, which no compression shrinks, through the log of a sidecar with half a CPU."""
    code = """
        import random
        def test_leaves_a_core_dump():
            source = random.Random(1)
            with open("/results/core.bin", "wb") as file:
                for _ in range(64):
                    file.write(source.randbytes(1024 * 1024))
    """

    published = small_tier.run(job(code))

    assert published.verdict.cause == "PASS", said(published)
    assert published.suites[0].results.notices == ()
    source, content = random.Random(1), hashlib.sha256()  # noqa: S311 - content, no secret
    for _ in range(64):
        content.update(source.randbytes(MIB))
    with (received(published) / "core.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == content.digest()
