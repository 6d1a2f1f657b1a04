"""What a reaper found, as a table and as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from floe_tests.cleanup.plan import Leftover, Plan
from floe_tests.cleanup.reaper import Reaped, Remaining
from floe_tests.report.inventory import age, as_text, show

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ORPHAN = Leftover(
    what="process",
    name="17",
    place="this machine",
    run_id="1a2b3c4d-5e6f-4a8b-9c0d-1e2f3a4b5c6d",
    tier="unit",
    word="over",
    reason="its orchestrator (process 16) is gone",
    since=None,
    command="kill -9 17",
    detail="pytest -k 'a[b]'",
)
HUNG = Leftover(
    what="namespace",
    name="floe-test-9",
    place="context staging",
    run_id="9" * 36,
    tier="e2e",
    word="hung",
    reason="its orchestrator (process 18) still runs",
    since=NOW,
    command="kubectl delete namespace floe-test-9",
)


def shown(found: Plan | Reaped, *, width: int = 200) -> str:
    file = io.StringIO()
    show(found, Console(file=file, width=width, highlight=False))
    return file.getvalue()


def test_a_plan_names_what_may_go_why_and_what_hangs():
    text = shown(Plan((ORPHAN,), (HUNG,), ("1 lease",), ("context x cannot be looked into",)))

    assert "process 17: pytest -k 'a[b]'" in text
    for words in ("1a2b3c4d", "unit", "its orchestrator (process 16) is gone", "may go"):
        assert words in text
    assert "HUNG namespace floe-test-9 of run 99999999" in text
    assert "PROBLEM context x cannot be looked into" in text
    assert "`floe-tests reap --yes` removes it" in text


def test_commands_are_in_one_piece_on_a_narrow_terminal():
    words = " ".join(f"--option-{number}=/tmp/results" for number in range(9))
    orphan = replace(ORPHAN, detail=f"pytest {words}")
    stranger = replace(
        HUNG, word="unproved", reason="no mark", command=f"kubectl label namespace x {words}"
    )

    lines = shown(Plan((orphan,), (stranger,), ("1 lease",), ()), width=80).splitlines()

    assert f"process 17: pytest {words}" in lines
    assert f"  it stays; by hand: kubectl label namespace x {words}" in lines
    assert not any(line.startswith("process  17 pytest") for line in lines)


def test_nothing_to_remove_says_where_was_looked():
    text = shown(Plan((), (HUNG,), ("1 lease", "kind cluster floe-x"), ()))

    assert "Nothing to remove. Looked at 1 lease; kind cluster floe-x; 1 of live" in text


def test_what_stays_is_named_with_its_error_and_the_command_for_by_hand():
    done = Reaped((), (Remaining(ORPHAN, "it survived SIGKILL"),), (), ("1 lease",), ())

    text = shown(done)

    assert "STAYS process 17 in this machine: it survived SIGKILL" in text
    assert "by hand: kill -9 17" in text
    assert "Nothing to remove" not in text


def test_what_is_not_proved_ours_is_named_with_the_command_and_is_no_error():
    stranger = replace(
        HUNG, name="team-checkout", word="unproved", reason="its name is none of ours"
    )

    text = shown(Plan((), (stranger,), ("1 lease",), ()))

    assert "NOT PROVED OURS namespace team-checkout in context staging: its name is none" in text
    assert "it stays; by hand: kubectl delete namespace floe-test-9" in text
    assert "0 of live" in text


def test_as_json_it_is_all_there():
    found = json.loads(as_text(Plan((ORPHAN,), (HUNG,), ("1 lease",), ())))

    assert found["removable"][0]["command"] == "kill -9 17"
    assert found["staying"][0]["since"] == "2026-11-24T09:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (125, "2 min"), (7300, "2 h"), (200_000, "2 d"), (-3, "0 s")]
)
def test_an_age_is_given_in_its_largest_unit(seconds: int, text: str):
    assert age(NOW - timedelta(seconds=seconds), now=NOW) == text


def test_an_unknown_age_is_left_out():
    assert age(None) == ""
