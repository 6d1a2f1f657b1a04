"""What a suite measured, judged by its rules and against the history.

The rules are pure functions in results/measurements; here is what they are asked with. numpy and
scipy are loaded only for suites that are measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.config.suite import SuiteSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.evidence import Evidence
from floe_tests.core.ledger import as_json
from floe_tests.execution.attempt import Attempt
from floe_tests.pipeline.state import RunState
from floe_tests.results.measurements.judgement import (
    Judgement,
    fingerprint_digest,
    platform_identity,
)
from floe_tests.results.measurements.suite import Measured, SuiteMeasurements

if TYPE_CHECKING:
    from floe_tests.results.measurements import benchmark, soak
    from floe_tests.results.measurements.baseline import Ground
    from floe_tests.results.measurements.compared import Past
    from floe_tests.results.measurements.soak_growth import Known


def measure(state: RunState, suite: SuiteSettings, attempt: Attempt) -> SuiteMeasurements | None:
    """Judge and draw what an attempt measured; None for a suite that measures nothing.

    Where the history cannot be read, what needs it is doubted: a soak's hard limits need nothing.

    Args:
        state: The run.
        suite: The suite's settings.
        attempt: Its attempt.
    """
    if suite.soak is None and suite.benchmark is None:
        return None
    from floe_tests.results.measurements import plots

    found = SuiteMeasurements(Judgement())
    received = attempt.directory / "results"
    if suite.soak is not None:
        soaked = _soak(state, suite, attempt, received)
        part = Measured(soaked.judgement, plots.of_soak(soaked))
        found = replace(found, judgement=soaked.judgement, soak=part)
    if suite.benchmark is not None:
        compared = _benchmark(state, suite, attempt, received)
        part = Measured(compared.judgement, plots.of_benchmark(compared.compared))
        both = found.judgement.and_also(compared.judgement)
        found = replace(found, judgement=both, benchmark=part)
    return found


def _soak(state: RunState, suite: SuiteSettings, attempt: Attempt, received: Path) -> soak.Judged:
    from floe_tests.config.measured import SoakSettings
    from floe_tests.results.measurements import soak, soak_log

    log = soak_log.read(received / soak_log.SOAK_FILE)
    rules, platform = suite.soak or SoakSettings(), _platform(state)
    known, error = None, None
    try:
        known = _last_good_soak(state, attempt, fingerprint_digest(log.fingerprint))
    except FloeTestsError as caught:
        error = str(caught)
    judged = soak.judge(log, rules, known=known, platform=platform)
    if error is None:
        return judged
    # Growth is judged without the last good run as well: this only has to be said.
    notes = (Evidence("soak", "compared with", f"nothing: {error}"), *judged.judgement.notes)
    return replace(judged, judgement=replace(judged.judgement, notes=notes))


def _benchmark(
    state: RunState, suite: SuiteSettings, attempt: Attempt, received: Path
) -> benchmark.Judged:
    from floe_tests.config.measured import BenchmarkSettings
    from floe_tests.results.history.store import History
    from floe_tests.results.measurements import benchmark, benchmark_file

    measured = benchmark_file.read(received / benchmark_file.BENCHMARK_FILE)
    rules = suite.benchmark or BenchmarkSettings()
    error: str | None = None
    past: Mapping[str, tuple[Past, ...]] = {}
    try:
        with History.open(state.workspace.history_url) as history:
            past = history.past_measurements(
                _ground(state, attempt, fingerprint_digest(measured.fingerprint)),
                runs=rules.history_runs,
            )
    except FloeTestsError as caught:
        error = str(caught)
    judged = benchmark.judge(
        measured, rules, past=past, platform=_platform(state), commit=state.workspace.commit
    )
    if error is None:
        return judged
    doubts = (Evidence("benchmark", "baseline", error), *judged.judgement.doubts)
    return replace(judged, judgement=replace(judged.judgement, doubts=doubts))


def _last_good_soak(state: RunState, attempt: Attempt, fingerprint: str) -> Known:
    from floe_tests.results.history.store import History

    with History.open(state.workspace.history_url) as history:
        return history.last_good_soak(_ground(state, attempt, fingerprint))


def _ground(state: RunState, attempt: Attempt, fingerprint: str) -> Ground:
    from floe_tests.results.history.branches import branch_of
    from floe_tests.results.measurements.baseline import Ground

    return Ground(
        tier=state.settings.name,
        provider=state.provider,
        environment=state.environment,
        suite=attempt.suite,
        run_id=state.run_id,
        before=attempt.started_at,
        fingerprint=fingerprint,
        branch=branch_of(None, default=state.workspace.default_branch),
    )


def _platform(state: RunState) -> str:
    return platform_identity(as_json(state.platform)) if state.platform else ""
