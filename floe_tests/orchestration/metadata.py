"""What the Dagster UI shows of a run's stages: metadata and tags, from plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import dagster as dg

from floe_tests.config.project import Workspace
from floe_tests.config.variables import said
from floe_tests.core.errors import FloeTestsError
from floe_tests.core.labels import CAUSE, COMMIT, ENVIRONMENT, FAULT, REF, TRIGGER
from floe_tests.environments.lease import Lease
from floe_tests.execution.attempt import Attempt
from floe_tests.execution.sharding.summary import ShardSummary
from floe_tests.orchestration.markdown import code, escaped
from floe_tests.pipeline.published import PublishedRun
from floe_tests.pipeline.records import InstalledPlatform
from floe_tests.pipeline.state import RunState

Metadata = dict[str, dg.MetadataValue]


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


def of_error(error: FloeTestsError) -> Metadata:
    """Show the evidence of an error."""
    if not error.evidence:
        return {}
    lines = (f"- {escaped(str(item))}" for item in error.evidence)
    return {"evidence": dg.MetadataValue.md("\n".join(lines))}
