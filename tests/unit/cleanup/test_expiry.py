"""Whether what a run left may go: each row of the table, and nothing removed in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from floe_tests.cleanup.expiry import RunState, expiry_of
from floe_tests.core import labels
from floe_tests.core.labels import Owner
from floe_tests.core.process_identity import Holder
from floe_tests.environments.lease import Lease

RUN = "1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d"
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)

ALIVE = Holder.this_process()
DEAD = replace(ALIVE, start_ticks=1)  # this id, and a process before this one
ELSEWHERE = replace(DEAD, host="another-machine")
IN_A_CONTAINER = replace(DEAD, pid_namespace="pid:[4026599999]")
OF_BEFORE = Holder(process_id=ALIVE.process_id, created=1.0, host=ALIVE.host)


def lease(holder: Holder, expires_at: datetime = LATER, **changes: Any) -> Lease:
    owner = Owner(RUN, "unit", "main", "72c65fc", expires_at)
    return Lease(
        **{
            "provider": "kind",
            "owner": owner,
            "namespace": "floe-test-1a2b3c4d",
            "keep": "never",
            "release_seconds": 60,
            "state": "held",
            "holder": holder,
            **changes,
        }
    )


def expiry(time: datetime, **more: str) -> dict[str, str]:
    return {labels.EXPIRES: str(int(time.timestamp())), **more}


KEPT = {labels.KEPT: "true"}
# Lease in the ledger, labels on what was found, what Dagster says; how it stands, what is said.
ROWS: dict[str, tuple[Lease | None, dict[str, str], RunState, str, str]] = {
    "its orchestrator lives": (lease(ALIVE), {}, "unknown", "live", "runs"),
    "its orchestrator lives past its label's expiry, not past its lease's": (
        *(lease(ALIVE), expiry(EARLIER), "unknown", "live", "runs"),
    ),
    "its orchestrator hangs": (
        *(lease(ALIVE, EARLIER), expiry(EARLIER), "unknown", "hung", "end it with `kill "),
    ),
    "its orchestrator lives, and Dagster has given it up": (
        *(lease(ALIVE), {}, "over", "live", "runs"),
    ),
    "killed": (lease(DEAD), expiry(LATER), "unknown", "over", "is gone"),
    "killed while its environment was made": (
        *(lease(DEAD, state="acquiring"), {}, "unknown", "over", "is gone"),
    ),
    "killed, and Dagster has not noticed yet": (lease(DEAD), {}, "live", "over", "is gone"),
    "given back": (lease(ALIVE, state="released"), {}, "unknown", "over", "was given back"),
    "kept": (lease(DEAD, state="kept"), expiry(EARLIER), "over", "kept", "kept until 2026-11-24"),
    "kept too long": (
        *(lease(DEAD, EARLIER, state="kept"), {}, "unknown", "expired", "was kept until"),
    ),
    "kept longer by hand, with a label": (
        *(lease(DEAD, EARLIER, state="kept"), expiry(LATER), "unknown", "kept", "kept until"),
    ),
    "another machine's": (lease(ELSEWHERE), {}, "unknown", "live", "may still run on another"),
    "in a container with process ids of its own": (
        *(lease(IN_A_CONTAINER), {}, "unknown", "live", "on another machine or in a container"),
    ),
    "in a container, expired": (
        *(lease(IN_A_CONTAINER, EARLIER), {}, "unknown", "expired", "its time was over"),
    ),
    "in a container, running for Dagster past its expiry": (
        *(lease(IN_A_CONTAINER, EARLIER), {}, "live", "hung", "its time was over"),
    ),
    "in a container, ended for Dagster": (
        *(lease(IN_A_CONTAINER), {}, "over", "over", "Dagster says that it has ended"),
    ),
    "of before ticks were written, and its id is taken": (
        *(lease(OF_BEFORE), {}, "unknown", "live", "may still run on another machine"),
    ),
    "another machine's, expired": (
        *(lease(ELSEWHERE, EARLIER), {}, "unknown", "expired", "its time was over"),
    ),
    "another machine's, ended for Dagster": (
        *(lease(ELSEWHERE), {}, "over", "over", "Dagster says that it has ended"),
    ),
    "unknown here": (None, expiry(LATER), "unknown", "live", "may still run on another machine"),
    "unknown here, expired": (None, expiry(EARLIER), "unknown", "expired", "08:59 UTC"),
    "unknown here, without an expiry": (None, {}, "unknown", "live", "without an end"),
    "unknown here, with an expiry that is none": (
        *(None, {labels.EXPIRES: "soon"}, "unknown", "live", "without an end"),
    ),
    "unknown here, with an expiry that no calendar has": (
        *(None, {labels.EXPIRES: "9" * 30}, "unknown", "live", "without an end"),
    ),
    "unknown here, running for Dagster": (None, expiry(LATER), "live", "live", "Dagster says"),
    "unknown here, running for Dagster past its expiry": (
        *(None, expiry(EARLIER), "live", "hung", "its time was over"),
    ),
    "unknown here, ended for Dagster": (None, expiry(LATER), "over", "over", "it has ended"),
    "unknown here, ended for Dagster and kept": (
        *(None, expiry(LATER, **KEPT), "over", "kept", "kept until"),
    ),
    "unknown here, kept too long": (
        *(None, expiry(EARLIER, **KEPT), "over", "expired", "was kept until"),
    ),
}


@pytest.mark.parametrize(("found", "on_it", "state", "word", "said"), ROWS.values(), ids=list(ROWS))
def test_a_run_stands(
    found: Lease | None, on_it: dict[str, str], state: RunState, word: str, said: str
):
    expiry = expiry_of(RUN, lease=found, found_labels=on_it, run_state=lambda _run: state, now=NOW)

    assert expiry.word == word
    assert said in expiry.reason
    assert expiry.may_go is (word in {"over", "expired"})
