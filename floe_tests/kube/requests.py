"""Objects of the API: read, created, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from floe_tests.kube.connection import Connection
from floe_tests.kube.errors import RefusedError
from floe_tests.kube.objects import JsonObject, part, parts
from floe_tests.kube.resources import path_of

_MERGE_PATCH = "application/merge-patch+json"


class ObjectRequests(Connection):
    """Requests for objects."""

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> JsonObject | None:
        """Read one object; None when there is none."""
        try:
            return self.request("GET", f"{path_of(kind, namespace)}/{name}")
        except RefusedError as error:
            if error.is_not_found:
                return None
            raise

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
        path = path_of(str(manifest["kind"]), namespace)
        try:
            return self.request("POST", path, body=manifest)
        except RefusedError as error:
            if not error.is_conflict or not error.repeated:
                raise
            # The first try came through, and its answer did not.
            return self.request("GET", f"{path}/{manifest['metadata']['name']}")

    def patch(
        self, kind: str, name: str, changes: Mapping[str, Any], *, namespace: str | None = None
    ) -> JsonObject | None:
        """Merge changes into an object (JSON merge patch); None when there is none."""
        try:
            return self.request(
                "PATCH",
                f"{path_of(kind, namespace)}/{name}",
                body=changes,
                content_type=_MERGE_PATCH,
            )
        except RefusedError as error:
            if error.is_not_found:
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
            self.request("DELETE", f"{path_of(kind, namespace)}/{name}", body=options)
        except RefusedError as error:
            if error.is_not_found or (wanted and error.is_conflict):
                return False
            raise
        return True

    def remove_finalizers(self, resource: str, *, namespace: str) -> None:
        """Remove the finalizers from the objects of a custom resource that are on their way out.

        Args:
            resource: `PLURAL.GROUP`, the name of its CustomResourceDefinition.
            namespace: Where they are.
        """
        plural, _, group = resource.partition(".")
        version = part(self.request("GET", f"/apis/{group}"), "preferredVersion")["groupVersion"]
        path = f"/apis/{version}/namespaces/{namespace}/{plural}"
        for item in parts(self.request("GET", path), "items"):
            metadata = part(item, "metadata")
            if "deletionTimestamp" in metadata and metadata.get("finalizers"):
                self.request(
                    "PATCH",
                    f"{path}/{metadata['name']}",
                    body={"metadata": {"finalizers": None}},
                    content_type=_MERGE_PATCH,
                )

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
        answer = self.request(
            "GET", path_of(kind, namespace), query=query, patience_seconds=patience_seconds
        )
        return list(answer.get("items") or []), str(answer["metadata"].get("resourceVersion", ""))
