"""The one door to the Kubernetes API.

The official client is untyped and its models hide what the API said. Here its transport
(kubeconfig, certificates, tokens, exec plugins) is used, and objects stay what the API sends: JSON.
Everything else in the package speaks to a cluster through this module, which maps every failure to
an error of ours.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from floe_tests.core.deadline import Deadline
from floe_tests.core.errors import DeadlineError, InfrastructureError
from floe_tests.kube.access import ClusterAccess, api_client
from floe_tests.kube.objects import JsonObject, part, parts

# Kind → API path and plural. Only what this package touches; a new kind is one line.
_RESOURCES: Mapping[str, tuple[str, str]] = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "Event": ("/api/v1", "events"),
    "Namespace": ("/api/v1", "namespaces"),
    "Node": ("/api/v1", "nodes"),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims"),
    "Pod": ("/api/v1", "pods"),
    "ReplicationController": ("/api/v1", "replicationcontrollers"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CertificateSigningRequest": ("/apis/certificates.k8s.io/v1", "certificatesigningrequests"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "SelfSubjectAccessReview": ("/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews"),
    "SelfSubjectReview": ("/apis/authentication.k8s.io/v1", "selfsubjectreviews"),
    "StorageClass": ("/apis/storage.k8s.io/v1", "storageclasses"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
_CLUSTER_WIDE = frozenset({"Namespace", "Node"})

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_VERSION = "/version"
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404
_CONFLICT = 409
_GONE = 410
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_AGAIN_SECONDS = 0.5
# An API server restarts in seconds; one that is away for longer will not be back in time.
_AWAY_SECONDS = 120.0
# For as long the time that an answer named is counted on from; then it is asked for again.
_TIME_SECONDS = 30.0


class RefusedError(InfrastructureError):
    """The API server answered, and refused.

    Attributes:
        status: HTTP status code.
        reason: Kubernetes' own reason (`Forbidden`, `AlreadyExists`, `Invalid`).
        repeated: Whether an earlier try of the same request got no answer.
        just_back: Whether the server was away, and has allowed nothing since. One that has just
            started does not know all roles yet, and forbids what it allows a moment later.
    """

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        """Keep the status beside the message."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.repeated = False
        self.just_back = False

    @property
    def is_passing(self) -> bool:
        """Whether the server is at fault, and another try can go well."""
        at_fault = self.status >= _SERVER_ERROR or self.status == _TOO_MANY_REQUESTS
        return at_fault or (self.just_back and self.status in {_UNAUTHORIZED, _FORBIDDEN})


class Kube:
    """A connection to one cluster."""

    def __init__(
        self, access: ClusterAccess, *, patience_seconds: float = 0, connections: int | None = None
    ) -> None:
        """Load the credentials; nothing is sent yet.

        Args:
            access: Which cluster.
            patience_seconds: How long a request is repeated while the API server does not answer
                or says that it cannot: one that restarts is away for seconds. Reading, patching
                and deleting can be repeated as they are; what was created meanwhile is found.
            connections: How many are kept open at once for threads beside each other; None leaves
                it to the client.

        Raises:
            ConfigurationError: There is no such kubeconfig or context.
        """
        self.access = access
        self._patience_seconds = patience_seconds
        self._was_away = False
        self._read_time: tuple[datetime, Deadline] | None = None
        # Kinds that _RESOURCES does not know, by API version and kind.
        self._found: dict[tuple[str, str], tuple[str, bool]] = {}
        self._api = api_client(access, connections)

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> JsonObject | None:
        """Read one object; None when there is none."""
        try:
            return self._json("GET", f"{_path(kind, namespace)}/{name}")
        except RefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def get_any(
        self, api_version: str, kind: str, name: str, *, namespace: str
    ) -> JsonObject | None:
        """Read one object of any kind, a custom resource too.

        Args:
            api_version: Group and version, as manifests write them.
            kind: The kind.
            name: Name of the object.
            namespace: Its namespace, where its kind has namespaces.

        Returns:
            The object; None when there is none, or the cluster has no such kind (yet).
        """
        try:
            path = self._any_path(api_version, kind, namespace)
            return None if path is None else self._json("GET", f"{path}/{name}")
        except RefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def list_any(self, api_version: str, kind: str, *, namespace: str) -> list[JsonObject]:
        """Read all objects of any kind; none when the cluster has no such kind (yet)."""
        try:
            path = self._any_path(api_version, kind, namespace)
            found = {} if path is None else self._json("GET", path)
        except RefusedError as error:
            if error.status == _NOT_FOUND:
                return []
            raise
        # The items of a list leave out what the list says.
        return [{**item, "kind": kind} for item in parts(found, "items")]

    def _any_path(self, api_version: str, kind: str, namespace: str) -> str | None:
        """Return where objects of a kind are, by discovery; None when there is no such kind."""
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if (api_version, kind) not in self._found:
            self._found.update(
                ((api_version, str(each["kind"])), (each["name"], each["namespaced"] is True))
                for each in parts(self._json("GET", base), "resources")
                if "/" not in each["name"]
            )
        if (api_version, kind) not in self._found:
            return None
        plural, is_namespaced = self._found[api_version, kind]
        return f"{base}/namespaces/{namespace}/{plural}" if is_namespaced else f"{base}/{plural}"

    def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> list[JsonObject]:
        """Read all objects of a kind that the selectors choose."""
        return self._list(kind, namespace, label_selector, field_selector)[0]

    def create(self, manifest: Mapping[str, Any], *, namespace: str | None = None) -> JsonObject:
        """Create an object and return it as the API stored it.

        Raises:
            RefusedError: The API refused it (admission, quota, already there, permission).
        """
        path = _path(str(manifest["kind"]), namespace)
        try:
            return self._json("POST", path, body=manifest)
        except RefusedError as error:
            if error.status != _CONFLICT or not error.repeated:
                raise
            # The first try came through, and its answer did not.
            return self._json("GET", f"{path}/{manifest['metadata']['name']}")

    def patch(
        self, kind: str, name: str, changes: Mapping[str, Any], *, namespace: str | None = None
    ) -> JsonObject | None:
        """Merge changes into an object (JSON merge patch); None when there is none."""
        try:
            return self._json(
                "PATCH",
                f"{_path(kind, namespace)}/{name}",
                body=changes,
                content_type="application/merge-patch+json",
            )
        except RefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        grace_seconds: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> bool:
        """Ask for an object's deletion.

        Args:
            kind: Its kind.
            name: Its name.
            namespace: Its namespace.
            grace_seconds: How long a pod may take to end; None leaves it to the pod.
            uid: Only the object with this id: another of the same name stays.
            resource_version: Only as it was read: one that was changed since stays.

        Returns:
            False when it was not there, or is another or changed.
        """
        options: JsonObject = {"propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        wanted = {key: value for key, value in preconditions.items() if value}
        if wanted:
            options["preconditions"] = wanted
        try:
            self._json("DELETE", f"{_path(kind, namespace)}/{name}", body=options)
        except RefusedError as error:
            if error.status == _NOT_FOUND or (wanted and error.status == _CONFLICT):
                return False
            raise
        return True

    def remove_finalizers(self, resource: str, *, namespace: str) -> None:
        """Take the finalizers off the objects of a custom resource that are on their way out.

        Args:
            resource: `PLURAL.GROUP`, the name of its CustomResourceDefinition.
            namespace: Where they are.
        """
        plural, _, group = resource.partition(".")
        version = part(self._json("GET", f"/apis/{group}"), "preferredVersion")["groupVersion"]
        path = f"/apis/{version}/namespaces/{namespace}/{plural}"
        for item in parts(self._json("GET", path), "items"):
            metadata = part(item, "metadata")
            if "deletionTimestamp" in metadata and metadata.get("finalizers"):
                self._json(
                    "PATCH",
                    f"{path}/{metadata['name']}",
                    body={"metadata": {"finalizers": None}},
                    content_type="application/merge-patch+json",
                )

    def follow(
        self,
        kind: str,
        *,
        deadline: Deadline,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        tick_seconds: float = 5,
    ) -> Iterator[dict[str, JsonObject]]:
        """Yield the objects by name: now, after every change, and at least once a tick.

        A watch tells the changes; after each tick the list is read afresh, so a watch that has gone
        silent is noticed. The caller leaves the loop when it has seen what it waits for.

        Args:
            kind: Kind of the objects.
            deadline: When to give up.
            namespace: Their namespace.
            label_selector: Label selector.
            field_selector: Field selector.
            tick_seconds: Longest silence between two yields, in seconds.

        Raises:
            DeadlineError: The deadline passed. The caller says what it was waiting for.
            InfrastructureError: The API was away for two minutes, or up to the deadline.
        """
        unreachable: InfrastructureError | None = None
        away: Deadline | None = None  # runs from the first failure to the next list
        while not (deadline.passed or (away is not None and away.passed)):
            try:
                # Its own patience would be added to that of this loop.
                items, version = self._list(
                    kind, namespace, label_selector, field_selector, patience_seconds=0
                )
                unreachable = away = None
                state = {str(item["metadata"]["name"]): item for item in items}
                yield dict(state)
                seconds = max(1.0, min(tick_seconds, deadline.remaining_seconds))
                for change, item in self._watch(
                    kind,
                    namespace,
                    label_selector,
                    field_selector,
                    version=version,
                    seconds=seconds,
                ):
                    name = str(item["metadata"]["name"])
                    if change == "DELETED":
                        state.pop(name, None)
                    else:
                        state[name] = item
                    yield dict(state)
            except RefusedError as error:
                if error.status != _GONE and not error.is_passing:
                    raise
                unreachable = error
            except InfrastructureError as error:
                # An API server that restarts is away for seconds: that ends no wait.
                unreachable = error
            if unreachable is not None:
                away = away or Deadline(_AWAY_SECONDS)
                time.sleep(min(_AGAIN_SECONDS, deadline.remaining_seconds))
        if unreachable is not None and away is not None:
            message = (
                f"the Kubernetes API could not be reached for the last {away.elapsed_seconds:.0f} "
                f"s: {unreachable}"
            )
            raise InfrastructureError(message) from unreachable
        message = f"waited {deadline.seconds:g} s for {kind} in {namespace or 'the cluster'}."
        raise DeadlineError(message)

    def log(
        self,
        pod: str,
        *,
        namespace: str,
        container: str,
        previous: bool = False,
        tail_lines: int | None = None,
        limit_bytes: int = 1024 * 1024,
    ) -> str | None:
        """Read a container's log as it stands.

        Returns:
            Its text, at most `limit_bytes`; None when there is no such log (yet, or any more).
        """
        query: list[tuple[str, str]] = [("container", container), ("limitBytes", str(limit_bytes))]
        if previous:
            query.append(("previous", "true"))
        if tail_lines is not None:
            query.append(("tailLines", str(tail_lines)))
        try:
            with self._open("GET", f"{_path('Pod', namespace)}/{pod}/log", query=query) as response:
                return response.read(limit_bytes, decode_content=True).decode(errors="replace")
        except RefusedError as error:
            if error.status in {400, _NOT_FOUND}:  # 400: the container has not started
                return None
            raise

    def log_pieces(
        self,
        pod: str,
        *,
        namespace: str,
        container: str,
        previous: bool = False,
        since: datetime | None = None,
    ) -> Iterator[bytes]:
        """Yield a container's log as it stands: the newest file of it, in pieces.

        Args:
            pod: Name of the pod.
            namespace: Its namespace.
            container: Name of the container.
            previous: Whether the log of its life before the last restart is meant.
            since: Only what it said from then on (UTC); None for all.

        Raises:
            RefusedError: There is no such log (yet, or any more).
            InfrastructureError: The connection broke.
        """
        query = [("container", container), ("previous", str(previous).lower())]
        if since is not None:
            query.append(("sinceTime", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))
        with (
            self._open("GET", f"{_path('Pod', namespace)}/{pod}/log", query=query) as response,
            _transport_errors("the log of " + pod),
        ):
            while piece := response.read1(64 * 1024):
                yield piece

    def log_tail(
        self,
        pod: str,
        *,
        namespace: str,
        container: str,
        limit_bytes: int,
        previous: bool = False,
        since: datetime | None = None,
    ) -> bytes | None:
        """Read the end of a container's log: what it said last is what explains its end.

        Args:
            pod: Name of the pod.
            namespace: Its namespace.
            container: Name of the container.
            limit_bytes: How much of it.
            previous: Whether the log of its life before the last restart is meant.
            since: Only what it said from then on (UTC); None for all.

        Returns:
            At most `limit_bytes`, with a line before it when something was left out; None when
            there is no such log (yet, or any more).
        """
        kept, left_out = b"", 0
        try:
            for piece in self.log_pieces(
                pod, namespace=namespace, container=container, previous=previous, since=since
            ):
                kept += piece
                if len(kept) > 2 * limit_bytes:
                    left_out += len(kept) - limit_bytes
                    kept = kept[-limit_bytes:]
        except RefusedError as error:
            if error.status in {400, _NOT_FOUND}:  # 400: the container has not started
                return None
            raise
        left_out += max(0, len(kept) - limit_bytes)
        notice = f"[the first {left_out} bytes are left out]\n".encode() if left_out else b""
        return notice + kept[-limit_bytes:]

    def run_in(
        self, pod: str, command: Sequence[str], *, namespace: str, container: str, seconds: float
    ) -> Iterator[bytes]:
        """Run a command in a container, and yield its standard output as it comes.

        Needs the right to create `pods/exec`.

        Args:
            pod: Name of the pod.
            command: Program and arguments.
            namespace: Its namespace.
            container: Name of the container, which must be running.
            seconds: When to give up.

        Raises:
            InfrastructureError: It could not be run, failed, or did not end in time.
        """
        from floe_tests.kube.exec import run_in_container

        # A client of its own: the library's web socket takes the place of its transport.
        yield from run_in_container(
            api_client(self.access),
            pod,
            command,
            namespace=namespace,
            container=container,
            deadline=Deadline(seconds),
        )

    def follow_log(
        self, pod: str, *, namespace: str, container: str, silence_seconds: float = 30
    ) -> Iterator[bytes]:
        """Yield a container's log from its beginning and as it grows, in pieces as they arrive.

        Ends when the container has ended.

        Args:
            pod: Name of the pod.
            namespace: Its namespace.
            container: Name of the container.
            silence_seconds: A stream with no byte for this long is taken for dead.

        Raises:
            InfrastructureError: The connection broke or fell silent: open it again.
        """
        query = [("container", container), ("follow", "true")]
        with (
            self._open(
                "GET",
                f"{_path('Pod', namespace)}/{pod}/log",
                query=query,
                read_seconds=silence_seconds,
            ) as response,
            _transport_errors("the log of " + pod),
        ):
            while piece := response.read1(64 * 1024):
                yield piece

    def server_version(self) -> str:
        """Return the API server's version (`v1.34.2`), which also proves that it answers."""
        return str(self._json("GET", _VERSION)["gitVersion"])

    def now(self) -> datetime:
        """Return the API server's time (UTC), to about a second.

        Raises:
            InfrastructureError: It did not answer, or names no time.
        """
        if self._read_time is None or self._read_time[1].passed:
            self._json("GET", _VERSION)
        if self._read_time is None:
            message = "the Kubernetes API's answers have no Date: a proxy before it may take it off"
            raise InfrastructureError(message)
        time, since = self._read_time
        return time + timedelta(seconds=since.elapsed_seconds)

    def _note_time(self, response: Any) -> None:
        with contextlib.suppress(TypeError, ValueError):
            time = parsedate_to_datetime(response.headers.get("Date"))
            self._read_time = time.astimezone(UTC), Deadline(_TIME_SECONDS)

    def _list(
        self,
        kind: str,
        namespace: str | None,
        labels: str,
        fields: str,
        *,
        patience_seconds: float | None = None,
    ) -> tuple[list[JsonObject], str]:
        query: list[tuple[str, str]] = []
        if labels:
            query.append(("labelSelector", labels))
        if fields:
            query.append(("fieldSelector", fields))
        answer = self._json(
            "GET", _path(kind, namespace), query=query, patience_seconds=patience_seconds
        )
        return list(answer.get("items") or []), str(answer["metadata"].get("resourceVersion", ""))

    def _watch(
        self,
        kind: str,
        namespace: str | None,
        labels: str,
        fields: str,
        *,
        version: str,
        seconds: float,
    ) -> Iterator[tuple[str, JsonObject]]:
        query = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(max(1, int(seconds)))),
            ("labelSelector", labels),
            ("fieldSelector", fields),
        ]
        kept = b""
        with (
            self._open(
                "GET", _path(kind, namespace), query=query, read_seconds=seconds + _CONNECT_SECONDS
            ) as response,
            _transport_errors(f"the watch of {kind}"),
        ):
            while piece := response.read1(64 * 1024):
                *lines, kept = (kept + piece).split(b"\n")
                for line in lines:
                    if not line:
                        continue
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise RefusedError(
                            f"the watch of {kind} ended: {status.get('message')}",
                            status=int(status.get("code", 500)),
                            reason=str(status.get("reason", "")),
                        )
                    yield str(event["type"]), event["object"]

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        patience_seconds: float | None = None,
    ) -> JsonObject:
        patience = Deadline(
            self._patience_seconds if patience_seconds is None else patience_seconds
        )
        repeated = False
        while True:
            try:
                return self._json_once(
                    method, path, query=query, body=body, content_type=content_type
                )
            except InfrastructureError as error:
                if isinstance(error, RefusedError):
                    error.repeated = repeated
                    if not error.is_passing:
                        raise
                if patience.passed:
                    raise
            repeated = True
            time.sleep(min(_AGAIN_SECONDS, patience.remaining_seconds))

    def _json_once(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None,
        body: Mapping[str, Any] | None,
        content_type: str,
    ) -> JsonObject:
        with (
            self._open(method, path, query=query, body=body, content_type=content_type) as response,
            _transport_errors(path),
        ):
            return json.loads(response.read(decode_content=True))

    @contextlib.contextmanager
    def _noticing_absence(self) -> Generator[None]:
        try:
            yield
        except RefusedError as error:
            self._was_away = self._was_away or error.status >= _SERVER_ERROR
            error.just_back = self._was_away
            raise
        except InfrastructureError:
            self._was_away = True
            raise

    @contextlib.contextmanager
    def _open(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        read_seconds: float = _READ_SECONDS,
    ) -> Generator[Any]:
        from kubernetes.client.exceptions import ApiException  # pyright: ignore[reportMissingTypeStubs]

        with self._noticing_absence(), _transport_errors(path):
            try:
                response: Any = self._api.call_api(
                    path,
                    method,
                    query_params=query or [],
                    header_params={"Accept": "application/json", "Content-Type": content_type},
                    body=dict(body) if body is not None else None,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    _return_http_data_only=True,
                    _request_timeout=(_CONNECT_SECONDS, read_seconds),
                )
            except ApiException as error:
                raise _refused(method, path, error) from error
            except AttributeError as error:
                # The client stumbles over a TLS handshake that is broken off, which has no body.
                if not isinstance(error.__context__, ApiException):
                    raise
                why = str(error.__context__.reason)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped
                message = f"the Kubernetes API did not answer for {path}: {why}"
                raise InfrastructureError(message) from error
        self._note_time(response)
        # Its version is for everybody, whatever roles it knows.
        self._was_away = self._was_away and path == _VERSION
        try:
            # An answer that breaks off is the first sign of a server that goes.
            with self._noticing_absence():
                yield response
        finally:
            response.close()
            response.release_conn()


def _path(kind: str, namespace: str | None) -> str:
    base, plural = _RESOURCES[kind]
    if kind in _CLUSTER_WIDE or namespace is None:
        return f"{base}/{plural}"
    return f"{base}/namespaces/{namespace}/{plural}"


def _refused(method: str, path: str, error: Any) -> RefusedError:
    text = str(error.body or error.reason or "")
    reason = str(error.reason or "")
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        status = json.loads(error.body)
        text, reason = str(status.get("message", text)), str(status.get("reason", reason))
    code = int(error.status or 0)
    return RefusedError(f"{method} {path}: {code} {reason}: {text}", status=code, reason=reason)


@contextlib.contextmanager
def _transport_errors(what: str) -> Generator[None]:
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (HTTPError, OSError, ValueError) as error:
        message = f"the Kubernetes API did not answer for {what}: {type(error).__name__}: {error}"
        raise InfrastructureError(message) from error
