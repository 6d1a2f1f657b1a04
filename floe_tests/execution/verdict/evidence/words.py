"""Facts as evidence: what several rules say in the same words."""

from __future__ import annotations

import signal

from floe_tests.core.evidence import Evidence
from floe_tests.core.words import listed
from floe_tests.execution.verdict.facts import (
    ContainerFacts,
    EventFacts,
    Facts,
    NodeFacts,
    PodFacts,
)

_SHOWN_RUNNING = 5
_LAST_WORDS_CHARACTERS = 600
# What a shell, and Kubernetes, add to the number of the signal that ended a program.
SIGNAL_BASE = 128


PROCESS = "process/"
"""Begins the subject of what runs as a process of this machine, without pod and container."""


def exit_words(code: int) -> str:
    """Return an exit code, with the signal that it stands for: `139 (SIGSEGV)`."""
    try:
        return f"{code} ({signal.Signals(code - SIGNAL_BASE).name})"
    except ValueError:
        return str(code)


def terminated(
    facts: Facts, container: ContainerFacts | None, *, reasons: frozenset[str] | set[str]
) -> list[Evidence]:
    """Return how a container ended, where it ended for one of these reasons."""
    if container is None or container.state != "terminated" or container.reason not in reasons:
        return []
    message = f": {container.message}" if container.message else ""
    return [
        Evidence(
            pod_name(facts.pod),
            f"container {container.name} terminated",
            f"{container.reason}, exit code {container.exit_code}{message}",
            finished_at(container),
        )
    ]


def exit_evidence(facts: Facts) -> list[Evidence]:
    """Return the exit code of the test container, or of the process; empty while it has none."""
    container = facts.pod.test if facts.pod else None
    if container is None or container.exit_code is None:
        return []
    is_process = facts.subject.startswith(PROCESS)
    return [
        Evidence(
            facts.subject if is_process else pod_name(facts.pod),
            "exit code" if is_process else f"container {container.name} exit code",
            exit_words(container.exit_code),
            finished_at(container),
        )
    ]


def bad_end(facts: Facts, container: ContainerFacts, *, kind: str = "container") -> list[Evidence]:
    """Return how a container that is neither the tests nor the exporter failed, with its words.

    Args:
        facts: What was observed.
        container: The container.
        kind: What it is: `container` or `init container`.
    """
    end = container if container.state == "terminated" else container.previous
    if end is None or not end.exit_code:
        return []
    said = last_words(container) or end.message
    value = f"exit code {exit_words(end.exit_code)}"
    value += f", {end.reason}" if end.reason not in {"", "Error"} else ""
    value += f", restarted {container.restarts} times" if container.restarts else ""
    return [
        Evidence(
            pod_name(facts.pod),
            f"{kind} {container.name}",
            f"{value}: {said}" if said else value,
            finished_at(end),
        )
    ]


def last_words(container: ContainerFacts) -> str:
    """Return the end of a container's log on one line; empty where nobody read it."""
    lines = [line.strip() for line in container.last_words.splitlines() if line.strip()]
    return " | ".join(lines)[-_LAST_WORDS_CHARACTERS:]


def waiting(
    facts: Facts, reasons: frozenset[str] | None, *containers: ContainerFacts | None
) -> list[Evidence]:
    """Return what containers wait for, where it is one of these reasons; None takes any."""
    return [
        Evidence(
            pod_name(facts.pod),
            f"container {container.name} waiting",
            f"{container.reason}: {container.message}".rstrip(": "),
        )
        for container in containers
        if container is not None
        and container.state == "waiting"
        and (reasons is None or container.reason in reasons)
    ]


def condition(facts: Facts, kind: str) -> list[Evidence]:
    """Return a condition of the pod that is true."""
    if facts.pod is None:
        return []
    return [
        Evidence(
            pod_name(facts.pod), f"condition {kind}", f"{item.reason}: {item.message}", item.time
        )
        for item in facts.pod.conditions
        if item.type == kind and item.status
    ]


def node_evidence(node: NodeFacts) -> list[Evidence]:
    """Return what is wrong with a node."""
    if not node.exists:
        return [Evidence(f"node/{node.name}", "metadata", "the cluster has it no more")]
    ready = node.ready
    if ready is None:
        return [Evidence(f"node/{node.name}", "status", "it does not report")]
    return [
        Evidence(
            f"node/{node.name}",
            "condition Ready",
            f"{ready.reason}: {ready.message}".rstrip(": "),
            ready.time,
        )
    ]


def deadline_evidence(facts: Facts) -> Evidence:
    """Return the deadline that passed."""
    name = facts.passed_deadline or "pod"
    limit = dict(facts.deadlines).get(name)
    words = (
        f"{name} deadline of {limit:g} s passed" if limit is not None else f"{name} deadline passed"
    )
    return Evidence(facts.subject, "deadline", words)


def in_flight(facts: Facts) -> list[Evidence]:
    """Return the tests that were running."""
    return [Evidence(name, "state", "was running") for name in facts.results.in_flight]


def progress(facts: Facts) -> list[Evidence]:
    """Say in one sentence how far the suite came: `43 of 60 reported, test_x was running`."""
    results = facts.results
    of = f" of {results.collected}" if results.collected is not None else ""
    running = listed(results.in_flight, shown=_SHOWN_RUNNING)
    state = f", {running} was running" if running else ""
    return [Evidence(facts.subject, "results", f"{results.reported}{of} reported{state}")]


def failures(facts: Facts) -> list[Evidence]:
    """Return the tests that failed, in this attempt or in one before it."""
    before = set(facts.results.failed_before)
    return [
        outcome(facts, name, "failed in an earlier attempt" if name in before else "failed")
        for name in facts.results.failures
    ]


def outcome(facts: Facts, name: str, words: str) -> Evidence:
    """Return how a test ended, with what it said of it, where it said anything."""
    reason = dict(facts.results.said).get(name)
    return Evidence(name, "outcome", f"{words}: {reason}" if reason else words)


def events(facts: Facts, reasons: frozenset[str] | set[str]) -> list[Evidence]:
    """Return the events of these reasons."""
    return [event_evidence(event) for event in facts.events if event.reason in reasons]


def event_evidence(event: EventFacts) -> Evidence:
    """Return an event as evidence."""
    return Evidence(event.subject, f"event {event.reason}", event.message, event.time)


def pod_name(pod: PodFacts | None) -> str:
    """Return a pod as evidence names it."""
    return f"pod/{pod.name}" if pod else "pod"


def finished_at(container: ContainerFacts) -> str | None:
    """Return when a container ended, as evidence has it."""
    return container.finished_at.isoformat() if container.finished_at else None
