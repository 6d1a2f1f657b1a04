"""The Jobs of a suite in shards, from the file that works alone."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.config.suite import ShardSettings
from floe_tests.config.test_job import load_template
from floe_tests.core import labels
from floe_tests.core.labels import Owner
from floe_tests.execution.manifest import AttemptSpec, build_job
from floe_tests.execution.sharding.job import indexed_job, place_of, plan_config_map, single_job
from floe_tests.execution.sharding.plan import balanced, decoded
from floe_tests.execution.sharding.progress import indexes
from floe_tests.execution.sharding.watcher import Readers

ROOT = Path(__file__).resolve().parents[4]
TEMPLATE = load_template(ROOT / "tests/integration/test-job.yaml")
REQUEST = AttemptSpec(
    owner=Owner("0123456789abcdef", "integration", "main", "c0ffee", datetime.now(UTC)),
    suite="a-suite-with-a-name-of-forty-characters1",
    attempt=1,
    namespace="floe-test-01234567",
    provider="kind",
    image_registry_prefix="mirror/",
    groups=("slow",),
    excluded_groups=(),
    deadlines=DeadlineSettings(),
)
SHARDS = ShardSettings(count=250, parallelism=40)


def environment_of(job: dict[str, Any]) -> dict[str, Any]:
    entries = job["spec"]["template"]["spec"]["containers"][0]["env"]
    names = [entry["name"] for entry in entries]
    assert len(names) == len(set(names))
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}


def test_one_job_makes_one_pod_for_each_index_and_never_a_second():
    spec = indexed_job(TEMPLATE, REQUEST, SHARDS, parallelism=12)["spec"]

    assert (spec["completionMode"], spec["completions"]) == ("Indexed", 250)
    assert (spec["parallelism"], spec["suspend"]) == (12, True)
    assert spec["backoffLimitPerIndex"] == 0
    assert spec["backoffLimit"] >= 250, "a failed index must not end the others"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_all_else_is_as_in_a_suite_of_one_pod():
    whole = build_job(TEMPLATE, REQUEST)
    sharded = indexed_job(TEMPLATE, REQUEST, SHARDS, parallelism=12)

    before, after = whole["spec"]["template"]["spec"], sharded["spec"]["template"]["spec"]
    assert after["initContainers"] == before["initContainers"]
    assert after["containers"][0]["resources"] == before["containers"][0]["resources"]
    assert after["securityContext"] == before["securityContext"]
    assert sharded["metadata"]["labels"] == whole["metadata"]["labels"]
    added = environment_of(sharded).keys() - environment_of(whole).keys()
    assert added == {"FLOE_SHARD_INDEX", "FLOE_SHARD_COUNT", "FLOE_SHARD_PLAN"}


def test_a_pod_learns_its_shard_from_its_own_label():
    environment = environment_of(indexed_job(TEMPLATE, REQUEST, SHARDS, parallelism=1))

    path = "metadata.labels['batch.kubernetes.io/job-completion-index']"
    assert environment["FLOE_SHARD_INDEX"] == {"fieldRef": {"fieldPath": path}}
    assert environment["FLOE_SHARD_COUNT"] == "250"


def test_another_attempt_is_a_job_of_its_own_with_the_same_shard():
    job = single_job(TEMPLATE, REQUEST, SHARDS, index=249, number=3)

    environment = environment_of(job)
    assert environment["FLOE_SHARD_INDEX"] == environment["JOB_COMPLETION_INDEX"] == "249"
    assert "completionMode" not in job["spec"]
    assert job["spec"]["backoffLimit"] == 0
    assert len(job["metadata"]["name"]) <= 63
    assert job["metadata"]["name"].endswith("-s249-3")
    assert place_of(job["spec"]["template"]) == (249, 3)


@pytest.mark.parametrize(
    ("found", "place"),
    [
        ({"batch.kubernetes.io/job-completion-index": "17"}, (17, 1)),
        ({labels.SHARD: "3", labels.SHARD_ATTEMPT: "2"}, (3, 2)),
        ({labels.SHARD: "three"}, None),
        ({}, None),
    ],
)
def test_a_pods_labels_say_its_place(found: dict[str, str], place: tuple[int, int] | None):
    assert place_of({"metadata": {"labels": found}}) == place


def test_the_plan_goes_with_its_job():
    plan = balanced({"a": 1.0, "b": 2.0}, count=250)
    job = indexed_job(TEMPLATE, REQUEST, SHARDS, parallelism=1)
    job["metadata"]["uid"] = "the-uid"

    found = plan_config_map(REQUEST, plan, job=job)

    assert found["metadata"]["ownerReferences"][0]["uid"] == "the-uid"
    assert found["metadata"]["labels"][labels.RUN] == "0123456789abcdef"
    assert decoded(base64.b64decode(found["binaryData"]["plan"])) == dict(plan.shards)
    volumes = job["spec"]["template"]["spec"]["volumes"]
    assert {"name": found["metadata"]["name"]} in [each.get("configMap") for each in volumes]


@pytest.mark.parametrize(
    ("text", "found"),
    [("", set[int]()), ("3", {3}), ("1,3-5,9", {1, 3, 4, 5, 9}), ("0-2", {0, 1, 2})],
)
def test_a_jobs_failed_indexes_are_ranges(text: str, found: set[int]):
    assert indexes(text) == found


def test_readers_are_bounded_and_some_are_kept_for_what_has_ended():
    readers = Readers(most=20)
    for number in range(40):
        readers.ask(f"pod-{number}")

    assert len(readers.granted()) == 12, "eight are for pods that have ended"
    assert readers.granted(first=["pod-30", "pod-31"]) == ["pod-30", "pod-31"]
    readers.release("pod-0")
    readers.release("pod-1")
    readers.release("pod-2")
    assert readers.granted() == ["pod-12"]
    assert readers.reading == 12


def test_a_pod_is_read_once_at_a_time():
    readers = Readers(most=20)
    readers.ask("a")
    readers.ask("a")

    assert readers.granted() == ["a"]
    readers.ask("a")
    assert readers.granted() == []
