"""Whether an installed platform's tier is to be started: decisions about plain values.

Each gives the words that the UI shows, and what the decision waits for when it is to start nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from floe_tests.core.labels import PLATFORM, TRIGGER
from floe_tests.platform.installed import InstalledState

# Asked only where there is something to start: why not now; empty where nothing speaks against it.
Hindrances = Callable[[], tuple[str, ...]]


@dataclass(frozen=True)
class Decision:
    """Whether a run is to be started.

    Attributes:
        reason: Why, or what is waited for.
        run_key: The same for the same occasion, for which Dagster starts one run; None when none
            is to be started.
        tags: The run's tags.
        cursor: What is to be remembered; None leaves what is.
    """

    reason: str
    run_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    cursor: str | None = None


@dataclass(frozen=True)
class GreenRun:
    """A green run of the tier that another follows.

    Attributes:
        run_id: The run.
        tier: Its tier.
        platform: Key of the fingerprint of the platform that it ran against.
    """

    run_id: str
    tier: str
    platform: str


def on_deployment(state: InstalledState, *, cursor: str | None, hindrances: Hindrances) -> Decision:
    """Decide whether a change of the platform starts a run.

    Args:
        state: The platform, as it is now.
        cursor: What the decision before remembered: the platform last started for.
        hindrances: Why no run should start now.
    """
    last, changes = _remembered(cursor)
    waits = _waits_for_platform(state)
    if state.fingerprint is None:
        return Decision(waits)
    key = state.fingerprint.key
    if key == last:
        return Decision(f"{state.fingerprint}: a run was started for it. Waiting for another one")
    if waits:
        return Decision(f"{state.fingerprint} is another than the last. {waits}")
    against = hindrances()
    if against:
        return Decision(
            f"{state.fingerprint} is another than the last, and not now: {_all(against)}"
        )
    return Decision(
        f"the platform is {state.fingerprint} now",
        # Back to an earlier version is a change too, with a key of its own.
        run_key=f"{changes + 1}-{key}",
        tags={TRIGGER: "deployment", PLATFORM: key},
        cursor=json.dumps({"platform": key, "changes": changes + 1}),
    )


def after_green(
    state: InstalledState, *, green: GreenRun | None, is_known: bool, hindrances: Hindrances
) -> Decision:
    """Decide whether a green run of another tier starts one, once a version of the platform.

    Args:
        state: The platform, as it is now.
        green: The newest green run of the tier that is followed, on this platform; None when there
            is none.
        is_known: Whether a run of this tier was ever started for that version.
        hindrances: Why no run should start now.
    """
    if green is None:
        return Decision("no green run that says its platform yet. Waiting for one")
    named = f"run {green.run_id[:8]} of {green.tier} was green"
    if is_known:
        return Decision(f"{named}, and its platform had its run. Waiting for another version")
    waits = _waits_for_platform(state)
    if state.fingerprint is not None and state.fingerprint.key != green.platform:
        return Decision(
            f"{named} on platform {green.platform}, and it is {state.fingerprint} by now. "
            f"Waiting for a green run of {green.tier} on it"
        )
    if waits:
        return Decision(f"{named}. {waits}")
    against = hindrances()
    if against:
        return Decision(f"{named}, and not now: {_all(against)}")
    return Decision(
        f"{named} on {state.fingerprint}",
        run_key=green.platform,
        tags={TRIGGER: f"after {green.tier}", PLATFORM: green.platform},
    )


def on_schedule(*, hindrances: Hindrances) -> Decision:
    """Decide whether a run that is due starts: where it could not start at once it is left out.

    A run that waits for hours behind a soak would measure another night's cluster, and the next
    one would queue behind it.

    Args:
        hindrances: Why no run should start now.
    """
    against = hindrances()
    if against:
        return Decision(f"left out this time: {_all(against)}")
    return Decision("it is due", run_key="", tags={TRIGGER: "schedule"})


def _remembered(cursor: str | None) -> tuple[str, int]:
    """Return the platform last started for, and the number of changes so far."""
    try:
        found = json.loads(cursor or "{}")
        return str(found.get("platform", "")), int(found.get("changes", 0))
    except (ValueError, TypeError, AttributeError):  # somebody wrote another into it
        return "", 0


def _waits_for_platform(state: InstalledState) -> str:
    if state.fingerprint is None:
        return f"{_all(state.lacking)}. Waiting for it"
    return f"Waiting until all of it is up: {_all(state.lacking)}" if state.lacking else ""


def _all(reasons: tuple[str, ...]) -> str:
    return "; ".join(reasons)
