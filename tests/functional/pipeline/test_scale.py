"""Large runs pass through whole, and the orchestrator stays small.

The limit is what a run may add to the process that drives it, from before its first test to the
history: the receiver, the verdict, the JUnit file and the database in one peak.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fifty_thousand_tests
import pytest
from large_output import MIB, chunk

from floe_tests.results.formats import junit
from floe_tests.results.history.store import History

HERE = Path(__file__).parent
MOST_GROWTH_MIB = 300
RUN_SECONDS = 240

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the memory is read from /proc"
)


def run(folder: Path, program: str, *arguments: str) -> dict[str, Any]:
    """Run a suite from its first stage to the history in a process of its own."""
    suite = [sys.executable, str(HERE / program), "/results", *arguments]
    done = subprocess.run(
        [sys.executable, str(HERE / "one_run.py"), str(folder), *suite],
        stdout=subprocess.PIPE,
        text=True,
        timeout=RUN_SECONDS,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    sys.stdout.write(json.dumps(found, indent=1))
    return found


def history_of(folder: Path) -> History:
    return History.open(f"sqlite:///{folder / 'history.db'}")


def outcomes(path: Path) -> list[tuple[str, str]]:
    return [(case.name, str(case.outcome)) for case in junit.read(path)]


def test_the_files_have_the_form_that_pytest_and_reportlog_write(tmp_path: Path) -> None:
    """A large run is only worth something while it looks like a real one."""
    file, line, name = next(fifty_thousand_tests.names(1))
    test, _, parameter = name.rstrip("]").partition("[")
    real = tmp_path / file
    real.parent.mkdir(parents=True)
    parametrize = f"@pytest.mark.parametrize('x', ['{parameter}'])"
    before = "\n" * (line - 1)
    real.write_text(f"import pytest\n{before}{parametrize}\ndef {test}(x): pass\n")
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."),
            *("--junitxml=real.xml", "--report-log=real.jsonl", file),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    fifty_thousand_tests.main(tmp_path / "made", 1)

    def reports(path: Path) -> list[dict[str, object]]:
        events = [json.loads(text) for text in path.read_text().splitlines()]
        changing = ("duration", "start", "stop", "keywords", "pytest_version")
        return [
            {key: value for key, value in event.items() if key not in changing}
            for event in events
            if event["$report_type"] != "CollectReport"
        ]

    assert reports(tmp_path / "made" / "events.jsonl") == reports(tmp_path / "real.jsonl")
    assert outcomes(tmp_path / "made" / "junit.xml") == outcomes(tmp_path / "real.xml")
    # A line is as long as a real one of such a test, or longer by a folder's name.
    made, written = (
        max(len(text) for text in path.read_text().splitlines())
        for path in (tmp_path / "made" / "events.jsonl", tmp_path / "real.jsonl")
    )
    assert abs(made - written) < 60


@pytest.mark.thorough
def test_fifty_thousand_tests_pass_although_their_events_exceed_the_cap(tmp_path: Path) -> None:
    found = run(tmp_path, "fifty_thousand_tests.py", "50000")

    assert (found["cause"], found["tests"], found["passed"]) == ("PASS", 50_000, 50_000), found
    assert any(
        notice.startswith("events.jsonl: 67108864 of ")
        and notice.endswith("all 50000 collected tests are in the other results")
        for notice in found["notices"]
    ), found["notices"]
    received = outcomes(Path(found["results"]) / "junit.xml")
    assert outcomes(Path(found["junit"])) == received
    with history_of(tmp_path) as history:
        (cases,) = history.cases(run_id=found["run_id"]).values()
        record = history.run(run_id=found["run_id"])
    assert [(case.name, str(case.outcome)) for case in cases] == sorted(received)
    assert record is not None
    assert set(found["notices"]) <= set(record.suites[0].notices)
    assert found["log_lines"] < 400
    assert found["growth_mib"] < MOST_GROWTH_MIB


@pytest.mark.thorough
def test_fifty_thousand_failures_with_their_texts_are_named_and_bounded(tmp_path: Path) -> None:
    """Texts of four bytes a character: what a test prints decides what it costs here."""
    found = run(tmp_path, "fifty_thousand_tests.py", "50000", "800")

    assert (found["cause"], found["failed"]) == ("SUSPECT_ENV", 50_000), found
    assert any("texts of some failures were left out" in notice for notice in found["notices"])
    assert found["log_lines"] < 1000
    assert found["growth_mib"] < MOST_GROWTH_MIB


@pytest.mark.thorough
def test_a_file_of_64_mib_arrives_whole_although_no_compression_shrinks_it(tmp_path: Path) -> None:
    found = run(tmp_path, "large_output.py", "0", "core.bin=64")

    assert (found["cause"], found["notices"]) == ("PASS", []), found
    content = hashlib.sha256()
    for number in range(64):
        content.update(chunk("core.bin", number))
    with (Path(found["results"]) / "core.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == content.digest()
    assert found["growth_mib"] < MOST_GROWTH_MIB


def cut_after(notices: Sequence[str]) -> dict[str, str]:
    return dict(notice.split(": ", 1) for notice in notices)


@pytest.mark.thorough
def test_200_mib_of_output_arrive_up_to_the_caps_and_what_was_cut_is_said(tmp_path: Path) -> None:
    """208 MiB is what the total leaves to attachments, 64 MiB what a file may have."""
    sizes = {"a.log": 60, "b.log": 60, "c.log": 60, "d.log": 70}

    found = run(
        tmp_path, "large_output.py", "200", *(f"{name}={size}" for name, size in sizes.items())
    )

    assert found["cause"] == "PASS", found
    files = {name: (Path(found["results"]) / name).stat().st_size for name in sizes}
    assert sum(files.values()) == 208 * MIB
    assert max(files.values()) <= 64 * MIB
    cut = {
        name: f"{files[name]} of {size * MIB} bytes were sent"
        for name, size in sizes.items()
        if files[name] < size * MIB
    }
    assert cut
    assert cut_after(found["notices"]) == cut
    for name, size in files.items():
        with (Path(found["results"]) / name).open("rb") as file:
            for number in range(size // MIB):
                assert file.read(MIB) == chunk(name, number), (name, number)
    with history_of(tmp_path) as history:
        record = history.run(run_id=found["run_id"])
    assert record is not None
    assert set(found["notices"]) <= set(record.suites[0].notices)
    assert found["growth_mib"] < MOST_GROWTH_MIB


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "cause", "tests", "notice"),
    [
        pytest.param(
            "names",
            "RESULT_LOST",
            13_002,
            "the names of its test cases take more than 50331648 bytes",
            id="names",
        ),
        pytest.param(
            "running",
            "TEST_CRASH",
            950,
            "texts of some failures were left out",
            id="running tests",
        ),
        pytest.param("faults", "TEST_FAILURE", 1, "", id="failures of one test"),
        pytest.param("tags", "PASS", 8, "", id="tags"),
    ],
)
def test_results_made_to_cost_memory_do_not(
    tmp_path: Path, kind: str, cause: str, tests: int, notice: str
) -> None:
    found = run(tmp_path, "costly_results.py", kind)

    assert (found["cause"], found["tests"]) == (cause, tests), found
    assert notice in "\n".join(found["notices"])
    assert found["growth_mib"] < MOST_GROWTH_MIB
