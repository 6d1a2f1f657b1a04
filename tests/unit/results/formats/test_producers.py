"""Each tool's JUnit file is read as the tool means it, by an import and by a run.

producers.yaml has a row a tool: its sample, what it printed itself when it made it, and how the
sample is read. docs/junit.md shows the same rows; run as a program, this file writes them there.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.results.cases import CaseResult, Tally
from floe_tests.results.collate import collate
from floe_tests.results.history import importing
from floe_tests.results.history.import_files import RunFiles, runs_of
from floe_tests.results.history.importing import Origin

HERE = Path(__file__).parent
SAMPLES = HERE / "producers"
DOCS = HERE.parents[3] / "docs" / "junit.md"
BEGIN, END = "<!-- producers -->\n", "<!-- end of producers -->\n"
MOST_BYTES = 20_000
OF_A_MACHINE = ("/tmp/", "/home/", "/root/", 'hostname="vm"')  # noqa: S108 - looked for, not used
PRODUCERS: list[dict[str, Any]] = yaml.safe_load((HERE / "producers.yaml").read_text("utf-8"))


def files_of(producer: dict[str, Any]) -> list[Path]:
    sample = SAMPLES / producer["sample"]
    return sorted(sample.rglob("*.xml")) if sample.is_dir() else [sample]


def counts(cases: tuple[CaseResult, ...]) -> dict[str, int]:
    tally = Tally.of(cases)
    return {
        "tests": tally.tests,
        "passed": tally.passed,
        "failing": tally.failing,
        "skipped": tally.skipped,
        "flaky": sum(1 for case in cases if case.reruns and case.outcome == "passed"),
    }


def each_producer(function: Any) -> Any:
    names = [producer["tool"] for producer in PRODUCERS]
    return pytest.mark.parametrize("producer", PRODUCERS, ids=names)(function)


@each_producer
def test_an_import_reads_a_sample_as_its_tool_means_it(producer: dict[str, Any]) -> None:
    (files,) = runs_of([SAMPLES / producer["sample"]])
    assert isinstance(files, RunFiles)
    found = importing.read(files, Origin(tier="t"))

    assert counts(found.run.suites[0].cases) == producer["read"]
    assert (found.damage, found.differing) == ((), 0)


@each_producer
def test_a_run_reads_a_sample_as_its_tool_means_it(
    producer: dict[str, Any], tmp_path: Path
) -> None:
    sample = SAMPLES / producer["sample"]
    if sample.is_dir():
        shutil.copytree(sample, tmp_path, dirs_exist_ok=True)
    else:
        shutil.copy(sample, tmp_path)
    results = collate(tmp_path)

    assert counts(results.cases) == producer["read"]
    assert (results.contradictions, results.doubts) == ((), ())
    assert len({case.name for case in results.cases}) == results.tally.tests


def test_every_sample_is_in_the_table_and_small() -> None:
    known = {path for producer in PRODUCERS for path in files_of(producer)}
    assert known == set(SAMPLES.rglob("*.xml"))
    assert {path.name for path in known if path.stat().st_size > MOST_BYTES} == set()


def test_the_samples_say_nothing_of_the_machine_that_made_them() -> None:
    for path in SAMPLES.rglob("*.xml"):
        text = path.read_text("utf-8")
        assert not any(word in text for word in OF_A_MACHINE), path


def table() -> str:
    """Return the rows for docs/junit.md."""
    counted = "read as: tests, passed, failing, skipped, flaky"
    heads = ("tool", "sample made", "it said itself", counted, "notes", "what its file loses")
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for each in PRODUCERS:
        made = f"{each['made']}, {each['version']}" if "version" in each else each["made"]
        read = ", ".join(map(str, each["read"].values()))
        cells = (
            each["tool"],
            made,
            each.get("said", ""),
            read,
            each.get("note", ""),
            each["loses"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def test_the_documentation_shows_the_table() -> None:
    text = DOCS.read_text("utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table()


if __name__ == "__main__":
    head, _, rest = DOCS.read_text("utf-8").partition(BEGIN)
    DOCS.write_text(f"{head}{BEGIN}{table()}{END}{rest.partition(END)[2]}", "utf-8")
