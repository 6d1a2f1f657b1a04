"""What a Helm release consists of: its objects and hooks, as helm itself has written them down.

Labels are a chart's own affair, and many charts have others than the common ones. helm keeps what
it rendered in a record of the release before it creates the first object, so the record is the one
list that is right for every chart.

Source: https://helm.sh/docs/topics/advanced/#storage-backends
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml

from floe_tests.core.errors import HarnessError
from floe_tests.kube.client import Kube
from floe_tests.kube.objects import JsonObject, part, parts

# The C loader, where it was built: large charts have a megabyte of manifests.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DOCUMENT = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
_HOOK = "helm.sh/hook"
# Where helm keeps records, by HELM_DRIVER.
_RECORD_KINDS = {
    "": "Secret",
    "secret": "Secret",
    "secrets": "Secret",
    "configmap": "ConfigMap",
    "configmaps": "ConfigMap",
}


@dataclass(frozen=True)
class Record:
    """What helm wrote down of one revision of a release.

    Attributes:
        revision: helm's number of it.
        objects: The manifests of what it installed.
        hooks: The manifests of its hooks, those of `helm test` left out.
        unread: Why parts of it cannot be read; empty when all could be.
    """

    revision: int
    objects: tuple[JsonObject, ...] = ()
    hooks: tuple[JsonObject, ...] = ()
    unread: tuple[str, ...] = ()


# Kinds of Kubernetes' own that are in no namespace, as far as charts bring them.
_CLUSTER_WIDE = frozenset(
    {
        *("APIService", "ClusterRole", "ClusterRoleBinding", "CSIDriver"),
        *("CustomResourceDefinition", "IngressClass", "MutatingWebhookConfiguration", "Namespace"),
        *("PersistentVolume", "PriorityClass", "RuntimeClass", "StorageClass"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        *("ValidatingWebhookConfiguration", "VolumeSnapshotClass"),
    }
)


def outside_of(namespace: str, objects: Iterable[JsonObject]) -> tuple[str, ...]:
    """Return the names of objects that do not go with a namespace.

    Args:
        namespace: The release's.
        objects: Manifests of the release.
    """
    found: list[str] = []
    for item in objects:
        metadata = part(item, "metadata")
        name = f"{str(item.get('kind')).lower()}/{metadata.get('name')}"
        if item.get("kind") in _CLUSTER_WIDE:
            found.append(name)
        elif metadata.get("namespace") not in {None, "", namespace}:
            found.append(f"{name} in {metadata['namespace']}")
    return tuple(found)


def newest_record(kube: Kube, release: str, *, namespace: str) -> Record | None:
    """Read helm's newest record of a release.

    Args:
        kube: The cluster.
        release: Name of the release.
        namespace: Its namespace.

    Returns:
        The record; None when there is none, or helm keeps its records outside of the cluster.

    Raises:
        RefusedError: The account may not read it.
        HarnessError: It is written in a way that this does not know.
    """
    kind = _RECORD_KINDS.get(os.environ.get("HELM_DRIVER", "").lower())
    if kind is None:
        return None
    found = kube.list(
        kind,
        namespace=namespace,
        label_selector=f"owner=helm,name={release},status!=superseded",
    )
    newest = max(found, key=_revision_of, default=None)
    if newest is None:
        return None
    return _read(str(part(newest, "data").get("release", "")), is_secret=kind == "Secret")


def manifests_in(text: str) -> Iterator[JsonObject]:
    """Yield the objects of rendered manifests, those in lists one by one.

    Raises:
        yaml.YAMLError: It is no YAML.
    """
    for document in yaml.load_all(text, Loader=_LOADER):
        if isinstance(document, dict):
            yield from _expanded(cast("JsonObject", document))


def hook_events(manifest: JsonObject) -> frozenset[str]:
    """Return when a hook runs (`pre-install`, `test`, …); empty for what is no hook."""
    text = str(part(manifest, "metadata", "annotations").get(_HOOK) or "")
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def is_test(manifest: JsonObject) -> bool:
    """Return whether `helm test` alone creates an object."""
    events = hook_events(manifest)
    return bool(events) and all(event.startswith("test") for event in events)


def _read(text: str, *, is_secret: bool) -> Record:
    try:
        packed = base64.b64decode(text)
        if is_secret:  # the API encodes a Secret's bytes once more
            packed = base64.b64decode(packed)
        # Records of Helm 2 and early Helm 3 are not compressed.
        plain = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
        release: JsonObject = json.loads(plain)
        hooks = "\n---\n".join(str(hook.get("manifest") or "") for hook in parts(release, "hooks"))
        unread: list[str] = []
        objects = tuple(_lenient(str(release.get("manifest") or ""), unread))
        hooked = tuple(item for item in _lenient(hooks, unread) if not is_test(item))
        return Record(int(release["version"]), objects, hooked, tuple(unread))
    except (binascii.Error, OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        message = f"helm's record of the release cannot be read: {type(error).__name__}: {error}"
        raise HarnessError(message) from error


def _lenient(text: str, unread: list[str]) -> Iterator[JsonObject]:
    """Yield what can be read, document by document: helm's YAML is wider than ours."""
    for document in _DOCUMENT.split(text):
        try:
            yield from manifests_in(document)
        except yaml.YAMLError as error:
            source = re.search(r"# Source: (\S+)", document)
            name = source[1] if source else "a manifest"
            unread.append(f"{name} cannot be read: {str(error).splitlines()[0]}")


def _expanded(item: JsonObject) -> Iterable[JsonObject]:
    items = item.get("items")
    if str(item.get("kind", "")).endswith("List") and isinstance(items, list):
        for each in cast("list[Any]", items):
            if isinstance(each, dict):
                yield from _expanded(cast("JsonObject", each))
    elif item.get("kind") and part(item, "metadata").get("name"):
        yield item


def _revision_of(item: JsonObject) -> int:
    return int(part(item, "metadata", "labels").get("version") or 0)
