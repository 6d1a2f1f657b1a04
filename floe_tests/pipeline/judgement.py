"""Judges a suite against the history: what it measured, and whether its tests are still there.

The rules are pure functions in results/; here is what they are asked with. numpy and scipy are
loaded only for suites that are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from floe_tests.config.selection import selected
from floe_tests.config.suite import SuiteSettings
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.evidence import Evidence
from floe_tests.core.ledger import as_json
from floe_tests.core.verdict import Cause
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.verdict.facts import JudgedFacts
from floe_tests.pipeline.gate import removals_of, results_of

if TYPE_CHECKING:
    from floe_tests.pipeline.run import TierRun
    from floe_tests.results.cases import CaseResult
    from floe_tests.results.collate import SuiteResults
    from floe_tests.results.measurements import benchmark, soak
    from floe_tests.results.measurements.baseline import Ground
    from floe_tests.results.measurements.judgement import Judgement
    from floe_tests.results.presence.compare import Baseline, Presence

# Verdicts that a suite's own tests gave it: of any other, what is missing is explained already.
_BY_TESTS = frozenset({Cause.PASS, Cause.TEST_FAILURE, Cause.SUSPECT_ENV})


@dataclass(frozen=True)
class SuiteJudgement:
    """A judged suite.

    Attributes:
        judgement: The findings.
        soak: The soak, with what its page draws; None for a suite that is none.
        benchmark: The benchmark, the same.
    """

    judgement: Judgement
    soak: soak.Judged | None = None
    benchmark: benchmark.Judged | None = None

    @property
    def facts(self) -> JudgedFacts:
        """The findings, as the table of verdicts takes them."""
        found = self.judgement
        return JudgedFacts(
            achieved=found.achieved,
            broken=found.broken,
            drifts=found.drifts,
            regressions=found.regressions,
            doubts=found.doubts,
            notes=found.notes,
        )


def environment_name(lease: Lease | None) -> str:
    """Return the name of the cluster or context that a run had."""
    if lease is None:
        return "none"
    if lease.cluster:
        return lease.cluster
    return (lease.access.context if lease.access else None) or lease.provider


def judge_suite(run: TierRun, suite: SuiteSettings, attempt: Attempt) -> SuiteJudgement | None:
    """Judge what an attempt measured; None for a suite that is not judged.

    Where the history cannot be read, what needs it is doubted: a soak's hard limits need nothing.

    Args:
        run: The run.
        suite: The suite's settings.
        attempt: Its attempt.
    """
    if suite.soak is None and suite.benchmark is None:
        return None
    from floe_tests.results.measurements.judgement import Judgement

    judged = SuiteJudgement(Judgement())
    received = attempt.directory / "results"
    if suite.soak is not None:
        found = _soak(run, suite, attempt, received)
        judged = replace(judged, judgement=found.judgement, soak=found)
    if suite.benchmark is not None:
        compared = _benchmark(run, suite, attempt, received)
        both = judged.judgement.and_also(compared.judgement)
        judged = replace(judged, judgement=both, benchmark=compared)
    return judged


def _soak(run: TierRun, suite: SuiteSettings, attempt: Attempt, received: Path) -> soak.Judged:
    from floe_tests.config.measured import SoakSettings
    from floe_tests.results.measurements import soak, soak_log
    from floe_tests.results.measurements.judgement import fingerprint_digest

    log = soak_log.read(received / soak_log.SOAK_FILE)
    rules, platform = suite.soak or SoakSettings(), _platform(run)
    known, error = None, None
    try:
        known = _last_good_soak(run, attempt, fingerprint_digest(log.fingerprint))
    except FloeTestsError as caught:
        error = str(caught)
    judged = soak.judge(log, rules, known=known, platform=platform)
    if error is None:
        return judged
    # Growth is judged without the last good run as well: this only has to be said.
    notes = (Evidence("soak", "compared with", f"nothing: {error}"), *judged.judgement.notes)
    return replace(judged, judgement=replace(judged.judgement, notes=notes))


def _benchmark(
    run: TierRun, suite: SuiteSettings, attempt: Attempt, received: Path
) -> benchmark.Judged:
    from floe_tests.config.measured import BenchmarkSettings
    from floe_tests.results.history.store import History
    from floe_tests.results.measurements import benchmark, benchmark_file
    from floe_tests.results.measurements.judgement import fingerprint_digest

    measured = benchmark_file.read(received / benchmark_file.BENCHMARK_FILE)
    rules = suite.benchmark or BenchmarkSettings()
    error: str | None = None
    past: Mapping[str, tuple[benchmark.Past, ...]] = {}
    try:
        with History.open(run.workspace.history_url) as history:
            past = history.past_measurements(
                _ground(run, attempt, fingerprint_digest(measured.fingerprint)),
                runs=rules.history_runs,
            )
    except FloeTestsError as caught:
        error = str(caught)
    judged = benchmark.judge(
        measured, rules, past=past, platform=_platform(run), commit=run.workspace.commit
    )
    if error is None:
        return judged
    doubts = (Evidence("benchmark", "baseline", error), *judged.judgement.doubts)
    return replace(judged, judgement=replace(judged.judgement, doubts=doubts))


def _last_good_soak(run: TierRun, attempt: Attempt, fingerprint: str) -> soak.Known:
    from floe_tests.results.history.store import History

    with History.open(run.workspace.history_url) as history:
        return history.last_good_soak(_ground(run, attempt, fingerprint))


def _ground(run: TierRun, attempt: Attempt, fingerprint: str) -> Ground:
    from floe_tests.environments.lease import ENTRY
    from floe_tests.results.measurements.baseline import Ground

    lease = run.ledger.read(run.run_id, ENTRY, Lease)
    return Ground(
        tier=run.settings.name,
        provider=lease.provider if lease else "none",
        environment=environment_name(lease),
        suite=attempt.suite,
        run_id=run.run_id,
        before=attempt.started_at,
        fingerprint=fingerprint,
    )


def _platform(run: TierRun) -> str:
    from floe_tests.results.measurements.judgement import platform_identity

    installed = run.installed()
    return platform_identity(as_json(installed)) if installed else ""


def compare_suite(
    run: TierRun,
    suite: SuiteSettings,
    attempts: Sequence[Attempt],
    results: SuiteResults | None = None,
) -> Presence | None:
    """Compare a suite's tests with those of its last good runs on the default branch.

    Args:
        run: The run.
        suite: The suite's settings, narrowed to what the run chose.
        attempts: Its attempts, oldest first; at least one.
        results: Its results, where they have been read already.

    Returns:
        What is missing and what is to be said; None where something else ended the attempt.

    Raises:
        ConfigurationError: The list of removed tests is missing or wrong.
    """
    attempt = attempts[-1]
    if attempt.verdict.cause not in _BY_TESTS:
        return None
    from floe_tests.results.presence.changes import GitChanges
    from floe_tests.results.presence.compare import Presence, Rules, compare

    try:
        baseline = _last_good(run, suite, attempt)
    except FloeTestsError as error:
        note = Evidence(suite.name, "presence", f"not compared with any run: {error}")
        return Presence(note, notes=(note,))
    results = results or results_of(attempts)
    missing = suite.missing or run.settings.missing
    return compare(
        results.cases,
        baseline,
        suite=suite.name,
        rules=Rules(missing.fail_above, missing.fail_proved, missing.fail_named),
        removals=removals_of(run.settings, run.workspace.root),
        change_of=GitChanges(
            run.workspace.root, run.workspace.commit, is_reported=reported_in(results.cases)
        ),
        deselected=results.deselected,
    )


def _last_good(run: TierRun, suite: SuiteSettings, attempt: Attempt) -> Baseline:
    from floe_tests.results.history.branches import Branch
    from floe_tests.results.history.last_good import Like
    from floe_tests.results.history.store import History

    ground = _ground(run, attempt, "")
    like = Like(
        tier=ground.tier,
        provider=ground.provider,
        environment=ground.environment,
        suite=suite.name,
        selection=selected(suite),
        branch=Branch(run.workspace.default_branch, is_default=True),
        run_id=run.run_id,
        before=attempt.started_at,
    )
    with History.open(run.workspace.history_url) as history:
        return history.last_good(like)


def reported_in(cases: Iterable[CaseResult]) -> Callable[[str], bool]:
    """Return what tells whether a module, class or function reported a test, by its name."""

    @cache
    def names() -> frozenset[str]:
        from floe_tests.results.presence.losses import container, function_of

        found = {function_of(case.name) for case in cases if not case.is_collection}
        inside = {container(name) for name in found}
        while inside:
            found |= inside
            inside = {name.rpartition(".")[0] for name in inside} - found
        return frozenset(found)

    return lambda name: name in names()
