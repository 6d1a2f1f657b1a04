"""Single requests: what is sent, and what each answer means."""

from __future__ import annotations

import shlex
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from floe_tests.core.errors import ConfigurationError, InfrastructureError
from floe_tests.kube.access import ClusterAccess
from floe_tests.kube.client import Kube, RefusedError
from floe_tests.kube.objects import part, parts
from tests.support.kube_api import write_kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kube_api import Api

POD = "/api/v1/namespaces/ns/pods/a"
LOG = f"{POD}/log"


def test_an_object_is_what_the_api_sent(api: Api):
    sent = {**api.pod("a"), "spec": {"somethingNew": {"inKubernetes": 99}}}
    api.script.answers["GET", POD] = (200, sent)

    assert api.kube().get("Pod", "a", namespace="ns") == sent


def test_what_is_not_there_is_none_and_not_an_empty_object(api: Api):
    api.script.answers["GET", POD] = (404, {"reason": "NotFound"})
    api.script.answers["PATCH", POD] = (404, {"reason": "NotFound"})
    api.script.answers["DELETE", POD] = (404, {"reason": "NotFound"})
    kube = api.kube()

    assert kube.get("Pod", "a", namespace="ns") is None
    assert kube.patch("Pod", "a", {}, namespace="ns") is None
    assert kube.delete("Pod", "a", namespace="ns") is False


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        ("Pod", "ns", "/api/v1/namespaces/ns/pods"),
        ("Pod", None, "/api/v1/pods"),
        ("Namespace", "ns", "/api/v1/namespaces"),
        ("Job", "ns", "/apis/batch/v1/namespaces/ns/jobs"),
        ("Deployment", "ns", "/apis/apps/v1/namespaces/ns/deployments"),
    ],
)
def test_each_kind_has_its_path(api: Api, kind: str, namespace: str | None, path: str):
    api.kube().list(kind, namespace=namespace)

    assert api.script.requests[0].path == path


def test_the_kubeconfigs_credentials_are_sent(api: Api):
    api.kube().list("Pod")

    assert api.script.requests[0].headers["authorization"] == "Bearer token-of-the-test"


def test_an_object_is_created_as_it_was_given(api: Api):
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}}
    path = "/apis/batch/v1/namespaces/ns/jobs"
    api.script.answers["POST", path] = (201, {**manifest, "status": {}})

    stored = api.kube().create(manifest, namespace="ns")

    assert stored["status"] == {}
    assert api.script.requests[0].body == manifest


def test_a_patch_is_a_merge(api: Api):
    changes = {"metadata": {"annotations": {"floe-tests/cancelled": "SIGTERM"}}}
    api.script.answers["PATCH", POD] = (200, api.pod("a"))

    api.kube().patch("Pod", "a", changes, namespace="ns")

    (request,) = api.script.requests
    assert request.headers["content-type"] == "application/merge-patch+json"
    assert request.body == changes


@pytest.mark.parametrize(
    ("grace", "options"),
    [
        (None, {"propagationPolicy": "Background"}),
        (0, {"propagationPolicy": "Background", "gracePeriodSeconds": 0}),
    ],
)
def test_a_deletion_takes_what_belongs_to_it_along(
    api: Api, grace: int | None, options: dict[str, Any]
):
    """Without a policy a Job's pods are left behind and go on running."""
    api.script.answers["DELETE", POD] = (200, {})

    assert api.kube().delete("Pod", "a", namespace="ns", grace_seconds=grace) is True
    assert api.script.requests[0].body == options


def test_a_deletion_of_one_object_names_its_uid_and_its_version(api: Api):
    """Another that was made anew under its name meanwhile must not be hit."""
    api.script.answers["DELETE", POD] = (200, {})

    assert api.kube().delete("Pod", "a", namespace="ns", uid="u", resource_version="7")

    wanted = {"uid": "u", "resourceVersion": "7"}
    assert api.script.requests[0].body["preconditions"] == wanted

    api.script.answers["DELETE", POD] = (409, {"reason": "Conflict", "message": "uid"})
    assert api.kube().delete("Pod", "a", namespace="ns", uid="u") is False
    with pytest.raises(RefusedError):
        api.kube().delete("Pod", "a", namespace="ns")


def test_the_time_is_the_servers(api: Api):
    api.script.date = "Mon, 23 Nov 2026 09:00:00 GMT"
    api.script.answers["GET", "/version"] = (200, {"gitVersion": "v1.34.2"})
    kube = api.kube()

    first = kube.now()

    assert timedelta(0) <= first - datetime(2026, 11, 23, 9, tzinfo=UTC) < timedelta(seconds=5)
    api.clock.pause(3)
    assert kube.now() == first + timedelta(seconds=3), "it goes on between two answers"
    assert len(api.script.requests) == 1


def test_a_server_that_names_no_time_is_an_error(api: Api):
    """Of an expiry that nobody can compare, nothing may be concluded."""
    api.script.date = ""
    api.script.answers["GET", "/version"] = (200, {"gitVersion": "v1.34.2"})

    with pytest.raises(InfrastructureError, match="have no Date"):
        api.kube().now()


def test_a_refusal_keeps_status_reason_and_the_apis_own_words(api: Api):
    path = "/api/v1/namespaces"
    answer = {"reason": "AlreadyExists", "message": 'namespaces "ns" already exists'}
    api.script.answers["POST", path] = (409, answer)

    with pytest.raises(RefusedError) as raised:
        api.kube().create({"kind": "Namespace", "metadata": {"name": "ns"}})

    assert (raised.value.status, raised.value.reason) == (409, "AlreadyExists")
    assert str(raised.value) == (
        'POST /api/v1/namespaces: 409 AlreadyExists: namespaces "ns" already exists'
    )


def test_a_refusal_that_is_no_json_is_told_all_the_same(api: Api):
    api.script.answers["GET", POD] = (502, "<html>bad gateway</html>")

    with pytest.raises(RefusedError, match=r"502 .*bad gateway"):
        api.kube().get("Pod", "a", namespace="ns")


def test_an_answer_that_is_no_json_is_an_error_of_the_infrastructure(api: Api):
    api.script.answers["GET", POD] = (200, "<html>log in first</html>")

    with pytest.raises(
        InfrastructureError, match="did not answer for /api/v1/namespaces/ns/pods/a"
    ):
        api.kube().get("Pod", "a", namespace="ns")


def test_a_server_out_of_reach_is_an_error_of_the_infrastructure(unreachable: ClusterAccess):
    with pytest.raises(InfrastructureError, match="did not answer for /version"):
        Kube(unreachable).server_version()


def test_a_tls_handshake_that_is_broken_off_is_an_error_of_the_infrastructure(tmp_path: Path):
    """An API server that starts does so, and the client ended with an AttributeError of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def break_off() -> None:
            connection, _ = listener.accept()
            connection.recv(1024)
            connection.close()

        thread = threading.Thread(target=break_off)
        thread.start()
        kubeconfig = tmp_path / "kubeconfig"
        server = f"https://127.0.0.1:{listener.getsockname()[1]}"
        write_kubeconfig(kubeconfig, server)
        with pytest.raises(InfrastructureError, match="did not answer for /version"):
            Kube(ClusterAccess(kubeconfig=str(kubeconfig))).server_version()
        thread.join()


def test_a_current_context_is_pinned_by_its_name(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The context is switched while a run is on: its namespace stayed in the first cluster."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert api.access.pinned() == replace(api.access, context="test")
    named = ClusterAccess("x", "staging")
    assert named.pinned() is named
    assert named.shown == "context staging in x"

    with pytest.raises(ConfigurationError, match="no cluster to speak to"):
        ClusterAccess(str(tmp_path / "absent")).pinned()

    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert ClusterAccess().pinned() == ClusterAccess()
    assert ClusterAccess().shown == "this pod's account"


def test_the_servers_version_proves_that_it_answers(api: Api):
    api.script.answers["GET", "/version"] = (200, {"gitVersion": "v1.34.2"})

    assert api.kube().server_version() == "v1.34.2"


def test_a_log_is_read_as_text(api: Api):
    api.script.answers["GET", LOG] = (200, "first\nsecond\n")

    text = api.kube().log("a", namespace="ns", container="c", previous=True, tail_lines=5)

    assert text == "first\nsecond\n"
    query = api.script.requests[0].query
    assert (query["container"], query["previous"], query["tailLines"]) == ("c", "true", "5")


def test_the_end_of_a_long_log_is_kept_with_what_was_left_out(api: Api):
    """75 MB in small pieces took minutes: each piece copied all that had been kept."""
    pieces = tuple(f"{number:09}\n".encode() * 400 for number in range(5000))
    api.script.streams[LOG] = api.Stream(pieces)

    tail = api.kube().log_tail("a", namespace="ns", container="c", limit_bytes=1_000_000)

    whole = b"".join(pieces)
    notice = f"[the first {len(whole) - 1_000_000} bytes are left out]\n".encode()
    assert tail == notice + whole[-1_000_000:]


@pytest.mark.parametrize("status", [400, 404])
def test_a_container_that_has_no_log_yet_gives_none(api: Api, status: int):
    api.script.answers["GET", LOG] = (status, {"message": "waiting to start"})

    assert api.kube().log("a", namespace="ns", container="c") is None


def test_a_followed_log_arrives_as_it_grows_and_ends_with_its_container(api: Api):
    api.script.streams[LOG] = api.Stream((b"first\nsec", b"ond\n"))

    pieces = list(api.kube().follow_log("a", namespace="ns", container="c"))

    assert b"".join(pieces) == b"first\nsecond\n"
    assert api.script.requests[0].query == {"container": "c", "follow": "true"}


@pytest.mark.parametrize("then", ["cut", "hang"])
def test_a_followed_log_that_breaks_or_falls_silent_says_so_after_what_arrived(api: Api, then: Any):
    """Taken for the end, it would lose the results of every test that was still to come."""
    api.script.streams[LOG] = api.Stream((b"first\n",), then=then)
    log = api.kube().follow_log("a", namespace="ns", container="c", silence_seconds=0.3)

    assert next(log) == b"first\n"
    with pytest.raises(InfrastructureError, match="the log of a"):
        next(log)


def test_a_missing_kubeconfig_says_what_to_set(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"Set the tier's context\.kubeconfig"):
        Kube(ClusterAccess(kubeconfig=str(tmp_path / "none")))


def test_a_context_that_there_is_not_is_named(api: Api):
    with pytest.raises(ConfigurationError, match="staging"):
        Kube(ClusterAccess(kubeconfig=api.access.kubeconfig, context="staging"))


def test_the_command_in_a_message_reaches_the_same_cluster():
    access = ClusterAccess(kubeconfig="/tmp/k", context="kind-floe")  # noqa: S108 - not opened

    assert (
        access.kubectl("get", "pods") == "kubectl --kubeconfig /tmp/k --context kind-floe get pods"
    )
    assert ClusterAccess().kubectl("get", "pods") == "kubectl get pods"


POD_OBJECT = {
    "status": {"conditions": [{"type": "Ready"}, "odd"], "phase": "Running", "empty": None}
}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (("status",), POD_OBJECT["status"]),
        (("status", "nothing"), {}),
        (("status", "phase"), {}),
        (("status", "empty", "deeper"), {}),
        (("nothing", "deeper"), {}),
    ],
)
def test_a_part_that_is_no_object_is_empty(keys: tuple[str, ...], found: object):
    assert part(POD_OBJECT, *keys) == found


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (("status", "conditions"), [{"type": "Ready"}]),
        (("status", "phase"), []),
        (("nothing", "deeper"), []),
    ],
)
def test_parts_are_the_objects_of_a_list(keys: tuple[str, ...], found: object):
    assert parts(POD_OBJECT, *keys) == found


def test_a_patient_connection_asks_again_while_the_server_is_away(api: Api):
    patient = api.kube(patience_seconds=10)
    api.script.lists = type(api.script.lists)([503, 429, 403, [api.pod("a")]])

    assert [item["metadata"]["name"] for item in patient.list("Pod", namespace="ns")] == ["a"]


def test_patience_has_an_end(api: Api):
    patient = api.kube(patience_seconds=3)
    api.script.lists = type(api.script.lists)([503] * 10)

    with pytest.raises(RefusedError, match="503"):
        patient.list("Pod", namespace="ns")


def test_patience_is_for_servers_that_are_away_and_not_for_refusals(api: Api):
    patient = api.kube(patience_seconds=60)
    api.script.lists = type(api.script.lists)([403, [api.pod("a")]])

    with pytest.raises(RefusedError, match="403"):
        patient.list("Pod", namespace="ns")


def test_a_command_can_be_pasted_whatever_a_context_is_called():
    access = ClusterAccess(kubeconfig="/home/user/my kube/config", context="ada's; rm -r x")

    words = shlex.split(access.kubectl("get pods --namespace", "ns"))

    assert words == [
        *("kubectl", "--kubeconfig", "/home/user/my kube/config", "--context", "ada's; rm -r x"),
        *("get", "pods", "--namespace", "ns"),
    ]
