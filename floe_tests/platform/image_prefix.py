"""The registry prefix before the images of any chart: a post-renderer of helm.

Each chart has values of its own for the registry, or none. What helm is about to install is the
same for all: here the images of its pods get the prefix, and every other byte stays.

Source: https://helm.sh/docs/topics/advanced/#post-rendering
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Where the pods of each kind stand; those of other kinds are their operator's affair.
_TEMPLATE = ("spec", "template", "spec")
_PODS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"),
        _TEMPLATE,
    ),
}
_CONTAINERS = ("initContainers", "containers")


def post_renderer(prefix: str) -> list[str]:
    """Return the options with which helm calls this module.

    Args:
        prefix: The registry prefix, with its final slash.
    """
    words = ("-m", __name__, prefix)
    return [
        f"--post-renderer={sys.executable}",
        *(f"--post-renderer-args={word}" for word in words),
    ]


def with_prefix(text: str, prefix: str) -> str:
    """Return manifests with the prefix before every image of their pods that has it not yet.

    Args:
        text: Rendered manifests, YAML. What is none is left as it is: helm says it better.
        prefix: The prefix, with its final slash.
    """
    try:
        documents: list[yaml.Node | None] = list(
            yaml.compose_all(text, Loader=_LOADER)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - untyped there
        )
    except yaml.YAMLError:
        return text
    images = [image for each in documents if each is not None for image in _images_in(each)]
    # From the end, so that the places before stay right. An anchor's image is found twice.
    for start in sorted({node.start_mark.index for node in images}, reverse=True):
        node = next(each for each in images if each.start_mark.index == start)
        is_block = node.style in {"|", ">"}  # in lines of their own; nobody writes an image so
        if node.value and not is_block and not node.value.startswith(prefix):
            begin = start + (1 if node.style in {"'", '"'} else 0)
            text = text[:begin] + prefix + text[begin:]
    return text


def _images_in(document: yaml.Node) -> Iterator[yaml.ScalarNode]:
    for item in (document, *_items(_below(document, "items"))):
        kind = _below(item, "kind")
        place = _PODS.get(str(kind.value)) if isinstance(kind, yaml.ScalarNode) else None
        pod: yaml.Node | None = item if place else None
        for key in place or ():
            pod = _below(pod, key)
        for name in _CONTAINERS:
            for container in _items(_below(pod, name)):
                image = _below(container, "image")
                if isinstance(image, yaml.ScalarNode):
                    yield image


def _below(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return value
    return None


def _items(node: yaml.Node | None) -> Sequence[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else ()


if __name__ == "__main__":
    # Bytes: a locale must not change what a chart says.
    rendered = sys.stdin.buffer.read().decode("utf-8")
    sys.stdout.buffer.write(with_prefix(rendered, sys.argv[1]).encode("utf-8"))
