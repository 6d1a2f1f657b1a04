"""Makes the pages of soak and benchmark that the pictures show, from synthetic data.

`measured.py FOLDER` writes soak.html and benchmark.html there, by the code that judges and draws
real runs. The pages say that their data is synthetic.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from floe_tests.config.measured import BenchmarkSettings, SoakSettings
from floe_tests.core.verdict import Cause, Fault, Verdict
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.report import measured
from floe_tests.results.collate import collate
from floe_tests.results.measurements import benchmark, plots, soak, soak_log
from floe_tests.results.measurements.benchmark_file import Benchmark, Measurement
from floe_tests.results.measurements.compared import Past
from floe_tests.results.measurements.suite import Measured, SuiteMeasurements

BEGAN = datetime(2026, 11, 24, 2, tzinfo=UTC)
FINGERPRINT = {"scale": 10_000, "seed": 7}
PLATFORM = "floe-platform-0.3.0 (app 0.1.0), images 5f0c2d9a1b3e"
MIB = 2**20
SECONDS = range(0, 601, 15)
COMPONENTS = {"cube": 380, "postgres": 210, "iceberg-rest": 330, "dagster-daemon": 190}


def main() -> None:
    """Write both pages."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(11)
    soaked, compared = soaked_in(folder, chance), compared_of(chance)
    suites = [
        PublishedSuite(
            "soak (synthetic data)",
            verdict(Cause.SOAK_DRIFT, soaked.judgement.drifts),
            collate(folder),
            measured=SuiteMeasurements(
                soaked.judgement, soak=Measured(soaked.judgement, plots.of_soak(soaked))
            ),
        ),
        PublishedSuite(
            "benchmark (synthetic data)",
            verdict(Cause.REGRESSION, compared.judgement.regressions),
            collate(folder),
            measured=SuiteMeasurements(
                compared.judgement,
                benchmark=Measured(compared.judgement, plots.of_benchmark(compared.compared)),
            ),
        ),
    ]
    for suite in suites:
        run = PublishedRun(
            run_id="5ynthet1c",
            tier="staging",
            provider="context",
            verdict=suite.verdict,
            suites=(suite,),
            junit=folder / "junit.xml",
            directory=folder / "runs" / "5ynthet1c",
            seconds=0,
            first_test_seconds=None,
            overhead_seconds=None,
            memory_peak_mib=None,
        )
        measured.write(run, at=BEGAN, commit="9f2c1ab04d77")


def verdict(cause: Cause, evidence: object) -> Verdict:
    """Return a verdict with what was found; none found means that the pictures show nothing."""
    if not evidence:
        message = f"the synthetic data makes no {cause}"
        raise SystemExit(message)
    return Verdict(cause, Fault.PLATFORM, (), "")


def soaked_in(folder: Path, chance: np.random.Generator) -> soak.Judged:
    """Judge ten minutes in which one component leaks."""
    lines: list[dict[str, object]] = [
        {
            "kind": "start",
            "planned_seconds": 600,
            "interval_seconds": 15,
            "fingerprint": FINGERPRINT,
        }
    ]
    for elapsed in SECONDS:
        at = (BEGAN + timedelta(seconds=elapsed)).isoformat()
        for name, level in COMPONENTS.items():
            leak = 14 * elapsed / 60 if name == "cube" else 0
            teeth = 60 * ((elapsed / 15) % 4) / 4 if name == "iceberg-rest" else 0
            lines.append(
                {
                    "kind": "sample",
                    "at": at,
                    "elapsed": elapsed,
                    "component": name,
                    "pod": f"{name}-0",
                    "memory_bytes": (level + leak + teeth + chance.normal() * 3) * MIB,
                    "memory_limit_bytes": 768 * MIB,
                    "cpu_cores": max(0.01, 0.15 + chance.normal() * 0.03),
                    "cpu_limit_cores": 1,
                    "restarts": 0,
                    "oom_kills": 0,
                }
            )
        for name, middle in (("cube_daily_totals", 0.12), ("pipeline", 2.1)):
            seconds = middle * float(np.exp(chance.normal() * 0.15))
            load = {"requests": 15, "errors": 0, "p50_seconds": seconds}
            lines.append(
                {
                    "kind": "load",
                    "at": at,
                    "elapsed": elapsed,
                    "operation": name,
                    **load,
                    "p95_seconds": seconds * 1.6,
                }
            )
    lines.append({"kind": "end", "elapsed": 600, "reason": "completed"})
    file = folder / soak_log.SOAK_FILE
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    rules = SoakSettings(latency_seconds={"cube_daily_totals": 0.5})
    return soak.judge(soak_log.read(file), rules, platform=PLATFORM)


def compared_of(chance: np.random.Generator) -> benchmark.Judged:
    """Judge a night after twenty others, of which one was the last quick one."""
    past: dict[str, list[Past]] = {}
    for night in range(20):
        judged = benchmark.judge(repetitions(chance), BenchmarkSettings(), past=past)
        for each in judged.judgement.measurements:
            past.setdefault(each.name, []).insert(
                0,
                Past(
                    record=replace(each, platform=PLATFORM),
                    run_id=str(night),
                    started_at=BEGAN - timedelta(days=20 - night),
                    commit=f"{1_000_003 * (night + 7):x}",
                    is_good=True,
                ),
            )
    slower = repetitions(chance, 1.2)
    return benchmark.judge(
        slower, BenchmarkSettings(), past=past, platform=PLATFORM, commit="9f2c1ab04d77"
    )


def repetitions(chance: np.random.Generator, slower: float = 1.0) -> Benchmark:
    """Return twenty repetitions of two measurements; the first one may be slower."""
    return Benchmark(
        fingerprint=FINGERPRINT,
        measurements=tuple(
            Measurement(
                name=name,
                unit="s",
                better="lower",
                values=tuple(
                    float(each)
                    for each in by
                    * level
                    * np.exp(0.02 * chance.normal() + 0.04 * chance.normal(size=20))
                ),
            )
            for name, level, by in (
                ("lakehouse_ingest", 8.0, slower),
                ("cube_daily_totals", 0.12, 1.0),
            )
        ),
    )


if __name__ == "__main__":
    main()
