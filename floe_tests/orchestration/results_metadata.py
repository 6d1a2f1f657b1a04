"""What the Dagster UI shows of a run's results: its checks and observations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from floe_tests.config.project import Workspace
from floe_tests.core.evidence import Evidence
from floe_tests.core.verdict import Fault, Verdict
from floe_tests.orchestration.markdown import code, escaped
from floe_tests.orchestration.metadata import Metadata
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.results.cases import CaseResult
from floe_tests.results.collate import SuiteResults
from floe_tests.results.records import UNKNOWN_COUNT

if TYPE_CHECKING:
    from floe_tests.results.history.extent import SuiteExtent

# 100/1k/10k rows are 17 kB/154 kB/1.5 MB of event log; the full JUnit file is linked.
_TABLE_ROWS = 50
_MESSAGE_CHARACTERS = 300
# Numbers of soaks and benchmarks; the UI draws a plot for each.
_NUMBERS = 100

_BLAMELESS = frozenset({Fault.NONE, Fault.TEST})


def of_results(published: PublishedRun, workspace: Workspace) -> Metadata:
    """Describe a run's results: numbers first, because the UI plots them.

    Args:
        published: The run.
        workspace: Where its files are, and under which address they are shown, if any.
    """
    failing = [
        case
        for suite in published.suites
        for case in suite.results.cases
        if case.outcome.is_failing
    ]
    shown: Metadata = {
        "verdict": dg.MetadataValue.text(str(published.verdict)),
        "fault": dg.MetadataValue.text(str(published.verdict.fault)),
        "environment": dg.MetadataValue.text(published.provider),
        **_counts(published),
        **_extent(published),
        **_collected([suite.results for suite in published.suites]),
        "seconds": dg.MetadataValue.float(round(published.seconds, 2)),
        "report": _link(published.report, workspace),
        "junit": _link(published.junit, workspace),
        **{f"{page.stem} page": _link(page, workspace) for page in published.pages},
        **_measured(published),
        "received files": dg.PathMetadataValue(str(published.directory)),
    }
    for name, seconds in (
        ("seconds until first test", published.first_test_seconds),
        ("overhead seconds", published.overhead_seconds),
        ("memory peak MiB", published.memory_peak_mib),
    ):
        if seconds is not None:
            shown[name] = dg.MetadataValue.float(round(seconds, 2))
    if failing:
        shown["failures"] = dg.MetadataValue.table(
            records=[_record(case) for case in failing[:_TABLE_ROWS]],
            schema=dg.TableSchema(
                columns=[
                    dg.TableColumn("test", "string"),
                    dg.TableColumn("outcome", "string"),
                    dg.TableColumn("seconds", "float"),
                    dg.TableColumn("message", "string"),
                ]
            ),
        )
    return shown


def _measured(published: PublishedRun) -> Metadata:
    """Return what was measured as numbers, so that the UI plots them over the runs."""
    found = [suite.measured.judgement for suite in published.suites if suite.measured]
    numbers = {
        f"{each.name} median {each.unit}".rstrip(): each.median
        for judgement in found
        for each in judgement.measurements
        if each.median is not None
    }
    numbers |= {
        f"{each.component} {each.metric} growth MiB/h": each.slope_per_hour / 2**20
        for judgement in found
        for each in judgement.soak
        if each.slope_per_hour is not None and each.unit == "B"
    }
    numbers |= {
        f"{each.component} p95 s": each.median
        for judgement in found
        for each in judgement.soak
        if each.metric == "latency" and each.median is not None
    }
    return {
        name: dg.MetadataValue.float(float(f"{number:.6g}"))
        for name, number in list(numbers.items())[:_NUMBERS]
    }


def _counts(published: PublishedRun) -> Metadata:
    """Return the counts; none where no test reported: no plot falls to 0 for a lost node."""
    tallies = [suite.results.tally for suite in published.suites]
    if not any(tally.tests for tally in tallies) and published.verdict.fault not in _BLAMELESS:
        return {}
    counts = {
        "tests": sum(tally.tests for tally in tallies),
        "passed": sum(tally.passed for tally in tallies),
        "failed": sum(tally.failing for tally in tallies),
        "skipped": sum(tally.skipped for tally in tallies),
        "in quarantine": sum(len(suite.quarantined) for suite in published.suites),
    }
    if published.account is not None:
        counts["flaky tests"] = published.account.flaky
        counts["broken tests"] = published.account.broken
    return {name: dg.MetadataValue.int(count) for name, count in counts.items()}


def _extent(published: PublishedRun) -> Metadata:
    """Return how much of the tier reported: a plot of passed tests alone hides what did not run."""
    extent = published.extent
    if extent is None or (not extent.reported and published.verdict.fault not in _BLAMELESS):
        return {}
    shown: Metadata = {
        "known tests": dg.MetadataValue.int(extent.known),
        "did not run": dg.MetadataValue.int(extent.not_reported),
    }
    if extent.is_partial or extent.running:
        shown["reported"] = dg.MetadataValue.text(str(extent))
    return shown


def _collected(results: Sequence[SuiteResults]) -> Metadata:
    """Return the number of collected tests, or say that nobody counted."""
    if any(each.is_uncounted for each in results):
        return {"collected": dg.MetadataValue.text(UNKNOWN_COUNT)}
    known = [each.collected for each in results if each.collected is not None]
    return {"collected": dg.MetadataValue.int(sum(known))} if known else {}


def _link(path: Path, workspace: Workspace) -> dg.MetadataValue:
    """Return a link where a web server shows the output, else the path: browsers open no file."""
    if workspace.output_url is None or not path.is_relative_to(workspace.output):
        return dg.PathMetadataValue(str(path))
    return dg.MetadataValue.url(
        f"{workspace.output_url}{path.relative_to(workspace.output).as_posix()}"
    )


def checks_of(published: PublishedRun, asset: dg.AssetKey) -> list[dg.AssetCheckResult]:
    """Return a check for each suite of the tier, also of those that the run did not choose."""
    extent = published.extent
    return [
        *(
            check_of(suite, asset, extent.of(suite.name) if extent else None)
            for suite in published.suites
        ),
        *(check_of_not_selected(name, asset) for name in published.not_selected),
    ]


def check_of(
    suite: PublishedSuite, asset: dg.AssetKey, extent: SuiteExtent | None = None
) -> dg.AssetCheckResult:
    """Return a suite's check: passed means PASS, and nothing else does.

    Args:
        suite: The suite.
        asset: The asset that it checks.
        extent: How much of the suite reported, where the history has been asked.
    """
    tally, verdict = suite.results.tally, suite.verdict
    lines = [escaped(str(verdict)), "", verdict.remedy, ""]
    if verdict.fault not in _BLAMELESS:
        lines += ["No test is blamed for this.", ""]
    if len(suite.attempts) > 1:
        lines += [
            f"- attempt {each.number}: {escaped(str(each.verdict))}" for each in suite.attempts
        ]
    lines += [f"- {escaped(str(item))}" for item in _evidence(verdict, suite)]
    lines += list(_failures(suite))
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=suite.name.replace("-", "_"),
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=str(verdict)[:1000],
        metadata={
            "verdict": dg.MetadataValue.md("\n".join(lines)),
            "tests": dg.MetadataValue.int(tally.tests),
            **_collected([suite.results]),
            **_suite_extent(extent),
            "failed": dg.MetadataValue.int(tally.failing),
            "in quarantine": dg.MetadataValue.int(len(suite.quarantined)),
        },
    )


def _suite_extent(extent: SuiteExtent | None) -> Metadata:
    if extent is None:
        return {}
    return {
        "known tests": dg.MetadataValue.int(extent.known),
        "did not run": dg.MetadataValue.int(extent.not_reported),
    }


def _evidence(verdict: Verdict, suite: PublishedSuite) -> Sequence[Evidence]:
    """Return the evidence without the failed tests, which follow with their messages."""
    failed = {case.name for case in suite.results.cases if case.outcome.is_failing}
    return [item for item in verdict.evidence if item.subject not in failed][:_TABLE_ROWS]


def _failures(suite: PublishedSuite) -> Iterator[str]:
    failing = [case for case in suite.results.cases if case.outcome.is_failing]
    if not failing:
        return
    yield ""
    for case in failing[:_TABLE_ROWS]:
        entry = suite.quarantined.get(case.name)
        excused = f" ({escaped(str(entry))})" if entry else ""
        message = escaped(case.message[:_MESSAGE_CHARACTERS])
        yield f"- {code(case.name)} {case.outcome}{excused}: {message}"
    if len(failing) > _TABLE_ROWS:
        yield f"- and {len(failing) - _TABLE_ROWS} more, in the JUnit file"


def check_of_not_selected(name: str, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return the check of a suite that the run did not choose: neither passed nor blocking."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name.replace("-", "_"),
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="not selected: this run chose other groups. Nothing is known of this suite.",
    )


def observations_of(published: PublishedRun, asset: dg.AssetKey) -> list[dg.AssetObservation]:
    """Return what the infrastructure did to a run, as observations: no test failed by it.

    One for each attempt that it ended, also where a later one went well, and one for a run that it
    ended before any attempt.
    """
    said: list[tuple[str, str, tuple[Evidence, ...]]] = [
        (
            f"{suite.name}, attempt {attempt.number}",
            str(attempt.verdict.cause),
            attempt.verdict.evidence,
        )
        for suite in published.suites
        for attempt in suite.attempts
        if attempt.verdict.fault is Fault.INFRASTRUCTURE
    ]
    said += [
        (f"{suite.name}, shard {shard.shard}, attempt {shard.number}", shard.cause, shard.evidence)
        for suite in published.suites
        for attempt in suite.attempts
        for shard in attempt.shards
        if shard.fault == Fault.INFRASTRUCTURE
    ][:_TABLE_ROWS]
    if not said and published.verdict.fault is Fault.INFRASTRUCTURE:
        verdict = published.verdict
        said = [("before the tests", str(verdict.cause), verdict.evidence)]
    return [
        dg.AssetObservation(
            asset_key=asset,
            description=f"{cause}: {where}"[:1000],
            metadata={
                "cause": dg.MetadataValue.text(cause),
                "where": dg.MetadataValue.text(where),
                "run": dg.MetadataValue.text(published.run_id),
                "environment": dg.MetadataValue.text(published.provider),
                "evidence": dg.MetadataValue.md(
                    "\n".join(f"- {escaped(str(item))}" for item in evidence[:_TABLE_ROWS])
                ),
            },
        )
        for where, cause, evidence in said
    ]


def _record(case: CaseResult) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "test": case.name,
            "outcome": str(case.outcome),
            "seconds": round(case.seconds, 3),
            "message": " ".join(case.message.split())[:_MESSAGE_CHARACTERS],
        }
    )
