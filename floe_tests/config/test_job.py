"""What a suite's test-job.yaml must hold, and which of its containers runs the tests."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from floe_tests.core.errors import ConfigurationError
from floe_tests.kube.objects import JsonObject, part, parts

RESULTS = "/results"
# The container that `kubectl logs` and `kubectl exec` take.
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def named_container(pod: Mapping[str, Any], name: str) -> JsonObject:
    """Return a container of a pod's specification by its name."""
    return next(each for each in parts(pod, "containers") if each.get("name") == name)


def results_volume(pod: Mapping[str, Any], container: Mapping[str, Any]) -> str | None:
    """Return the name of the emptyDir that a container mounts at /results; None without one."""
    empty = {str(item["name"]) for item in parts(pod, "volumes") if "emptyDir" in item}
    for mount in parts(container, "volumeMounts"):
        if (
            posixpath.normpath(str(mount.get("mountPath", ""))) == RESULTS
            and mount.get("name") in empty
        ):
            return str(mount["name"])
    return None


def test_index(document: Mapping[str, Any]) -> int:
    """Return which container runs the tests: the annotated one, or the one with the results.

    Raises:
        ConfigurationError: It cannot be told.
    """
    template = part(document, "spec", "template")
    containers = parts(template, "spec", "containers")
    named = part(template, "metadata", "annotations").get(DEFAULT_CONTAINER)
    if named is not None:
        for index, container in enumerate(containers):
            if container.get("name") == named:
                return index
        names = ", ".join(str(container.get("name")) for container in containers)
        message = (
            f"spec.template.metadata.annotations: {DEFAULT_CONTAINER} names {named}, and the "
            f"containers are {names}. It names the one that runs the tests."
        )
        raise ConfigurationError(message)
    pod = part(template, "spec")
    with_results = [
        index
        for index, container in enumerate(containers)
        if results_volume(pod, container) is not None
    ]
    if len(with_results) > 1:
        message = (
            f"spec.template.spec.containers: {len(with_results)} of them mount an emptyDir at "
            f"{RESULTS}, and one runs the tests. Name it in the annotation {DEFAULT_CONTAINER} of "
            "spec.template.metadata."
        )
        raise ConfigurationError(message)
    return with_results[0] if with_results else 0


def _unseen_mounts(pod: Mapping[str, Any], results: str | None) -> list[str]:
    """Return which volumes lie at or below /results and are not the one that the exporter reads."""
    return [
        f"spec.template.spec.{kind}[{place}].volumeMounts[{index}]: {mount.get('name')} at "
        f"{mount.get('mountPath')}{_within(mount)} is not seen by the exporter, which reads all of "
        f"the volume {results} and nothing else: results in it would be lost. Mount {results} at "
        f"{RESULTS}, without subPath, and nothing below."
        for kind in ("containers", "initContainers")
        for place, each in enumerate(parts(pod, kind))
        for index, mount in enumerate(parts(each, "volumeMounts"))
        if results is not None and _is_unseen(mount, results)
    ]


def _is_unseen(mount: Mapping[str, Any], results: str) -> bool:
    path = posixpath.normpath(str(mount.get("mountPath", "")))
    if path != RESULTS:
        return path.startswith(f"{RESULTS}/")
    return mount.get("name") != results or bool(_within(mount))


def _within(mount: Mapping[str, Any]) -> str:
    within = mount.get("subPath") or mount.get("subPathExpr")
    return f" (subPath {within})" if within else ""


def problems_of(document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a test-job.yaml, a sentence each; empty when nothing is."""
    if document.get("kind") != "Job" or document.get("apiVersion") != "batch/v1":
        kind = f"{document.get('apiVersion')} {document.get('kind')}"
        return [f"kind: it is a {kind}. Write a batch/v1 Job."]
    pod = part(document, "spec", "template", "spec")
    containers = parts(pod, "containers")
    if not containers:
        return ["spec.template.spec.containers: none. Write the one that runs the tests."]
    try:
        index = test_index(document)
    except ConfigurationError as error:
        return [str(error)]
    problems: list[str] = []
    if not part(document, "metadata").get("name"):
        problems.append("metadata.name: missing. `kubectl apply` needs one; a run gives its own.")
    problems += [
        f"spec.template.spec.{kind}[{place}].{key}: missing."
        for kind in ("containers", "initContainers")
        for place, each in enumerate(parts(pod, kind))
        for key in ("name", "image")
        if not each.get(key)
    ]
    container, where = containers[index], f"spec.template.spec.containers[{index}]"
    if results_volume(pod, container) is None:
        problems.append(
            f"{where}.volumeMounts: no emptyDir at {RESULTS}. The suite "
            "writes its results there, and the exporter sends them from there. Of several "
            "containers the one that mounts it runs the tests, or the one that the annotation "
            f"{DEFAULT_CONTAINER} of spec.template.metadata names."
        )
    problems += _unseen_mounts(pod, results_volume(pod, container))
    problems += [
        f"spec.{key}: must be 1. A suite has one pod; `shards` in the tier's settings cut it."
        for key in ("completions", "parallelism")
        if document["spec"].get(key) not in {None, 1}
    ]
    if document["spec"].get("completionMode") not in {None, "NonIndexed"}:
        problems.append("spec.completionMode: must be NonIndexed. `shards` make a suite Indexed.")
    if (document["spec"].get("backoffLimit") or 0) != 0:
        problems.append(
            "spec.backoffLimit: must be 0. A retried pod would hide the first one's failure."
        )
    return problems


EXPORTER_MEMORY = "64Mi"


@dataclass(frozen=True)
class JobTemplate:
    """A suite's test-job.yaml, checked.

    Attributes:
        path: The file.
        document: The Job as it stands there.
        namespace: Its namespace.
        container: Name of the container that runs the tests.
        results_volume: Name of the emptyDir at /results.
    """

    path: Path
    document: JsonObject
    namespace: str
    container: str
    results_volume: str

    @property
    def test_container(self) -> JsonObject:
        """The container that runs the tests, as it stands in the file."""
        return named_container(self.document["spec"]["template"]["spec"], self.container)

    @property
    def plain_variables(self) -> tuple[str, ...]:
        """Names of its variables with a value of their own, not one of a Secret or of the pod."""
        declared = parts(self.test_container, "env")
        return tuple(str(item["name"]) for item in declared if "valueFrom" not in item)


def load_template(path: Path) -> JobTemplate:
    """Read and check a test-job.yaml.

    Raises:
        ConfigurationError: It is no Job this project can run; all problems at once.
    """
    try:
        documents = [item for item in yaml.safe_load_all(path.read_text()) if item]
    except FileNotFoundError as error:
        message = f"{path} does not exist. A suite's `job` names its test-job.yaml."
        raise ConfigurationError(message) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{path} is no YAML: {error}"
        raise ConfigurationError(message) from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        message = (
            f"{path} holds {len(documents)} documents. It must hold one Job; the chart brings the "
            "rest."
        )
        raise ConfigurationError(message)
    document = cast("JsonObject", documents[0])
    problems = problems_of(document)
    if problems:
        raise ConfigurationError("\n".join(f"{path}: {problem}" for problem in problems))
    pod = document["spec"]["template"]["spec"]
    container = pod["containers"][test_index(document)]
    return JobTemplate(
        path=path,
        document=document,
        namespace=str(document["metadata"].get("namespace", "default")),
        container=str(container["name"]),
        results_volume=results_volume(pod, container) or "",
    )
