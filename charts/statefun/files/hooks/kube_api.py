"""The Kubernetes API from inside a pod, with Python alone: hooks run in an image of others."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEPLOYMENTS = "/apis/flink.apache.org/v1beta1/namespaces/{}/flinkdeployments"
# A server that keeps a watch open sends nothing for as long as nothing changes.
_SILENCE_SECONDS = 15

Object = dict[str, Any]


class KubeApi:
    """The API server, seen by one account.

    Args:
        address: Where it is, `https://kubernetes.default.svc` for one.
        token: Of the account.
        certificates: File with the certificate of who signed the server's; None over plain HTTP.
    """

    def __init__(self, address: str, token: str, certificates: Path | None = None) -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._tls = certificates and ssl.create_default_context(cafile=str(certificates))

    @classmethod
    def of_this_pod(cls) -> "KubeApi":
        """Connect as the pod's ServiceAccount."""
        token = (ACCOUNT / "token").read_text()
        return cls("https://kubernetes.default.svc", token, ACCOUNT / "ca.crt")

    def get(self, path: str) -> Object | None:
        """Read an object; None when it is not there."""
        return self._ask("GET", path)

    def delete(self, path: str) -> bool:
        """Delete an object; whether it was there."""
        return self._ask("DELETE", path) is not None

    def merge(self, path: str, change: Object) -> Object | None:
        """Change an object; None when it is not there."""
        return self._ask("PATCH", path, change)

    def watch(self, path: str, name: str, *, seconds: float) -> Iterator[tuple[str, Object]]:
        """Return what happens to an object: first what it is, then each change.

        Args:
            path: Of its collection.
            name: Of the object.
            seconds: For how long at most; it may end earlier.
        """
        lasting = max(1, min(int(seconds), _SILENCE_SECONDS))
        query = f"?watch=1&fieldSelector=metadata.name%3D{name}&timeoutSeconds={lasting}"
        with self._open("GET", path + query) as lines:
            for line in lines:
                event = json.loads(line)
                yield event["type"], event["object"]

    def _ask(self, method: str, path: str, body: Object | None = None) -> Object | None:
        try:
            with self._open(method, path, body) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _open(self, method: str, path: str, body: Object | None = None) -> Any:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        request = urllib.request.Request(
            self._address + path,
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        return urllib.request.urlopen(request, timeout=_SILENCE_SECONDS + 15, context=self._tls)


def namespace_of_this_pod() -> str:
    """Read where this pod is."""
    return (ACCOUNT / "namespace").read_text()
