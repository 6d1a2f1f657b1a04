"""What helm is told, and how a release's pods are read while it comes up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from floe_tests.deadline import Deadline
from floe_tests.kube import ClusterAccess
from floe_tests.platform import helm
from floe_tests.settings import ReleaseSettings
from floe_tests.workspace import Workspace


def command(tmp_path: Path, *, prefix: str = "", **settings: Any) -> list[str]:
    return helm._command(
        ReleaseSettings(name="app", **settings),
        access=ClusterAccess(kubeconfig="/k", context="c"),
        namespace="ns",
        workspace=Workspace(
            root=Path("/project"),
            output=tmp_path,
            home=tmp_path,
            history_url="",
            image_registry_prefix=prefix,
        ),
        directory=tmp_path,
    )


def options(words: list[str], name: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == name]


def test_a_local_chart_starts_at_the_project_and_a_remote_one_is_pinned(tmp_path: Path):
    local = command(tmp_path, chart="charts/app")
    remote = command(tmp_path, chart="oci://example.com/app", version="1.2.3")

    assert local[:2] == ["app", "/project/charts/app"]
    assert remote[:2] == ["app", "oci://example.com/app"]
    assert options(remote, "--version") == ["1.2.3"]
    assert options(local, "--version") == []


def test_it_goes_to_the_runs_cluster_and_namespace(tmp_path: Path):
    words = command(tmp_path, chart="charts/app")

    assert options(words, "--namespace") == ["ns"]
    assert options(words, "--kubeconfig") == ["/k"]
    assert options(words, "--kube-context") == ["c"]


def test_the_tiers_own_values_come_last_so_that_they_win(tmp_path: Path):
    words = command(
        tmp_path, chart="charts/app", values={"minimal": True}, values_files=("a.yaml", "b.yaml")
    )

    *files, own = options(words, "--values")
    assert files == ["/project/a.yaml", "/project/b.yaml"]
    assert yaml.safe_load(Path(own).read_text()) == {"minimal": True}


def test_the_registry_prefix_is_a_global_value_and_absent_without_one(tmp_path: Path):
    assert options(command(tmp_path, chart="c", prefix="localhost:5001/"), "--set-string") == [
        "global.imageRegistryPrefix=localhost:5001/"
    ]
    assert options(command(tmp_path, chart="c"), "--set-string") == []


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    statuses = {"containerStatuses": list(containers), **status}
    return {"metadata": {"name": "web"}, "status": statuses}


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}, **more}


CRASHED = {"terminated": {"reason": "Error", "exitCode": 2}}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(
            pod(waiting("InvalidImageName", "bad reference")),
            "container c: InvalidImageName: bad reference",
            id="an image name that is none",
        ),
        pytest.param(
            pod(waiting("CreateContainerConfigError", 'secret "db" not found')),
            'container c: CreateContainerConfigError: secret "db" not found',
            id="a missing Secret",
        ),
        pytest.param(
            pod(waiting("CrashLoopBackOff", "back-off", restartCount=3, lastState=CRASHED)),
            "container c: CrashLoopBackOff: back-off; it Error, exit code 2, 3 times",
            id="the third crash",
        ),
        pytest.param(
            pod(waiting("CrashLoopBackOff", restartCount=2, lastState=CRASHED)),
            None,
            id="the second crash: what it depends on may still start",
        ),
        pytest.param(pod(waiting("ImagePullBackOff")), None, id="a pull that only begins to fail"),
        pytest.param(pod(waiting("ContainerCreating")), None, id="on its way"),
        pytest.param(pod({"name": "c", "state": {"running": {}}}), None, id="running"),
        pytest.param(pod(), None, id="not bound yet"),
    ],
)
def test_a_pod_that_will_not_come_up_is_known_before_the_deadline(
    found: dict[str, Any], why: str | None
):
    assert helm._first_failure({"web": found}, {}) == (("web", why) if why else None)


def test_a_pull_that_has_failed_for_long_enough_counts():
    failing = {"web": Deadline(0)}

    found = helm._first_failure({"web": pod(waiting("ErrImagePull", "not found"))}, failing)

    assert found == ("web", "container c: ErrImagePull: not found")


def test_a_crash_of_an_init_container_is_seen_too():
    found = pod(initContainerStatuses=[waiting("InvalidImageName")])

    assert helm._first_failure({"web": found}, {}) == ("web", "container c: InvalidImageName")


def test_ready_are_pods_that_say_so_and_those_that_are_done():
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    unready = {"conditions": [{"type": "Ready", "status": "False"}]}

    assert helm._ready_names(
        {"a": pod(**ready), "b": pod(**unready), "c": pod(phase="Succeeded"), "d": pod()}, {}
    ) == {"a", "c"}


def test_without_a_readiness_probe_a_pod_has_to_stay_up_to_be_ready():
    """Kubernetes calls it ready for the moment before it crashes."""
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    bare = {**pod(**ready), "spec": {"containers": [{"name": "c"}]}}
    probed = {**bare, "spec": {"containers": [{"name": "c", "readinessProbe": {}}]}}
    steady: dict[str, tuple[int, Deadline]] = {}

    assert helm._ready_names({"bare": bare, "probed": probed}, steady) == {"probed"}
    steady["bare"] = (0, Deadline(0))
    assert helm._ready_names({"bare": bare}, steady) == {"bare"}
    steady["bare"] = (1, Deadline(0))
    assert helm._ready_names({"bare": bare}, steady) == set(), "it was restarted since"


def test_images_are_recorded_with_the_digests_that_really_ran():
    web = {"name": "c", "image": "ghcr.io/floe/platform:0.1.0", "imageID": "ghcr.io/x@sha256:ab"}

    assert helm._images({"a": pod(web), "b": pod(web)}) == (
        ("ghcr.io/floe/platform:0.1.0", "sha256:ab"),
    )
