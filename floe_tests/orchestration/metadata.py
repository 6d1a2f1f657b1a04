"""What the Dagster UI shows of a run: metadata, tags, checks, observations, from plain values.

Names and messages come from tests and clusters: in Markdown they are escaped.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import dagster as dg

from floe_tests.config.project import Workspace
from floe_tests.config.variables import said
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.evidence import Evidence
from floe_tests.core.labels import CAUSE, COMMIT, ENVIRONMENT, FAULT, REF, TRIGGER
from floe_tests.core.verdict import Fault, Verdict
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.sharding.summary import ShardSummary
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.pipeline.records import InstalledPlatform
from floe_tests.pipeline.state import RunState
from floe_tests.results.cases import CaseResult
from floe_tests.results.collate import SuiteResults
from floe_tests.results.records import UNKNOWN_COUNT

Metadata = dict[str, dg.MetadataValue]

# 100/1k/10k rows are 17 kB/154 kB/1.5 MB of event log; the full JUnit file is linked.
_TABLE_ROWS = 50
_MESSAGE_CHARACTERS = 300
# Numbers of soaks and benchmarks; the UI draws a plot for each.
_NUMBERS = 100

_BLAMELESS = frozenset({Fault.NONE, Fault.TEST})
# Source: https://spec.commonmark.org/0.31.2/#ascii-punctuation-character
_PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
_BACKTICKS = re.compile(r"`+")


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it, on one line and whatever stands in it."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return a text as a code span; more backticks around it than in it."""
    text = " ".join(text.split())
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def run_tags(workspace: Workspace) -> Mapping[str, str]:
    """Return the tags that a run is found by in the UI."""
    return {
        REF: workspace.ref,
        COMMIT: workspace.commit,
        TRIGGER: workspace.trigger,
    }


def verdict_tags(published: PublishedRun) -> Mapping[str, str]:
    """Return the tags that a finished run is found by in the UI."""
    return {
        ENVIRONMENT: published.provider,
        # Dagster serialises plain strings alone.
        CAUSE: str(published.verdict.cause),
        FAULT: str(published.verdict.fault),
    }


def of_lease(lease: Lease, state: RunState) -> Metadata:
    """Describe the environment."""
    seconds = state.stages["cluster"].seconds
    of_run = {name: value for each in state.variables().values() for name, value in each.items()}
    return {
        "variables": dg.MetadataValue.text(said(of_run) or "none of this run's own"),
        "environment": dg.MetadataValue.text(lease.provider),
        "cluster": dg.MetadataValue.text(lease.cluster or lease.provider),
        "namespace": dg.MetadataValue.text(lease.namespace or "none"),
        "created cluster": dg.MetadataValue.bool(lease.cluster_id == lease.run_id),
        "keep": dg.MetadataValue.text(lease.keep),
        "expires": dg.MetadataValue.timestamp(lease.owner.expires_at),
        "seconds": dg.MetadataValue.float(round(seconds, 2)),
    }


def of_platform(installed: InstalledPlatform) -> Metadata:
    """Describe what was installed."""
    shown: Metadata = {"seconds": dg.MetadataValue.float(round(installed.seconds, 2))}
    if installed.embedded is not None:
        address = f"http://{installed.embedded.host}:{installed.embedded.port}"
        shown["embedded platform"] = dg.MetadataValue.url(address)
    if installed.substituted:
        shown["done without"] = dg.MetadataValue.text(", ".join(installed.substituted))
    if installed.fingerprint is not None:
        shown["found installed"] = dg.MetadataValue.text(str(installed.fingerprint))
    for release in installed.releases:
        shown[release.name] = dg.MetadataValue.md(
            f"chart {code(release.chart)} {escaped(release.version)}, "
            f"app {escaped(release.app_version)}, ready in {release.seconds:.1f} s\n\n"
            + "\n".join(f"- {code(image)} {escaped(digest)}" for image, digest in release.images)
            + "".join(f"\n- note: {escaped(note)}" for note in release.notes)
        )
    return shown


def of_attempts(attempts: Sequence[Attempt], installed: InstalledPlatform | None) -> Metadata:
    """Describe what was changed between the suites, and how the Jobs went."""
    shown: Metadata = {
        f"{change.action} before {change.suite}": dg.MetadataValue.text(
            f"{change.release.name}: revision {change.release.revision}, "
            f"ready in {change.release.seconds:.1f} s"
        )
        for change in (installed.changes if installed else ())
    }
    for attempt in attempts:
        pod, timings = attempt.facts.pod, attempt.timings
        again = f", attempt {attempt.number}" if attempt.number > 1 else ""
        lines = [
            f"- verdict: {escaped(str(attempt.verdict))}",
            f"- pod: {code(pod.name if pod else 'none')}",
            f"- node: {code((pod.node if pod else '') or 'this machine')}",
            f"- total {timings.total:.1f} s",
        ]
        if timings.pod_start is not None:
            lines.append(f"- pod start {timings.pod_start:.1f} s")
        if timings.tests is not None:
            lines.append(f"- tests {timings.tests:.1f} s")
        if timings.overhead is not None:
            lines.append(f"- overhead {timings.overhead:.1f} s")
        if attempt.shards:
            lines += [f"- {escaped(line)}" for line in _shard_lines(attempt.shards)]
        if timings.to_verdict is not None:
            lines.append(f"- from the end to the verdict {timings.to_verdict:.1f} s")
        shown[f"{attempt.suite}{again}"] = dg.MetadataValue.md("\n".join(lines))
    return shown


def _shard_lines(shards: Sequence[ShardSummary]) -> Iterator[str]:
    """Sum up a suite's shards: how they ended, and how evenly."""
    last = {shard.shard: shard for shard in shards}
    causes = Counter(shard.cause for shard in last.values())
    ends = ", ".join(f"{number} {cause}" for cause, number in causes.most_common())
    yield f"{len(last)} shards: {ends}"
    again = len(shards) - len(last)
    if again:
        yield f"{again} further attempts at single shards"
    longest = max(last.values(), key=lambda shard: shard.seconds)
    usual = median(shard.seconds for shard in last.values())
    yield f"longest: shard {longest.shard} with {longest.seconds:.1f} s, median {usual:.1f} s"


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


def check_of(suite: PublishedSuite, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return a suite's check: passed means PASS, and nothing else does."""
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
            "failed": dg.MetadataValue.int(tally.failing),
            "in quarantine": dg.MetadataValue.int(len(suite.quarantined)),
        },
    )


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


def check_of_not_selected(name: str, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Return the check of a suite that the run did not choose: neither passed nor blocking."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name.replace("-", "_"),
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="not selected: this run chose other groups. Nothing is known of this suite.",
    )


def of_error(error: FloeTestsError) -> Metadata:
    """Show the evidence of an error."""
    if not error.evidence:
        return {}
    lines = (f"- {escaped(str(item))}" for item in error.evidence)
    return {"evidence": dg.MetadataValue.md("\n".join(lines))}


def _record(case: CaseResult) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "test": case.name,
            "outcome": str(case.outcome),
            "seconds": round(case.seconds, 3),
            "message": " ".join(case.message.split())[:_MESSAGE_CHARACTERS],
        }
    )
