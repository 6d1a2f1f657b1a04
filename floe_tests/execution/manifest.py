"""From a suite's test-job.yaml to the Job of one run.

The file is the one source: it works alone with `kubectl apply -f`. What a run needs on top is added
here and nowhere else: a name of its own, labels, the exporter, deadlines, registry prefix, groups.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from floe_tests.config.deadlines import DeadlineSettings
from floe_tests.config.environment import ExporterSettings
from floe_tests.config.groups import ADDOPTS_VARIABLE
from floe_tests.config.test_job import (
    EXPORTER_MEMORY,
    RESULTS,
    JobTemplate,
    named_container,
)
from floe_tests.core import labels
from floe_tests.core.deadline import Deadline
from floe_tests.core.program import RUN_VARIABLE
from floe_tests.execution.brought import EXPORTER_FOLDER, Brought, exporter_program
from floe_tests.kube.objects import JsonObject, part, parts

EXPORTER = "floe-tests-exporter"
# For commands in the running exporter, whatever its image.
EXPORTER_COMMAND = ("python", "-Iu", EXPORTER_FOLDER)
# Signals are held until the program listens: a pod that ends at once loses nothing.
_EXPORTER_START = ("env", "--block-signal=TERM", "--block-signal=INT", *EXPORTER_COMMAND)

TESTS_TIMEOUT_VARIABLE = "FLOE_TESTS_TIMEOUT_SECONDS"
PROVIDER_VARIABLE = "FLOE_TESTS_PROVIDER"

# A stock image runs as root, which no restricted pod may.
_STOCK_USER = {"runAsUser": 1000, "runAsGroup": 1000}
_TTL_SECONDS = 3600
LEAST_TTL_SECONDS = 600
# Policies by which the Job controller tries again: that a run decides by its verdicts, and a pod
# that comes by itself would hide the end of the one before.
POLICIES = ("podFailurePolicy", "podReplacementPolicy", "successPolicy", "maxFailedIndexes")
# What the exporter needs to send the rest after the tests have ended, 25 s by its own deadline, and
# to stay for those who ask for frames again.
_LINGER_SECONDS = 20
GRACE_SECONDS = 45
_DEFAULT_GRACE_SECONDS = 30
_STATE_VOLUME = "floe-tests-exporter-state"
_STATE = "/state"
_JOB_NAME_CHARACTERS = 52  # a pod's name adds 6, and a label takes 63


@dataclass(frozen=True)
class AttemptSpec:
    """What one attempt of a run adds to the file.

    Attributes:
        owner: The run.
        suite: Name of the suite.
        attempt: Number of the attempt, from 1.
        namespace: The run's namespace.
        provider: Name of the environment.
        image_registry_prefix: Put before every image.
        groups: Run only tests with one of these markers.
        excluded_groups: Leave out tests with one of these markers.
        deadlines: The tier's deadlines.
        environment: Further variables for the test container.
        exporter: What runs the exporter.
        to_tests: What the run brings to the test container.
        clock: The clock that the attempt's deadlines run on, monotonic seconds.
    """

    owner: labels.Owner
    suite: str
    attempt: int
    namespace: str
    provider: str
    image_registry_prefix: str
    groups: tuple[str, ...]
    excluded_groups: tuple[str, ...]
    deadlines: DeadlineSettings
    environment: tuple[tuple[str, str], ...] = ()
    exporter: ExporterSettings = field(default_factory=ExporterSettings)
    to_tests: tuple[Brought, ...] = ()
    clock: Callable[[], float] = time.monotonic

    @property
    def to_exporter(self) -> tuple[Brought, ...]:
        """What the run brings to the exporter's container."""
        return () if self.exporter.image else (exporter_program(),)

    @property
    def brought(self) -> tuple[Brought, ...]:
        """All that the run brings to a test pod."""
        return (*self.to_exporter, *self.to_tests)

    def deadline(self, seconds: float) -> Deadline:
        """Begin a deadline of the attempt."""
        return Deadline(seconds, clock=self.clock)

    @property
    def job_name(self) -> str:
        """Name of the Job: suite, run and attempt."""
        stem = self.suite[: _JOB_NAME_CHARACTERS - 12].rstrip("-")
        return f"{stem}-{self.owner.run_id[:8]}-{self.attempt}"


def build_job(template: JobTemplate, spec: AttemptSpec) -> JsonObject:
    """Return the Job of one attempt; the template is left as it is.

    Args:
        template: The suite's file.
        spec: What this attempt adds.
    """
    job = copy.deepcopy(template.document)
    owned = {
        **spec.owner.labels(),
        labels.SUITE: labels.label_value(spec.suite),
        labels.ATTEMPT: str(spec.attempt),
    }
    metadata = job["metadata"]
    metadata["name"] = spec.job_name
    metadata["namespace"] = spec.namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), **owned}
    _bound_job(job["spec"], spec)
    template_metadata = job["spec"]["template"].setdefault("metadata", {})
    template_metadata["labels"] = {
        **(template_metadata.get("labels") or {}),
        **owned,
        labels.ROLE: labels.ROLE_TEST_RUNNER,
    }
    _complete_pod(job["spec"]["template"]["spec"], template, spec)
    return job


def _bound_job(job_spec: JsonObject, spec: AttemptSpec) -> None:
    """Set what the Job controller may do: make one pod, end it at its deadline, keep its logs."""
    job_spec["backoffLimit"] = 0
    # A run removes its Jobs itself. One that removes itself takes its logs with it.
    seconds = int(job_spec.get("ttlSecondsAfterFinished", _TTL_SECONDS))
    job_spec["ttlSecondsAfterFinished"] = max(LEAST_TTL_SECONDS, seconds)
    for policy in POLICIES:
        job_spec.pop(policy, None)
    job_spec["activeDeadlineSeconds"] = int(spec.deadlines.job_seconds)


def _complete_pod(pod: JsonObject, template: JobTemplate, spec: AttemptSpec) -> None:
    """Add deadlines, registry prefix, variables and the exporter."""
    pod["restartPolicy"] = "Never"
    # Counted from the pod's start on the node: the pull of the image is in it, the wait for a node
    # is not.
    pod["activeDeadlineSeconds"] = int(spec.deadlines.start_seconds + spec.deadlines.pod_seconds)
    pod["terminationGracePeriodSeconds"] = _grace_seconds(pod)
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        container["image"] = f"{spec.image_registry_prefix}{container['image']}"
    test = named_container(pod, template.container)
    test["env"] = _environment(parts(test, "env"), template, spec)
    # Sidecars are ended in the reverse order: what others write at their end is still sent.
    pod["initContainers"] = [_exporter(template, spec), *pod.get("initContainers", [])]
    pod["volumes"] = [
        *parts(pod, "volumes"),
        {"name": _STATE_VOLUME, "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    for brought in spec.to_tests:
        brought.mount_in(pod, test, job_name=spec.job_name)
    for brought in spec.to_exporter:
        brought.mount_in(pod, pod["initContainers"][0], job_name=spec.job_name)


def _grace_seconds(pod: Mapping[str, Any]) -> int:
    """Return a pod's grace, which its sidecars use up one after the other, the exporter last.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#termination-with-sidecars
    """
    own = pod.get("terminationGracePeriodSeconds")
    if any(one.get("restartPolicy") == "Always" for one in parts(pod, "initContainers")):
        return int(_DEFAULT_GRACE_SECONDS if own is None else own) + GRACE_SECONDS
    return max(int(own or 0), GRACE_SECONDS)


def marker_expression(groups: tuple[str, ...], excluded: tuple[str, ...]) -> str:
    """Return pytest's `-m` expression for groups; empty selects everything.

    Source: https://docs.pytest.org/en/stable/example/markers.html
    """
    wanted = " or ".join(groups)
    left_out = " and ".join(f"not {name}" for name in excluded)
    if wanted and left_out:
        return f"({wanted}) and {left_out}"
    return wanted or left_out


def run_variables(spec: AttemptSpec, *, addopts: str = "") -> dict[str, str]:
    """Return the variables that every test program of a run gets, in a pod or as a process.

    Args:
        spec: The attempt.
        addopts: What PYTEST_ADDOPTS already holds.
    """
    variables = {
        RUN_VARIABLE: spec.owner.run_id,
        PROVIDER_VARIABLE: spec.provider,
        TESTS_TIMEOUT_VARIABLE: f"{spec.deadlines.tests_seconds:g}",
        **dict(spec.environment),
    }
    expression = marker_expression(spec.groups, spec.excluded_groups)
    options = [word for word in (addopts, f'-m "{expression}"' if expression else "") if word]
    if options:
        variables[ADDOPTS_VARIABLE] = " ".join(options)
    return variables


def _environment(
    declared: list[dict[str, Any]], template: JobTemplate, spec: AttemptSpec
) -> list[dict[str, Any]]:
    moved = [_in_namespace(item, template.namespace, spec.namespace) for item in declared]
    addopts = next(
        (str(item.get("value", "")) for item in moved if item["name"] == ADDOPTS_VARIABLE), ""
    )
    added = run_variables(spec, addopts=addopts)
    return [
        *(item for item in moved if item["name"] not in added),
        *({"name": name, "value": value} for name, value in added.items()),
    ]


def _in_namespace(item: Mapping[str, Any], declared: str, actual: str) -> dict[str, Any]:
    """Point a cluster DNS name of the file's own namespace at the run's namespace."""
    value = item.get("value")
    if not isinstance(value, str):
        return dict(item)
    moved = re.sub(rf"\.{re.escape(declared)}\.svc(?=[.:/]|$)", f".{actual}.svc", value)
    return {**item, "value": moved}


def _exporter_security(template: JobTemplate, spec: AttemptSpec) -> JsonObject:
    """Return what the exporter may do: as little as Pod Security `restricted` asks for.

    Nothing is left to the pod: its author may have written all of it at the test container.
    """
    tests = part(template.test_container, "securityContext")
    pod = part(template.document, "spec", "template", "spec", "securityContext")
    # The same user as the tests: it must read what they write, whatever their umask.
    user = {key: tests[key] for key in ("runAsUser", "runAsGroup") if key in tests}
    if spec.exporter.image is None and "runAsUser" not in {**pod, **user}:
        user = _STOCK_USER
    as_root = {**pod, **user}.get("runAsUser") == 0
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": not as_root,
        "seccompProfile": tests.get("seccompProfile") or {"type": "RuntimeDefault"},
        **user,
    }


def _exporter(template: JobTemplate, spec: AttemptSpec) -> JsonObject:
    """Return the exporter as a native sidecar, which starts before the tests and stops after them.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/
    """
    return {
        "name": EXPORTER,
        "image": f"{spec.image_registry_prefix}{spec.exporter.image or spec.exporter.python_image}",
        **({} if spec.exporter.image else {"command": list(_EXPORTER_START)}),
        "restartPolicy": "Always",
        "env": [
            {"name": RUN_VARIABLE, "value": spec.owner.run_id},
            {"name": "FLOE_STREAM_STATE", "value": _STATE},
            {"name": "FLOE_STREAM_LINGER_SECONDS", "value": str(_LINGER_SECONDS)},
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "500m", "memory": EXPORTER_MEMORY},
        },
        "securityContext": _exporter_security(template, spec),
        "volumeMounts": [
            {"name": template.results_volume, "mountPath": RESULTS, "readOnly": True},
            {"name": _STATE_VOLUME, "mountPath": _STATE},
        ],
    }
