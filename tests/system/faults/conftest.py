"""The table of faults: kept while the tests run, printed at the end, written by `make faults`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_tests.kube import Kube
from floe_tests.labels import RUN

from ..conftest import SmallTier  # noqa: TID252 - suites are folders, not packages
from .bench import FaultBench, Row, markdown, slowest_but_few, write_page

_rows = pytest.StashKey[list[Row]]()
_VERDICT_SECONDS = 5.0
# `make faults` sets it: all faults are done, and the page is written here.
_PAGE = "FLOE_FAULTS_PAGE"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_rows] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(_PAGE):
        return
    for item in items:
        if item.get_closest_marker("thorough"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: `make faults` runs it"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = terminalreporter.config.stash.get(_rows, [])
    if rows:
        terminalreporter.section("faults")
        terminalreporter.write(markdown(rows))
        terminalreporter.write_line(
            f"95th percentile to the verdict: {slowest_but_few(rows):.1f} s"
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    rows = session.config.stash.get(_rows, [])
    page = os.environ.get(_PAGE)
    if not page or not rows:
        return
    write_page(Path(page), rows)
    if slowest_but_few(rows) > _VERDICT_SECONDS and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def bench(
    tmp_path: Path, kubeconfig: Path, kube: Kube, request: pytest.FixtureRequest
) -> Iterator[FaultBench]:
    """The shared one-node cluster; nothing of a run may be left in it."""
    yield from bench_on(SmallTier(tmp_path / "project", kubeconfig), kube, request.config)


def bench_on(tier: SmallTier, kube: Kube, config: pytest.Config) -> Iterator[FaultBench]:
    """Give a bench, and count afterwards what its runs have left."""
    made = FaultBench(tier, kube, config.stash[_rows])
    yield made
    made.abandon()
    left = [
        f"{kind} {item['metadata']['name']}"
        for kind in ("Namespace", "Job", "Pod")
        for item in kube.list(kind, label_selector=RUN)
    ]
    for row in made.own_rows:
        row.left = len(left)
    assert left == []
