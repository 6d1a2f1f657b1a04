"""What the Dagster UI shows of a run: metadata, tags and checks, from plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from floe_tests.clusters.lease import Lease
from floe_tests.errors import FloeTestsError
from floe_tests.jobs.attempt import Attempt
from floe_tests.labels import COMMIT, REF, TRIGGER
from floe_tests.publish import PublishedRun, PublishedSuite
from floe_tests.results.cases import CaseResult
from floe_tests.run import InstalledPlatform, TierRun

Metadata = dict[str, dg.MetadataValue]

# 100/1k/10k rows are 17 kB/154 kB/1.5 MB of event log; the full JUnit file is linked.
_TABLE_ROWS = 50
_MESSAGE_CHARACTERS = 300


def run_tags(run: TierRun) -> Mapping[str, str]:
    """Give the tags that a run is found by in the UI."""
    return {
        REF: run.workspace.ref,
        COMMIT: run.workspace.commit,
        TRIGGER: run.workspace.trigger,
    }


def of_lease(lease: Lease, run: TierRun) -> Metadata:
    """Describe the environment."""
    seconds = run.stages()["cluster"].seconds
    return {
        "environment": dg.MetadataValue.text(lease.provider),
        "cluster": dg.MetadataValue.text(lease.kind_cluster or lease.provider),
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
    for release in installed.releases:
        shown[release.name] = dg.MetadataValue.md(
            f"chart `{release.chart}` {release.version}, app {release.app_version}, "
            f"ready in {release.seconds:.1f} s\n\n"
            + "\n".join(f"- `{image}` {digest}" for image, digest in release.images)
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
            f"- verdict: {attempt.verdict}",
            f"- pod: `{pod.name if pod else 'none'}`",
            f"- node: `{(pod.node if pod else '') or 'this machine'}`",
            f"- total {timings.total:.1f} s",
        ]
        if timings.pod_start is not None:
            lines.append(f"- pod start {timings.pod_start:.1f} s")
        if timings.tests is not None:
            lines.append(f"- tests {timings.tests:.1f} s")
        if timings.overhead is not None:
            lines.append(f"- overhead {timings.overhead:.1f} s")
        if timings.to_verdict is not None:
            lines.append(f"- from the end to the verdict {timings.to_verdict:.1f} s")
        shown[f"{attempt.suite}{again}"] = dg.MetadataValue.md("\n".join(lines))
    return shown


def of_results(published: PublishedRun) -> Metadata:
    """Describe a run's results: numbers first, because the UI plots them."""
    tallies = [suite.results.tally for suite in published.suites]
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
        "tests": dg.MetadataValue.int(sum(tally.tests for tally in tallies)),
        "passed": dg.MetadataValue.int(sum(tally.passed for tally in tallies)),
        "failed": dg.MetadataValue.int(sum(tally.failing for tally in tallies)),
        "skipped": dg.MetadataValue.int(sum(tally.skipped for tally in tallies)),
        "seconds": dg.MetadataValue.float(round(published.seconds, 2)),
        "junit": dg.PathMetadataValue(str(published.junit)),
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


def check_of(suite: PublishedSuite, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Give a suite's check: passed means PASS, and nothing else does."""
    tally, verdict = suite.results.tally, suite.verdict
    lines = [str(verdict), "", verdict.remedy, ""]
    if len(suite.attempts) > 1:
        lines += [f"- attempt {each.number}: {each.verdict}" for each in suite.attempts]
    lines += [f"- {item}" for item in verdict.evidence[:_TABLE_ROWS]]
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=suite.name.replace("-", "_"),
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=str(verdict)[:1000],
        metadata={
            "verdict": dg.MetadataValue.md("\n".join(lines)),
            "tests": dg.MetadataValue.int(tally.tests),
            "failed": dg.MetadataValue.int(tally.failing),
        },
    )


def check_of_left_out(name: str, asset: dg.AssetKey) -> dg.AssetCheckResult:
    """Give the check of a suite that the run did not choose: neither passed nor blocking."""
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
    return {"evidence": dg.MetadataValue.md("\n".join(f"- {item}" for item in error.evidence))}


def _record(case: CaseResult) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "test": case.name,
            "outcome": str(case.outcome),
            "seconds": round(case.seconds, 3),
            "message": " ".join(case.message.split())[:_MESSAGE_CHARACTERS],
        }
    )
