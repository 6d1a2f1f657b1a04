"""From the Job of one attempt to the Indexed Job of all its shards, and to a fresh pod for one.

The Indexed Job makes one pod an index and never a second one (backoffLimitPerIndex 0): whether a
shard is tried again is decided by its verdict, which no policy of Kubernetes can express, and is
done by a Job of its own. See docs/decisions/0025-shards-are-one-indexed-job.md.
"""

from __future__ import annotations

import base64
from typing import Any

from floe_tests.config.suite import ShardSettings
from floe_tests.config.test_job import JobTemplate, named_container
from floe_tests.core import labels
from floe_tests.execution.brought import owned_config_map
from floe_tests.execution.manifest import AttemptSpec, build_job
from floe_tests.execution.sharding.plan import Plan
from floe_tests.kube.objects import JsonObject, part, parts

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
INDEX_VARIABLE = "FLOE_SHARD_INDEX"
COUNT_VARIABLE = "FLOE_SHARD_COUNT"
PLAN_VARIABLE = "FLOE_SHARD_PLAN"
# What Kubernetes itself sets in the pods of an Indexed Job.
_COMPLETION_INDEX_VARIABLE = "JOB_COMPLETION_INDEX"

_PLAN_VOLUME = "floe-tests-shard-plan"
_PLAN_DIRECTORY = "/floe-shards"
_PLAN_KEY = "plan"
# Every failed index counts here too. With a limit for each index the default is none.
_NO_LIMIT = 2**31 - 1


def indexed_job(
    template: JobTemplate, spec: AttemptSpec, shards: ShardSettings, *, parallelism: int
) -> JsonObject:
    """Return the Indexed Job of a suite, suspended: its plan is made to belong to it first.

    Args:
        template: The suite's test-job.yaml.
        spec: What this attempt adds.
        shards: How many.
        parallelism: How many at once, to begin with.
    """
    job = build_job(template, spec)
    job_spec = job["spec"]
    job_spec.update(
        completionMode="Indexed",
        completions=shards.count,
        parallelism=parallelism,
        backoffLimit=_NO_LIMIT,
        backoffLimitPerIndex=0,
        suspend=True,
    )
    annotations = job["metadata"].setdefault("annotations", {})
    annotations[labels.WANTED_ANNOTATION] = str(shards.parallelism or shards.count)
    index = {"valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX_LABEL}']"}}}
    _add_shard(
        job_spec["template"], shards.count, {"name": INDEX_VARIABLE, **index}, spec, template
    )
    return job


def single_job(
    template: JobTemplate, spec: AttemptSpec, shards: ShardSettings, *, index: int, number: int
) -> JsonObject:
    """Return the Job of one further attempt at one shard.

    Args:
        template: The suite's test-job.yaml.
        spec: What the suite's attempt adds.
        shards: How many there are.
        index: The shard.
        number: Number of the shard's attempt, from 2.
    """
    job = build_job(template, spec)
    job["metadata"]["name"] = single_name(spec, index, number)
    own = {labels.SHARD: str(index), labels.SHARD_ATTEMPT: str(number)}
    pod_template = job["spec"]["template"]
    for metadata in (job["metadata"], pod_template["metadata"]):
        metadata["labels"] = {**metadata["labels"], **own}
    variable = {"name": INDEX_VARIABLE, "value": str(index)}
    _add_shard(pod_template, shards.count, variable, spec, template)
    named_container(pod_template["spec"], template.container)["env"].append(
        {"name": _COMPLETION_INDEX_VARIABLE, "value": str(index)}
    )
    return job


def single_name(spec: AttemptSpec, index: int, number: int) -> str:
    """Return the name of the Job of one further attempt at one shard."""
    return f"{spec.job_name}-s{index}-{number}"


def plan_config_map(spec: AttemptSpec, plan: Plan, *, job: JsonObject) -> JsonObject:
    """Return the ConfigMap with the plan; it goes with its Job."""
    encoded = base64.b64encode(plan.encoded()).decode()
    return owned_config_map(plan_name(spec), {"binaryData": {_PLAN_KEY: encoded}}, job=job)


def plan_name(spec: AttemptSpec) -> str:
    """Return the name of a plan's ConfigMap."""
    return f"{spec.job_name}-plan"


def place_of(pod: JsonObject) -> tuple[int, int] | None:
    """Return shard and attempt of a pod; None where its labels do not say.

    A pod of the Indexed Job is a first attempt.
    """
    found = part(pod, "metadata", "labels")
    index = found.get(labels.SHARD, found.get(INDEX_LABEL, ""))
    number = found.get(labels.SHARD_ATTEMPT, "1")
    if not (str(index).isdecimal() and str(number).isdecimal()):
        return None
    return int(index), int(number)


def _add_shard(
    pod_template: JsonObject,
    count: int,
    index: dict[str, Any],
    spec: AttemptSpec,
    template: JobTemplate,
) -> None:
    pod = pod_template["spec"]
    test = named_container(pod, template.container)
    test["env"] = [
        *parts(test, "env"),
        index,
        {"name": COUNT_VARIABLE, "value": str(count)},
        {"name": PLAN_VARIABLE, "value": f"{_PLAN_DIRECTORY}/{_PLAN_KEY}"},
    ]
    test["volumeMounts"] = [
        *parts(test, "volumeMounts"),
        {"name": _PLAN_VOLUME, "mountPath": _PLAN_DIRECTORY, "readOnly": True},
    ]
    pod["volumes"] = [
        *parts(pod, "volumes"),
        {"name": _PLAN_VOLUME, "configMap": {"name": plan_name(spec)}},
    ]
