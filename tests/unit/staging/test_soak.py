"""A soak without a platform: what it writes, whatever ends it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from platform_suite.order_stream import StreamRules
from staging.environment import WrongEnvironment
from staging.soak.load import Operation
from staging.soak.operations import AllBusy, Batches
from staging.soak.record import Record
from staging.soak.settings import read_settings
from staging.soak.soak import Soak
from staging.soak.usage import NoUsage, Sample
from tests.support.kube_api import Clock

TESTS = Path(__file__).parents[2]
RULES = StreamRules(10_000, 7)
SAMPLE = Sample("cube", "cube-1", 100, 200, 0.1, 0.5, 0, 0, None, None)


class Sampled:
    """A sampler with the next of some answers each time."""

    def __init__(self, *answers: list[Sample] | Exception) -> None:
        self._answers = itertools.cycle(answers)

    def sample(self) -> list[Sample]:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def soak(path: Path, sampler: object, seconds: float = 0.5) -> tuple[Any, list[dict[str, Any]]]:
    clock = Clock()
    record = Record(path, elapsed=clock)
    record.write("start", planned_seconds=seconds)
    operations = [Operation("query", 1200, lambda: None)]
    soaking = Soak(
        operations,
        sampler,  # type: ignore[arg-type]
        record,
        interval_seconds=0.1,
        clock=clock,
        sleep=clock.pause,
    )
    soaked = soaking.run(seconds)
    return soaked, lines_of(path)


def test_every_interval_has_samples_and_load_and_the_last_line_is_the_end(tmp_path: Path) -> None:
    soaked, lines = soak(tmp_path / "soak.jsonl", Sampled([SAMPLE]))

    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "start"
    assert (kinds[-1], lines[-1]["reason"]) == ("end", "completed")
    assert kinds.count("sample") == soaked.intervals == soaked.sampled["cube"] == 5
    assert kinds.count("load") == soaked.intervals + 1
    requests = sum(line["requests"] for line in lines if line["kind"] == "load")
    assert requests == soaked.tallies["query"].begun
    sample = next(line for line in lines if line["kind"] == "sample")
    assert sample.keys() >= {"at", "elapsed", "component", "pod", "memory_bytes", "oom_kills"}
    assert [line["elapsed"] for line in lines] == sorted(line["elapsed"] for line in lines)


def test_interval_without_samples_is_a_gap_with_its_reason_and_the_load_goes_on(
    tmp_path: Path,
) -> None:
    sampler = Sampled([SAMPLE], ConnectionError("API away"))
    soaked, lines = soak(tmp_path / "soak.jsonl", sampler)

    gaps = [line for line in lines if line["kind"] == "gap"]
    assert len(gaps) == len(soaked.gaps) == 2
    assert gaps[0]["reason"] == "ConnectionError: API away"
    assert sum(line["kind"] == "load" for line in lines) == soaked.intervals + 1


def test_soak_without_any_source_of_usage_has_gaps_alone(tmp_path: Path) -> None:
    soaked, lines = soak(tmp_path / "soak.jsonl", NoUsage("nobody answers"))

    assert soaked.sampled == {}
    assert {line["reason"] for line in lines if line["kind"] == "gap"} == {
        "NoUsage: nobody answers"
    }


SOAKS = """
import sys
from pathlib import Path
import time
import pytest
from staging.soak.load import Operation
from staging.soak.record import Record
from staging.soak.soak import Soak
from staging.soak.usage import NoUsage

def test_soak():
    record = Record(Path("{results}/soak.jsonl"), elapsed=time.monotonic)
    record.write("start", planned_seconds=3600)
    Soak([Operation("op", 600, lambda: time.sleep(30))], NoUsage("none"), record,
         interval_seconds=0.2).run(3600)
"""


@pytest.mark.functional
def test_sigterm_writes_the_end(tmp_path: Path) -> None:
    """Who reads the record knows that it was cut short, and how far it got."""
    results = tmp_path / "results"
    results.mkdir()
    (tmp_path / "test_it.py").write_text(SOAKS.format(results=results))
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py", "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS), "FLOE_RESULTS_DIR": str(results)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    path = results / "soak.jsonl"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (path.exists() and '"gap"' in path.read_text()):
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)

    assert time.monotonic() - began < 20, "what is under way holds nothing up"
    last = lines_of(path)[-1]
    assert (last["kind"], last["reason"]) == ("end", "terminated"), output.decode()
    assert process.returncode == 128 + signal.SIGTERM


def test_batches_take_turns_and_none_is_replaced_by_two_runs_at_once() -> None:
    batches = Batches(RULES)
    taken = [batches.take() for _ in range(RULES.parts)]

    assert [part for part, _ in taken] == [0, 1, 2, 3]
    assert len({rules.seed for _, rules in taken} | {RULES.seed}) == 5
    with pytest.raises(AllBusy, match="all 4 batches"):
        batches.take()
    part, rules = taken[2]
    batches.give_back(part, now_holds=rules)
    assert batches.take()[0] == 2


def test_expectation_is_of_the_last_run_that_succeeded() -> None:
    batches = Batches(RULES)
    part, rules = batches.take()
    batches.give_back(part, now_holds=rules)

    expected = batches.expected()

    assert expected["volume-0"] == rules.daily_totals(0) != RULES.daily_totals(0)
    assert expected["volume-1"] == RULES.daily_totals(1)
    assert batches.unsure() == []


def test_batch_whose_run_failed_may_hold_one_thing_or_another() -> None:
    batches = Batches(RULES)
    part, _ = batches.take()
    batches.give_back(part, now_holds=None)

    assert batches.unsure() == [part]


def test_wrong_settings_are_named_all_at_once() -> None:
    with pytest.raises(WrongEnvironment) as caught:
        read_settings(
            {
                "FLOE_SOAK_MINUTES": "ten",
                "FLOE_SOAK_SCALE": "12",
                "FLOE_SOAK_KUBELET_TLS": "off",
                "FLOE_SOAK_QUERIES_PER_MINUTE": "",
            }
        )

    assert str(caught.value) == (
        "FLOE_SOAK_MINUTES is 'ten'; give a number from 1 to 20160; "
        "FLOE_SOAK_SCALE is '12'; give a number from 10000 to 1e+08; "
        "FLOE_SOAK_KUBELET_TLS is 'off'; give one of verify, unverified"
    )


def test_soak_that_is_longer_than_its_run_lets_it_does_not_begin() -> None:
    given = {"FLOE_SOAK_MINUTES": "60", "FLOE_TESTS_TIMEOUT_SECONDS": "1200"}
    with pytest.raises(WrongEnvironment, match=r"takes 3960 s, and the tests have 1200 s"):
        read_settings(given)

    assert read_settings({**given, "FLOE_SOAK_MINUTES": "10"}).seconds == 600
