"""Runs from elsewhere: bundles and JUnit files, and what comes twice is there once."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.results.history import bundle, importing
from floe_tests.results.history.import_files import RunFiles
from floe_tests.results.history.importing import Origin
from floe_tests.results.history.store import History
from tests.support import runs

JUNIT = """\
<testsuites><testsuite name="s" timestamp="2026-10-01T10:00:00">
<testcase classname="t" name="a" time="1.5"/>
<testcase classname="t" name="b" time="0.5"><failure message="no">Traceback</failure></testcase>
</testsuite></testsuites>
"""


def _run():
    return runs.run_of(3, {"t::a": ".", "t::b": "x", "t::c": "s"}, quarantined=("t::b",))


def test_a_bundle_is_the_run_with_every_case(tmp_path: Path) -> None:
    bundle.write(tmp_path / bundle.NAME, _run())
    assert bundle.read(tmp_path / bundle.NAME) == _run()


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        bundle.write(tmp_path / name, _run())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_bundle_imported_twice_is_one_run(tmp_path: Path, url: str) -> None:
    bundle.write(tmp_path / bundle.NAME, _run())
    with History.open(url) as history:
        states = [
            importing.add(
                history, importing.read(RunFiles.of(tmp_path / bundle.NAME), None).run
            ).state
            for _ in range(2)
        ]
        assert states == ["added", "unchanged"]
        assert history.grid(tier="demo", provider="local").total_runs == 1
        assert set(history.cases(run_id="run-0003")["tiny"]) == set(_run().suites[0].cases)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8bnot gzip", "cannot be read as a bundle"),
        (gzip.compress(b"{}"), "is no bundle of this floe-tests"),
        (gzip.compress(b'{"format": "floe-tests-run", "version": 2}'), "newer version"),
        (gzip.compress(b"[" * 100_000), "is no bundle"),
        (gzip.compress(b"t/junit.xml\0"), "takes a run's bundle.json.gz and JUnit .* unpack"),
    ],
    ids=["no gzip", "no run", "newer", "nested", "archive"],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "b"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        bundle.read(path)


def test_a_bundle_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    bundle.write(tmp_path / "b", _run())
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:-20])
    with pytest.raises(ConfigurationError, match="Copy it again"):
        importing.read(RunFiles.of(tmp_path / "b"), None)


def test_counts_that_are_not_those_of_the_cases_are_refused(tmp_path: Path) -> None:
    bundle.write(tmp_path / "b", _run())
    text = gzip.decompress((tmp_path / "b").read_bytes()).replace(b'"passed":1', b'"passed":999')
    (tmp_path / "b").write_bytes(gzip.compress(text))
    with pytest.raises(ConfigurationError, match=r"tally.passed is 999, and its cases are 1"):
        bundle.read(tmp_path / "b")


def test_a_junit_file_becomes_a_run_of_its_tier(tmp_path: Path, sqlite_url: str) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT)
    origin = Origin(tier="demo", provider="kind", ref="main", commit="abc")
    with History.open(sqlite_url) as history:
        found = importing.add(history, importing.read(RunFiles.of(path), origin).run)
        again = importing.add(history, importing.read(RunFiles.of(path), origin).run)
        assert (found.state, again.state) == ("added", "unchanged")
        run = history.run(run_id=found.run.run_id)
    assert run is not None
    assert (run.cause, run.fault, run.provider, run.commit) == (
        "TEST_FAILURE",
        "test",
        "kind",
        "abc",
    )
    assert run.started_at == datetime(2026, 10, 1, 10, tzinfo=UTC)
    assert (run.suites[0].tally.passed, run.suites[0].tally.failed) == (1, 1)
    assert "nothing proves that it is complete" in run.suites[0].notices[-1]


def test_equal_files_of_two_commits_are_two_runs_and_a_copy_is_none(
    tmp_path: Path, sqlite_url: str
) -> None:
    """A tool that writes no times writes the same bytes for every commit."""
    untimed = JUNIT.replace(' timestamp="2026-10-01T10:00:00"', "")
    states: list[tuple[str, datetime]] = []
    with History.open(sqlite_url) as history:
        for number, (name, commit, seconds) in enumerate(
            [
                ("1.xml", "a", 1_700_000_000),
                ("2.xml", "b", 1_700_000_100),
                ("copy.xml", "a", 1_700_000_200),
                ("3.xml", "b", 7_000_000_000),
            ]
        ):
            path = tmp_path / str(number) / name
            path.parent.mkdir()
            path.write_text(untimed)
            os.utime(path, (seconds, seconds))
            found = importing.read(RunFiles.of(path), Origin(tier="demo", commit=commit)).run
            done = importing.add(history, found)
            states.append((done.state, done.run.started_at))
        assert history.grid(tier="demo", provider="imported").total_runs == 2
    assert [state for state, _ in states] == ["added", "added", "unchanged", "unchanged"]
    assert [int(time.timestamp()) % 1000 for _, time in states] == [0, 100, 0, 100]


def test_a_time_that_was_given_outlasts_that_of_the_file(tmp_path: Path, sqlite_url: str) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT.replace(' timestamp="2026-10-01T10:00:00"', ""))
    at = datetime(2026, 9, 1, tzinfo=UTC)
    with History.open(sqlite_url) as history:
        for origin in (Origin(tier="demo", started_at=at), Origin(tier="demo")):
            found = importing.add(history, importing.read(RunFiles.of(path), origin).run)
        assert (found.state, found.run.started_at) == ("unchanged", at)


def test_a_junit_file_does_not_name_its_tier(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT)
    with pytest.raises(ConfigurationError, match="add --tier"):
        importing.read(RunFiles.of(path), None)


@pytest.mark.parametrize("text", ["", "<testsuites>", "no xml"])
def test_a_file_that_is_no_junit_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(text)
    with pytest.raises(FloeTestsError):
        importing.read(RunFiles.of(path), Origin(tier="demo"))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("cause", "C" * 64, "history_runs.cause .* 64 characters, and at most 63 fit"),
        ("commit", "c" * 256, "history_runs.commit .* 256 characters, and at most 255 fit"),
    ],
)
def test_a_value_that_is_too_long_is_refused_alike_by_both_databases(
    url: str, field: str, value: str, said: str
) -> None:
    with History.open(url) as history:
        with pytest.raises(ConfigurationError, match=said):
            importing.add(history, replace(_run(), **{field: value}))
        assert history.tiers() == ()


def test_a_number_that_is_too_large_is_refused_alike_by_both_databases(url: str) -> None:
    suite = _run().suites[0]
    cases = (replace(suite.cases[0], reruns=2**40), *suite.cases[1:])
    run = replace(_run(), suites=(replace(suite, cases=cases),))
    with (
        History.open(url) as history,
        pytest.raises(ConfigurationError, match=r"history_cases.reruns cannot be kept"),
    ):
        importing.add(history, run)


def test_a_path_in_the_place_of_the_address_of_a_history_is_told_how_to_be_one() -> None:
    said = r"FLOE_TESTS_HISTORY: .* '/data/h.db' cannot be read. Write sqlite:////data/h.db or"
    with pytest.raises(ConfigurationError, match=said):
        History.open("/data/h.db")
    with pytest.raises(ConfigurationError) as refused:
        History.open("me:secret@host")
    assert "secret" not in str(refused.value)
