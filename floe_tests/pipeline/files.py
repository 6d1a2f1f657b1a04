"""The files of a published run: its own, and the newest ones of the tier."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from floe_tests.config.project import JUNIT, VERDICT
from floe_tests.core import durable
from floe_tests.core.ledger import as_json
from floe_tests.core.verdict import BY_FAILURES, Cause
from floe_tests.pipeline.published import PublishedRun, PublishedSuite
from floe_tests.pipeline.summary import Summary, digest_of
from floe_tests.results.cases import CaseOutcome, CaseResult
from floe_tests.results.formats import junit
from floe_tests.results.history import bundle
from floe_tests.results.records import UNKNOWN_COUNT


def write_junit(published: PublishedRun, *, commit: str, ref: str) -> None:
    """Write the JUnit file of a run beside all that it received.

    Args:
        published: The run.
        commit: The commit under test.
        ref: Its git ref.
    """
    cases = [_gated(case, suite) for suite in published.suites for case in suite.results.cases]
    has_failures = any(case.outcome.is_failing for case in cases)
    is_said = has_failures and published.verdict.cause in BY_FAILURES
    if not (published.verdict.passed or is_said):
        cases.append(_verdict_case(published))
    junit.write(
        published.directory / JUNIT,
        cases,
        suite=published.tier,
        properties={
            "floe-tests.verdict": published.verdict.cause,
            "floe-tests.fault": published.verdict.fault,
            "floe-tests.run": published.run_id,
            "floe-tests.provider": published.provider,
            "floe-tests.commit": commit,
            "floe-tests.ref": ref,
            **_collected_properties(published),
            **_attempt_properties(published),
        },
    )


def put_in_place(published: PublishedRun, summary: Summary) -> None:
    """Put a run's files where the tier's newest ones stand; its verdict last.

    The verdict says what the others must be: see `torn`.

    Args:
        published: The run, with its own files written.
        summary: What its verdict.json says.
    """
    content = [json.dumps(as_json(summary), indent=1).encode() + b"\n"]
    durable.write(published.directory / VERDICT, content)
    newest = published.junit.parent
    own = (JUNIT, bundle.NAME, VERDICT)
    durable.replace({newest / name: durable.pieces_of(published.directory / name) for name in own})


def torn(path: Path, summary: Summary) -> tuple[str, ...]:
    """Return a sentence for each file beside a verdict that is of another run.

    A process that is killed while it puts its files in place leaves those of two runs.

    Args:
        path: The verdict.json.
        summary: What it says.
    """
    return tuple(
        f"{path.with_name(name)} is missing or of another run than this verdict: a run was ended "
        f"while it wrote. This run's own is in {path.parent / 'runs' / summary.run_id}."
        for name, digest in summary.digests.items()
        if digest_of(path.with_name(name)) != digest
    )


def _gated(case: CaseResult, suite: PublishedSuite) -> CaseResult:
    """Return a case as a CI that reads JUnit alone must see it: what may fail is skipped there."""
    entry = suite.quarantined.get(case.name)
    if entry is None:
        return case
    return replace(case, outcome=CaseOutcome.SKIPPED, message=f"{entry}; failed: {case.message}")


def _attempt_properties(published: PublishedRun) -> dict[str, str]:
    """Name every attempt of a suite that had more than one: a green file hides no retry."""
    return {
        f"floe-tests.attempt.{suite.name}.{attempt.number}": str(attempt.verdict)
        for suite in published.suites
        for attempt in suite.attempts
        if len(suite.attempts) > 1
    }


def _collected_properties(published: PublishedRun) -> dict[str, str]:
    """Say of each suite how many tests it collected, or that nobody counted."""
    return {
        f"floe-tests.collected.{suite.name}": UNKNOWN_COUNT
        if suite.results.is_uncounted
        else str(suite.results.collected)
        for suite in published.suites
        if suite.results.is_uncounted or suite.results.collected is not None
    }


def _verdict_case(published: PublishedRun) -> CaseResult:
    """Return the run itself as a case, so that a CI that reads JUnit alone sees why it is red."""
    verdict = published.verdict
    text = "\n".join([*(str(item) for item in verdict.evidence), verdict.remedy])
    return verdict_case(published.tier, verdict.cause, message=str(verdict), text=text)


def verdict_case(tier: str, cause: Cause, *, message: str, text: str) -> CaseResult:
    """Return the case that stands for a whole run in JUnit.

    Args:
        tier: The tier's name.
        cause: What the run came to.
        message: The verdict in a line.
        text: What speaks for it.
    """
    return CaseResult(
        name=f"floe_tests.{tier}::{cause}",
        outcome=CaseOutcome.ERROR,
        seconds=0,
        message=message,
        text=text,
    )
