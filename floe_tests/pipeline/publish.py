"""A run's end: its verdict, its JUnit file, its place in the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from floe_tests.config.project import JUNIT
from floe_tests.config.selection import selected
from floe_tests.config.suite import SuiteSettings
from floe_tests.core.errors import ConfigurationError, FloeTestsError
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Fault, Verdict
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.verdict.facts import ErrorFacts, Facts
from floe_tests.execution.verdict.rules import classify
from floe_tests.pipeline import files
from floe_tests.pipeline.entries import entries_of
from floe_tests.pipeline.history_record import Origin, run_record
from floe_tests.pipeline.platform_looks import found_after
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.pipeline.records import SuiteVerdict, error_facts
from floe_tests.pipeline.state import RunState
from floe_tests.pipeline.suite_results import NO_RESULTS, results_of
from floe_tests.pipeline.summary import summary_of
from floe_tests.pipeline.verdicts import judge_suite, readable_lists_of
from floe_tests.results import received
from floe_tests.results.collate import SuiteResults
from floe_tests.results.history import bundle
from floe_tests.results.records import RunRecord


def publish(state: RunState) -> PublishedRun:
    """Write a run's JUnit file and remember the run, with the verdicts of its suites.

    A suite that was not judged, because the run ended before, is judged now. Publishing again
    replaces the account that is there.

    Args:
        state: The run, whatever became of it.

    Returns:
        What was written.

    Raises:
        FloeTestsError: The history cannot be written; the files have been, and say so. A run that
            passed is then not PASS, in any of them but the bundle, which the history can still
            take.
    """
    published = _published(state)
    commit, ref = state.workspace.commit, state.workspace.ref
    files.write_junit(published, commit=commit, ref=ref)
    record = run_record(
        state,
        Origin(published.tier, ref=ref, commit=commit, trigger=state.workspace.trigger),
        published.verdict,
        published.suites,
        is_kept=state.lease is not None and state.lease.stays,
    )
    bundle.write(published.directory / bundle.NAME, record)
    unremembered: FloeTestsError | None = None
    try:
        published = _remember(state, published, record)
    except FloeTestsError as error:
        unremembered = error
        published = _not_remembered(published, error)
        files.write_junit(published, commit=commit, ref=ref)
    summary = summary_of(published, state.stages, unremembered=unremembered)
    files.put_in_place(published, summary)
    entries_of(state.workspace, state.run_id).write_summary(
        summary, is_remembered=unremembered is None
    )
    if unremembered is not None:
        raise unremembered
    received.forget()
    return published


def _published(state: RunState) -> PublishedRun:
    """Return the run as it goes into the history, before it is there."""
    chosen = _chosen_suites(state)
    variables = _variables(state)
    suites = tuple(_suite(state, suite, variables.get(suite.name, {})) for suite in chosen)
    verdict = _verdict_of_suites(suites)
    notes = _platform_notes(state)
    if not verdict.passed:
        # Whoever reads why it is red should know what was not looked at.
        verdict = replace(verdict, evidence=(*verdict.evidence, *notes))
    tier, names = state.settings.name, {suite.name for suite in chosen}
    return PublishedRun(
        run_id=state.run_id,
        tier=tier,
        provider=state.provider,
        verdict=verdict,
        suites=suites,
        junit=state.workspace.newest(tier) / JUNIT,
        directory=state.workspace.received(tier, state.run_id),
        seconds=(datetime.now(UTC) - state.began_at).total_seconds(),
        first_test_seconds=state.first_test_seconds,
        overhead_seconds=state.overhead_seconds,
        memory_peak_mib=state.memory_peak_mib,
        not_selected=tuple(
            suite.name for suite in state.settings.suites if suite.name not in names
        ),
        platform_notes=notes,
    )


def _verdict_of_suites(suites: Sequence[PublishedSuite]) -> Verdict:
    """Return the run's verdict: that of the first red suite, or CANCELLED where the run was.

    A run that was cancelled is cancelled, whatever else it shows; what it shows stands with it.
    """
    red = [suite for suite in suites if not suite.verdict.passed]
    if not red:
        return suites[0].verdict
    cancelled = next((suite for suite in red if suite.verdict.fault is Fault.CANCELLED), None)
    if cancelled is None:
        return red[0].verdict
    others = [
        Evidence(f"suite/{suite.name}", "verdict", str(suite.verdict))
        for suite in red
        if suite.verdict.fault is not Fault.CANCELLED
    ]
    never_ran = [
        Evidence(f"suite/{suite.name}", "attempts", "none: the run was cancelled before it")
        for suite in suites
        if not suite.attempts
    ]
    verdict = cancelled.verdict
    return replace(verdict, evidence=(*verdict.evidence, *others, *never_ran))


def _chosen_suites(state: RunState) -> tuple[SuiteSettings, ...]:
    try:
        return state.suites()
    except ConfigurationError:  # it chose none, which is its verdict
        return state.settings.suites


def _variables(state: RunState) -> Mapping[str, Mapping[str, str]]:
    try:
        return state.variables()
    except ConfigurationError:  # which is its verdict
        return {}


def _platform_notes(state: RunState) -> tuple[Evidence, ...]:
    """Return what became of the platform's pods, and what of it was not waited for or seen."""
    if state.platform is None:
        return ()
    releases = (
        *state.platform.releases,
        *(change.release for change in state.platform.changes),
    )
    notes = (
        Evidence(f"release/{release.name}", "watched", note)
        for release in releases
        for note in release.notes
    )
    entries = entries_of(state.workspace, state.run_id)
    return tuple(dict.fromkeys((*found_after(entries, state.settings.suites), *notes)))


def _suite(
    state: RunState, settings: SuiteSettings, variables: Mapping[str, str]
) -> PublishedSuite:
    attempts = state.attempts_of(settings.name)
    if not attempts:
        verdict = _verdict_of_stages(state)
        return PublishedSuite(settings.name, verdict, NO_RESULTS, variables=variables)
    judged = _judged(state, settings, attempts)
    verdict, earlier = judged.verdict, attempts[:-1]
    tests = state.stages.get("test_job")
    if tests is not None and tests.cancelled and attempts[-1].number <= verdict.retries:
        # Cancelled between two attempts: the one that was to come has the last word.
        verdict, earlier = _verdict_of_stages(state), attempts
    return PublishedSuite(
        name=settings.name,
        verdict=replace(verdict, earlier=tuple(str(attempt.verdict) for attempt in earlier)),
        results=_results(attempts),
        attempts=attempts,
        quarantined=judged.quarantined,
        variables=variables,
        measured=judged.measured,
        selection=selected(settings),
        presence=judged.presence,
    )


def _judged(state: RunState, settings: SuiteSettings, attempts: Sequence[Attempt]) -> SuiteVerdict:
    """Return what a suite came to. One whose run ended before it was judged is judged here."""
    known = state.verdicts.get(settings.name)
    if known is not None and known.attempts == len(attempts):
        return known
    lists = readable_lists_of(state.settings, state.workspace.root)
    judged = judge_suite(state, settings, attempts, lists)
    entries_of(state.workspace, state.run_id).write_verdict(judged)
    return judged


def _results(attempts: Sequence[Attempt]) -> SuiteResults:
    """Read the results of a suite's attempts, with what was said of them on their way."""
    results = results_of(attempts)
    on_the_way = attempts[-1].facts.results
    return replace(results, notices=(*on_the_way.notices, *results.notices))


def _verdict_of_stages(state: RunState) -> Verdict:
    """Judge a run that ended without a last attempt."""
    stages = state.stages.values()
    cancelled = next((record.cancelled for record in stages if record.cancelled), None)
    error = next((record.error for record in stages if record.error), None)
    if cancelled is None and error is None:
        error = ErrorFacts("harness", "the run ended before its tests, and no stage says why.")
    subject = f"run/{state.run_id[:8]}"
    return classify(Facts(subject=subject, cancelled=cancelled, error=error))


def _not_remembered(published: PublishedRun, error: FloeTestsError) -> PublishedRun:
    """Return a run as it is where the history cannot take it: never PASS."""
    if not published.verdict.passed:
        return published
    subject = f"run/{published.run_id[:8]}"
    verdict = classify(Facts(subject=subject, error=error_facts(error)))
    said = Evidence(subject, "tests", str(published.verdict))
    return replace(published, verdict=replace(verdict, evidence=(*verdict.evidence, said)))


def _remember(state: RunState, published: PublishedRun, record: RunRecord) -> PublishedRun:
    """Write the run's place in the history, its pages, the tier's report and the front page.

    The report shows the default branch, and beside it the others.
    """
    from floe_tests.report import grid, measured, overview, status
    from floe_tests.results.history.analysis import Question
    from floe_tests.results.history.extent import extent_of_run
    from floe_tests.results.history.store import History

    workspace = state.workspace
    with History.open(workspace.history_url) as history:
        history.record(run=record)
        question = Question(tier=published.tier, default_branch=workspace.default_branch)
        accounts = grid.read_page(history, question)
        statuses = status.read_status(
            history,
            replace(question, tier=None),
            tiers=status.tier_names(workspace.root),
            known=[each for each in accounts if each.is_default or each.note],
        )
    pages = measured.write(published, at=datetime.now(UTC), commit=workspace.commit)
    grid.write(published.report, accounts, links=workspace.links)
    overview.write(workspace.output, statuses)
    account = next((each for each in accounts if each.grid.provider == published.provider), None)
    extent = extent_of_run(record, account.accounts, account.grid) if account else None
    return replace(published, account=account, pages=pages, extent=extent)
