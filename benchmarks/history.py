"""How quick the history is with a million cases: `python benchmarks/history.py [URL]`.

Fills an empty database (SQLite in a temporary folder, or the one named) with 1,000 runs of 1,000
tests, and measures in one process what people wait for. Wall is the median of the rounds, CPU what
this process itself took in the quickest one: on a busy machine the first says little. The ratio is
to the database handing out the same rows without this project, round by round.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from sqlalchemy import create_engine, text

from floe_tests.results.cases import CaseOutcome, CaseResult, Tally
from floe_tests.results.history.analysis import Question, accounts_of, read_accounts
from floe_tests.results.history.store import History
from floe_tests.results.records import RunRecord, SuiteRecord

RUNS, TESTS = 1_000, 1_000
SHOWN_RUNS = 200
INSERTED = 10_000
ROUNDS = 5
NEWEST = datetime(2026, 11, 1, tzinfo=UTC)


def main() -> None:
    """Fill, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'history.db'}"
        with History.open(url) as history:
            if history.tiers() == ():
                started = perf_counter()
                for number in range(RUNS):
                    history.record(run=_run(number, TESTS))
                seconds = perf_counter() - started
                print(f"{RUNS * TESTS:,} cases written in {seconds:.0f} s")  # noqa: T201
            _measure(history, url)


def _measure(history: History, url: str) -> None:
    engine = create_engine(url)
    newest = "SELECT s.suite_id FROM history_suites s JOIN history_runs r ON r.run_id = s.run_id "
    newest += f"ORDER BY r.started_at DESC LIMIT {SHOWN_RUNS}"
    cells = "SELECT suite_id, test_id, outcome, seconds, reruns FROM history_cases "

    def bare() -> None:
        with engine.connect() as connection:
            connection.execute(text(f"{cells} WHERE suite_id IN ({newest})")).all()

    def grid() -> None:
        history.grid(tier="bench", provider="local", limit=SHOWN_RUNS)

    def account() -> None:
        read_accounts(history, Question(tier="bench", runs=SHOWN_RUNS))

    def one_test() -> None:
        history.test_history(name="t.m7::test_7", tier="bench", provider="local")

    def insertion() -> None:
        history.record(run=_run(-1, INSERTED))

    kept = history.grid(tier="bench", provider="local", limit=SHOWN_RUNS)
    rows: list[tuple[str, Callable[[], object]]] = [
        ("the same rows from the database alone", bare),
        (f"grid query, {TESTS:,} tests x {SHOWN_RUNS} runs", grid),
        ("the rules on all of them", lambda: accounts_of(kept)),
        ("query and rules", account),
        ("one test, its newest 100 runs", one_test),
        (f"insert of {INSERTED:,} cases", insertion),
    ]
    wall: dict[str, list[float]] = {name: [] for name, _ in rows}
    cpu: dict[str, list[float]] = {name: [] for name, _ in rows}
    for _ in range(ROUNDS):
        for name, work in rows:
            started, busy = perf_counter(), process_time()
            work()
            wall[name].append(perf_counter() - started)
            cpu[name].append(process_time() - busy)
    print(f"{'':<45}    wall     CPU   ratio")  # noqa: T201
    base = wall[rows[0][0]]
    for name, found in wall.items():
        ratio = median(each / of for each, of in zip(found, base, strict=True))
        print(f"{name:<45} {median(found):6.3f}s {min(cpu[name]):6.3f}s {ratio:7.2f}")  # noqa: T201
    engine.dispose()


def _run(number: int, tests: int) -> RunRecord:
    chance = random.Random(number)  # noqa: S311 - the same history each time
    cases = tuple(
        CaseResult(
            name=f"t.m{test % 50}::test_{test}",
            outcome=CaseOutcome.FAILED if chance.random() < 0.01 else CaseOutcome.PASSED,  # noqa: PLR2004
            seconds=round(chance.random(), 3),
        )
        for test in range(tests)
    )
    suite = SuiteRecord(
        name="bench",
        outcome="failed",
        cause="TEST_FAILURE",
        fault="test",
        tally=Tally.of(cases),
        cases=cases,
    )
    return RunRecord(
        run_id=f"bench-{number}",
        tier="bench",
        provider="local",
        environment="local",
        outcome="failed",
        cause="TEST_FAILURE",
        ref="main",
        commit=f"c{number // 3}",
        started_at=NEWEST - timedelta(minutes=number + 10),
        suites=(suite,),
    )


if __name__ == "__main__":
    main()
