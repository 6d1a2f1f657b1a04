"""Soaks and benchmarks as tests of their rules need them: a few words each."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from floe_tests.results.measurements.benchmark_file import Benchmark, Measurement
from floe_tests.results.measurements.compared import Past
from floe_tests.results.measurements.judgement import fingerprint_digest
from floe_tests.results.records import MeasurementRecord

MIB = 2.0**20
BEGAN = datetime(2026, 11, 20, 12, tzinfo=UTC)
FINGERPRINT = {"node": {"cpus": 2}, "scale": 10_000, "seed": 7, "suite_version": "1"}


def line(kind: str, elapsed: float, **values: object) -> dict[str, object]:
    at = (BEGAN + timedelta(seconds=elapsed)).isoformat()
    return {"kind": kind, "at": at, "elapsed": elapsed, **values}


def sample(elapsed: float, component: str = "cube", **values: object) -> dict[str, object]:
    known: dict[str, object] = {
        "component": component,
        "pod": f"{component}-0",
        "memory_bytes": 400 * MIB,
        "memory_limit_bytes": 1024 * MIB,
        "cpu_cores": 0.1,
        "cpu_limit_cores": 1.0,
        "restarts": 0,
        "oom_kills": 0,
        "disk_bytes": 100 * MIB,
        "disk_limit_bytes": 1024 * MIB,
    }
    return line("sample", elapsed, **{**known, **values})


def soak_lines(
    *,
    minutes: float = 10,
    planned: float | None = None,
    memory: Callable[[float], float] = lambda _: 400.0,
    end: str | None = "completed",
    components: tuple[str, ...] = ("cube", "postgres"),
    **load: object,
) -> list[dict[str, object]]:
    """Return a soak's lines; `memory` is MiB of the first component by seconds."""
    chance = np.random.default_rng(3)
    seconds = [15.0 * place for place in range(int(minutes * 4) + 1)]
    lines: list[dict[str, object]] = [
        {
            "kind": "start",
            "at": BEGAN.isoformat(),
            "planned_seconds": (planned or minutes) * 60,
            "interval_seconds": 15,
            "fingerprint": FINGERPRINT,
        }
    ]
    for elapsed in seconds:
        for number, component in enumerate(components):
            noise = chance.normal() * 2
            used = memory(elapsed) if number == 0 else 300.0
            lines.append(sample(elapsed, component, memory_bytes=(used + noise) * MIB))
        asked = {"operation": "totals", "requests": 12, "errors": 0, "first_error": ""}
        times = {"p50_seconds": 0.1, "p95_seconds": 0.2, "max_seconds": 0.3}
        lines.append(line("load", elapsed, **{**asked, **times, **load}))
    if end is not None:
        lines.append(line("end", seconds[-1], reason=end))
    return lines


def write_lines(folder: Path, lines: list[dict[str, object]]) -> Path:
    path = folder / "soak.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    return path


def measured(seed: int = 1, factor: float = 1.0, *, count: int = 20, **fields: Any) -> Benchmark:
    """Return a benchmark of two measurements; the factor is that of the first."""
    chance = np.random.default_rng(seed)
    given = {"unit": "s", "better": "lower", **fields}
    return Benchmark(
        fingerprint=FINGERPRINT,
        measurements=tuple(
            Measurement(
                name=name,
                values=tuple(
                    float(each) for each in by * level * np.exp(0.03 * chance.normal(size=count))
                ),
                **given,
            )
            for name, level, by in (("ingest", 2.0, factor), ("query", 0.1, 1.0))
        ),
    )


def past_of(
    benchmark: Benchmark, *, number: int, is_good: bool = True, platform: str = "", **fields: Any
) -> dict[str, Past]:
    """Return a benchmark as a run of the past, so many hours after the first."""
    return {
        each.name: Past(
            record=MeasurementRecord(
                name=each.name,
                unit=each.unit,
                better=each.better,
                samples=len(each.values),
                median=float(np.median(each.values)),
                values=each.values,
                fingerprint=fingerprint_digest(benchmark.fingerprint),
                platform=platform,
            ),
            run_id=f"run-{number}",
            started_at=BEGAN + timedelta(hours=number),
            commit=f"c{number}",
            is_good=is_good,
            **fields,
        )
        for each in benchmark.measurements
    }


def pasts_of(runs: list[dict[str, Past]]) -> dict[str, list[Past]]:
    """Return runs, oldest first, by measurement, newest first."""
    names = {name for run in runs for name in run}
    return {name: [run[name] for run in reversed(runs) if name in run] for name in names}
