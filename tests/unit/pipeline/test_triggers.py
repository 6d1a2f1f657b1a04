"""When a tier of an installed platform is started, and what is said when it is not."""

from __future__ import annotations

import pytest

from floe_tests.pipeline.triggers import Decision, GreenRun, after_green, on_deployment, on_schedule
from floe_tests.platform.installed import Fingerprint, InstalledState

OLD = Fingerprint("floe-platform-0.2.0", "0.1.0", ("sha256:aa",))
NEW = Fingerprint("floe-platform-0.2.0", "0.1.0", ("sha256:bb",))
GREEN = GreenRun("1a2b3c4d-5e6f", "staging-benchmark", NEW.key)


def nothing() -> tuple[str, ...]:
    return ()


def busy() -> tuple[str, ...]:
    return ("run 9f8e7d6c of staging-soak (STARTED) has the cluster",)


def never_asked() -> tuple[str, ...]:
    pytest.fail("nothing is to be started: nobody has to ask the cluster")


def up(fingerprint: Fingerprint = NEW) -> InstalledState:
    return InstalledState(fingerprint, ())


def deployed(state: InstalledState, cursor: str | None = None) -> Decision:
    return on_deployment(state, cursor=cursor, hindrances=nothing)


def test_the_first_platform_that_is_seen_starts_a_run_and_is_remembered():
    first = deployed(up())

    assert first.run_key == f"1-{NEW.key}"
    assert first.tags == {"floe-tests/trigger": "deployment", "floe-tests/platform": NEW.key}
    assert NEW.chart in first.reason


def test_one_change_is_one_run():
    first = deployed(up())

    again = on_deployment(up(), cursor=first.cursor, hindrances=never_asked)

    assert (again.run_key, again.cursor) == (None, None)
    assert "a run was started for it. Waiting for another one" in again.reason


def test_a_change_starts_a_run_and_so_does_the_way_back():
    """A rollback is a deployment: Dagster would take an old key for a run that it has had."""
    keys = [first := deployed(up(OLD))]
    for state in (up(NEW), up(OLD), up(NEW)):
        first = deployed(state, first.cursor)
        keys.append(first)

    assert [each.run_key for each in keys] == [
        f"1-{OLD.key}",
        f"2-{NEW.key}",
        f"3-{OLD.key}",
        f"4-{NEW.key}",
    ]


def test_a_tick_that_is_done_again_asks_for_the_same_run():
    """The daemon may die between the launch and the cursor."""
    before = deployed(up(OLD)).cursor

    assert deployed(up(), before).run_key == deployed(up(), before).run_key


def test_a_rollout_under_way_is_waited_for():
    state = InstalledState(NEW, ("deployment/code has 1 of 2 pods ready",))

    decision = on_deployment(state, cursor=deployed(up(OLD)).cursor, hindrances=never_asked)

    assert decision.run_key is None
    assert "Waiting until all of it is up: deployment/code has 1 of 2 pods ready" in decision.reason


def test_a_platform_that_is_not_there_is_waited_for():
    decision = deployed(InstalledState(None, ("release floe-platform is not there",)))

    assert decision.reason == "release floe-platform is not there. Waiting for it"


def test_a_change_waits_for_a_busy_cluster_and_is_not_forgotten():
    cursor = deployed(up(OLD)).cursor

    waiting = on_deployment(up(), cursor=cursor, hindrances=busy)

    assert (waiting.run_key, waiting.cursor) == (None, None)
    assert "not now: run 9f8e7d6c of staging-soak (STARTED) has the cluster" in waiting.reason
    assert deployed(up(), cursor).run_key == f"2-{NEW.key}"


@pytest.mark.parametrize("cursor", ["", "x", "[]", '{"changes": "many"}', "null", "7"])
def test_a_cursor_that_somebody_edited_starts_anew(cursor: str):
    assert deployed(up(), cursor).run_key == f"1-{NEW.key}"


def followed(
    state: InstalledState, green: GreenRun | None = GREEN, *, is_known: bool = False
) -> Decision:
    return after_green(state, green=green, is_known=is_known, hindrances=nothing)


def test_a_green_run_on_a_new_version_starts_the_next_tier():
    decision = followed(up())

    assert decision.run_key == NEW.key
    assert decision.tags["floe-tests/trigger"] == "after staging-benchmark"
    assert decision.tags["floe-tests/platform"] == NEW.key
    assert "run 1a2b3c4d of staging-benchmark was green" in decision.reason


def test_a_version_has_one_run():
    decision = after_green(up(), green=GREEN, is_known=True, hindrances=never_asked)

    assert decision.run_key is None
    assert "its platform had its run. Waiting for another version" in decision.reason


@pytest.mark.parametrize(
    ("state", "green", "reason"),
    [
        pytest.param(up(), None, "no green run that says its platform yet", id="no green run"),
        pytest.param(
            up(OLD), GREEN, "Waiting for a green run of staging-benchmark on it", id="moved on"
        ),
        pytest.param(
            InstalledState(NEW, ("pod/code-1 is not ready",)),
            GREEN,
            "Waiting until all of it is up: pod/code-1 is not ready",
            id="not all up",
        ),
        pytest.param(
            InstalledState(None, ("it is not there",)), GREEN, "it is not there", id="gone"
        ),
    ],
)
def test_what_is_waited_for_is_said(state: InstalledState, green: GreenRun | None, reason: str):
    decision = followed(state, green)

    assert decision.run_key is None
    assert reason in decision.reason


def test_a_follow_up_waits_for_a_busy_cluster():
    decision = after_green(up(), green=GREEN, is_known=False, hindrances=busy)

    assert decision.run_key is None
    assert "not now: run 9f8e7d6c of staging-soak" in decision.reason


def test_a_scheduled_run_is_left_out_on_a_busy_cluster():
    assert on_schedule(hindrances=nothing).run_key == ""
    left_out = on_schedule(hindrances=busy)
    assert left_out.run_key is None
    assert left_out.reason.startswith("left out this time: run 9f8e7d6c")
