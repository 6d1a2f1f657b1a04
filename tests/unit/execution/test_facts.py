"""Reading the facts of a pod, its conditions and its events from what the API sends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from floe_tests.execution.verdict.facts import PodFacts
from floe_tests.execution.verdict.observed import condition_facts, event_facts, pod_facts
from floe_tests.kube.objects import timestamp

RECORDED = yaml.safe_load(Path(__file__).with_name("pods.yaml").read_text())


def read(name: str) -> PodFacts:
    return pod_facts(
        RECORDED[name], test_container="test-runner", exporter_container="floe-tests-exporter"
    )


def test_a_finished_pod_is_read_with_both_containers_and_their_times():
    pod = read("green")

    assert (pod.phase, pod.node) == ("Succeeded", "floe-tests-control-plane")
    assert pod.created_at == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert pod.test is not None
    assert (pod.test.state, pod.test.exit_code, pod.test.reason) == ("terminated", 0, "Completed")
    assert pod.test.finished_at == datetime(2026, 11, 23, 9, 1, 4, tzinfo=UTC)
    assert pod.exporter is not None
    assert pod.exporter.message == '{"manifest":"ok"}'


def test_the_exporter_is_found_among_the_init_containers():
    exporter = read("exporter-out-of-memory").exporter

    assert exporter is not None
    assert (exporter.reason, exporter.restarts) == ("OOMKilled", 1)


def test_a_pod_that_was_never_bound_has_no_node_and_no_containers():
    pod = read("unschedulable")

    assert (pod.node, pod.test, pod.exporter) == ("", None, None)
    (condition,) = pod.conditions
    assert (condition.type, condition.status, condition.reason) == (
        "PodScheduled",
        False,
        "Unschedulable",
    )


def test_a_waiting_container_has_its_reason_and_no_exit_code():
    test = read("image-cannot-be-pulled").test

    assert test is not None
    assert (test.state, test.reason, test.exit_code) == ("waiting", "ImagePullBackOff", None)


def test_a_container_of_which_the_api_says_nothing_is_unknown():
    test = read("container-says-nothing").test

    assert test is not None
    assert test.state == "unknown"


def test_a_container_that_could_not_be_started_has_not_started_in_1970():
    """Containerd reports the zero of Unix time; read as a start, a run took 56 years."""
    test = read("command-is-not-there").test

    assert test is not None
    assert test.started_at is None
    assert test.finished_at == datetime(2026, 11, 23, 9, 0, 4, tzinfo=UTC)


def test_a_pod_without_a_status_is_unknown():
    pod = pod_facts(
        {"metadata": {"name": "new"}}, test_container="test-runner", exporter_container="exporter"
    )

    assert (pod.phase, pod.created_at, pod.conditions) == ("Unknown", None, ())


@pytest.mark.parametrize(
    ("status", "read_as"), [("True", True), ("False", False), ("Unknown", False), (None, False)]
)
def test_a_condition_holds_only_when_its_status_is_true(status: str | None, read_as: bool):  # noqa: FBT001 - the row
    (condition,) = condition_facts([{"type": "Ready", "status": status, "message": None}])

    assert (condition.status, condition.message) == (read_as, "")


def test_events_are_ordered_by_time_whichever_field_holds_it():
    events = event_facts(
        [
            {"reason": "Pulled", "lastTimestamp": "2026-11-23T09:00:03Z"},
            {"reason": "Scheduled", "eventTime": "2026-11-23T09:00:01Z", "lastTimestamp": None},
            {"reason": "Pulling", "firstTimestamp": "2026-11-23T09:00:02Z", "count": None},
        ]
    )

    assert [event.reason for event in events] == ["Scheduled", "Pulling", "Pulled"]
    assert [event.count for event in events] == [1, 1, 1]


def test_an_event_names_its_object_as_kubectl_does():
    (event,) = event_facts([{"involvedObject": {"kind": "Pod", "name": "x7k2p"}}])

    assert event.subject == "pod/x7k2p"


def test_timestamps_are_utc_and_aware():
    assert timestamp("2026-11-23T09:00:04Z") == datetime(2026, 11, 23, 9, 0, 4, tzinfo=UTC)
    assert timestamp(None) is None


def test_an_init_container_that_runs_has_passed_nothing():
    """The kubelet calls it started; of a sidecar alone that says that the next one may begin."""
    running = {"running": {"startedAt": "2026-11-23T09:00:04Z"}}
    pod = pod_facts(
        {
            "metadata": {"name": "new"},
            "spec": {"initContainers": [{"name": "a"}, {"name": "b", "restartPolicy": "Always"}]},
            "status": {
                "initContainerStatuses": [
                    {"name": name, "started": True, "state": running} for name in ("a", "b")
                ]
            },
        },
        test_container="test-runner",
        exporter_container="exporter",
    )

    assert [each.started for each in pod.init] == [None, True]
