"""Objects of kinds that only the cluster knows: custom resources, by the API's discovery."""

from __future__ import annotations

from functools import cached_property

from floe_tests.kube.errors import RefusedError
from floe_tests.kube.objects import JsonObject, parts
from floe_tests.kube.requests import ObjectRequests


class Discovery(ObjectRequests):
    """Requests for objects of any kind."""

    @cached_property
    def _found(self) -> dict[tuple[str, str], tuple[str, bool]]:
        """By API version and kind: the plural, and whether the kind has namespaces."""
        return {}

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
            return None if path is None else self.request("GET", f"{path}/{name}")
        except RefusedError as error:
            if error.is_not_found:
                return None
            raise

    def list_any(self, api_version: str, kind: str, *, namespace: str) -> list[JsonObject]:
        """Read all objects of any kind; none when the cluster has no such kind (yet)."""
        try:
            path = self._any_path(api_version, kind, namespace)
            found = {} if path is None else self.request("GET", path)
        except RefusedError as error:
            if error.is_not_found:
                return []
            raise
        # The items of a list leave out what the list says.
        return [{**item, "kind": kind} for item in parts(found, "items")]

    def dry_run(self, manifest: JsonObject, *, namespace: str) -> bool:
        """Let the server judge an object of any kind, without making it.

        Args:
            manifest: The object.
            namespace: Where it would be, where its kind has namespaces.

        Returns:
            Whether the cluster knows the kind, and so has judged it.

        Raises:
            RefusedError: It would be refused.
        """
        kind, version = str(manifest["kind"]), str(manifest["apiVersion"])
        try:
            path = self._any_path(version, kind, namespace)
        except RefusedError as error:
            if error.is_not_found:
                return False
            raise
        if path is None:
            return False
        query = [("dryRun", "All"), ("fieldValidation", "Strict")]
        self.request("POST", path, query=query, body=manifest)
        return True

    def _any_path(self, api_version: str, kind: str, namespace: str) -> str | None:
        """Return where objects of a kind are, by discovery; None when there is no such kind."""
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if (api_version, kind) not in self._found:
            self._found.update(
                ((api_version, str(each["kind"])), (each["name"], each["namespaced"] is True))
                for each in parts(self.request("GET", base), "resources")
                if "/" not in each["name"]
            )
        if (api_version, kind) not in self._found:
            return None
        plural, is_namespaced = self._found[api_version, kind]
        return f"{base}/namespaces/{namespace}/{plural}" if is_namespaced else f"{base}/{plural}"
