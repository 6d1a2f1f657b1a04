"""Runs as tests of the history need them: a few words a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from floe_tests.results.cases import CaseOutcome, CaseResult, Tally
from floe_tests.results.records import RunRecord, SuiteRecord

NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)
OUTCOMES = {".": "passed", "x": "failed", "e": "error", "s": "skipped"}


def run_of(  # noqa: PLR0913 - words of a run
    number: int,
    outcomes: dict[str, str],
    *,
    cause: str | None = None,
    fault: str | None = None,
    commit: str | None = None,
    seconds: float = 0.25,
    quarantined: tuple[str, ...] = (),
    **fields: object,
) -> RunRecord:
    """Return the run of an hour: what each test did, as one of `.xes`; number 0 is the newest."""
    cases = tuple(
        CaseResult(
            name=name,
            outcome=CaseOutcome(OUTCOMES[outcome]),
            seconds=seconds,
            message="" if outcome == "." else f"{name} said no in {number}",
            text="Traceback\n  it broke" if outcome in "xe" else "",
        )
        for name, outcome in outcomes.items()
        if outcome != " "
    )
    failed = any(outcome in "xe" for outcome in outcomes.values())
    cause = cause or ("TEST_FAILURE" if failed else "PASS")
    fault = fault or ("test" if failed else "none")
    suite = SuiteRecord(
        name="tiny",
        outcome="passed" if cause == "PASS" else "failed",
        cause=cause,
        fault=fault,
        tally=Tally.of(cases),
        cases=cases,
        quarantined=quarantined,
    )
    given: dict[str, object] = {
        "run_id": f"run-{number:04}",
        "tier": "demo",
        "provider": "local",
        "environment": "local",
        "ref": "main",
        "started_at": NEWEST - timedelta(hours=number),
        **fields,
    }
    return RunRecord(
        outcome=suite.outcome,
        cause=cause,
        fault=fault,
        commit=commit or f"c{number}",
        suites=(suite,),
        **given,  # type: ignore[arg-type]
    )


def runs_of(pasts: dict[str, str], **fields: object) -> list[RunRecord]:
    """Return a run for each column of the tests' pasts, newest first: `{"t::a": "x.."}`."""
    (length,) = {len(past) for past in pasts.values()}
    return [
        run_of(number, {name: past[number] for name, past in pasts.items()}, **fields)  # type: ignore[arg-type]
        for number in range(length)
    ]
